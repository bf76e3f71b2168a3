#include "engine/row_groups.hpp"

#include <algorithm>
#include <atomic>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

// Places of a bucket, about: few enough to be sorted quickly, many enough that counting them costs little.
constexpr std::ptrdiff_t IN_BUCKET = 32, MOST_BUCKETS = 2048;
// Indices that one thread counts at a time; few chunks, as each has counters for all buckets.
constexpr std::ptrdiff_t IN_CHUNK = 4096, MOST_CHUNKS = 64;

int width_of(std::ptrdiff_t number) {
    int bits = 0;
    for (; number > 0; number >>= 1) ++bits;
    return bits;
}

}  // namespace

std::ptrdiff_t Grouping::make(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows) {
    if (itemsize == 4) return place(static_cast<const std::int32_t *>(indices), count, rows);
    return place(static_cast<const std::int64_t *>(indices), count, rows);
}

template <class Index> std::ptrdiff_t Grouping::place(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows) {
    const std::ptrdiff_t chunk = std::max(IN_CHUNK, (count + MOST_CHUNKS - 1) / MOST_CHUNKS);
    const std::ptrdiff_t chunks = (count + chunk - 1) / chunk;
    const int wanted = width_of(std::min(MOST_BUCKETS, count / IN_BUCKET)),
              shift = std::max(0, width_of(rows - 1) - wanted);
    const std::ptrdiff_t buckets = rows > 0 ? ((rows - 1) >> shift) + 1 : 1;

    rows_.resize(static_cast<std::size_t>(count));
    next_.assign(static_cast<std::size_t>(chunks * buckets), 0);
    std::atomic<std::ptrdiff_t> wrong{count};
    const auto each_of = [&](std::ptrdiff_t begin, std::ptrdiff_t end, auto body) {
        for (std::ptrdiff_t c = begin; c < end; ++c)
            for (std::ptrdiff_t i = c * chunk; i < std::min(count, (c + 1) * chunk); ++i) body(i, c * buckets);
    };
    threads::share(chunks, count, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        std::ptrdiff_t first = count;
        each_of(begin, end, [&](std::ptrdiff_t i, std::ptrdiff_t counters) {
            const std::int64_t row = rows_[i] = indices[i];
            if (row < 0 || row >= rows)
                first = std::min(first, i);
            else
                ++next_[counters + (row >> shift)];
        });
        for (std::ptrdiff_t known = wrong; first < known && !wrong.compare_exchange_weak(known, first);) {
        }
    });
    if (wrong != count) return wrong;

    starts_.assign(1, 0);
    std::ptrdiff_t sum = 0;
    for (std::ptrdiff_t bucket = 0; bucket < buckets; ++bucket) {
        for (std::ptrdiff_t c = 0; c < chunks; ++c) {
            const std::ptrdiff_t here = next_[c * buckets + bucket];
            next_[c * buckets + bucket] = sum;
            sum += here;
        }
        starts_.push_back(sum);
    }
    places_.resize(static_cast<std::size_t>(count));
    threads::share(chunks, count, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [&](std::ptrdiff_t i, std::ptrdiff_t counters) {
            places_[next_[counters + (rows_[i] >> shift)]++] = {rows_[i], i};
        });
    });
    if (shift == 0) return count;  // a bucket is a row
    threads::share(buckets, count, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t bucket = begin; bucket < end; ++bucket)
            std::sort(places_.begin() + starts_[bucket], places_.begin() + starts_[bucket + 1],
                      [](const Place &a, const Place &b) {
                          return a.row != b.row ? a.row < b.row : a.position < b.position;
                      });
    });
    return count;
}

}  // namespace adagrad
