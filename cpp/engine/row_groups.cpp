#include "engine/row_groups.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

// About this many entries in a bucket: few enough to be sorted quickly, many enough that counting costs little.
constexpr std::ptrdiff_t BUCKET_SIZE = 32, MAX_BUCKETS = 2048;
// One thread counts this many indices at a time; there are few chunks, as each has counters for all buckets.
constexpr std::ptrdiff_t MIN_CHUNK_SIZE = 4096, MAX_SORT_CHUNKS = 64;

constexpr auto comes_first = [](const IndexedRow &a, const IndexedRow &b) {
    return a.row != b.row ? a.row < b.row : a.source < b.source;
};

int bit_width(std::ptrdiff_t number) { return number > 0 ? std::bit_width(static_cast<std::size_t>(number)) : 0; }

}  // namespace

std::ptrdiff_t RowGroups::build(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows) {
    if (itemsize == 4) return sort(static_cast<const std::int32_t *>(indices), count, rows);
    return sort(static_cast<const std::int64_t *>(indices), count, rows);
}

template <class Index> std::ptrdiff_t RowGroups::sort(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows) {
    const std::ptrdiff_t chunk = std::max(MIN_CHUNK_SIZE, (count + MAX_SORT_CHUNKS - 1) / MAX_SORT_CHUNKS);
    const std::ptrdiff_t chunks = (count + chunk - 1) / chunk;
    const int bits = bit_width(std::min(MAX_BUCKETS, count / BUCKET_SIZE)),
              shift = std::max(0, bit_width(rows - 1) - bits);
    const std::ptrdiff_t buckets = rows > 0 ? ((rows - 1) >> shift) + 1 : 1;

    rows_.resize(static_cast<std::size_t>(count));
    next_.assign(static_cast<std::size_t>(chunks * buckets), 0);
    std::atomic<std::ptrdiff_t> wrong{count};
    const auto each_of = [&](std::ptrdiff_t begin, std::ptrdiff_t end, auto body) {
        for (std::ptrdiff_t c = begin; c < end; ++c)
            for (std::ptrdiff_t i = c * chunk; i < std::min(count, (c + 1) * chunk); ++i) body(i, c * buckets);
    };
    parallel_for(chunks, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
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
    entries_.resize(static_cast<std::size_t>(count));
    parallel_for(chunks, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [&](std::ptrdiff_t i, std::ptrdiff_t counters) {
            entries_[next_[counters + (rows_[i] >> shift)]++] = {rows_[i], i};
        });
    });
    if (shift == 0) return count;  // each bucket is one row
    parallel_for(buckets, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t bucket = begin; bucket < end; ++bucket) {
            const auto first = entries_.begin() + starts_[bucket], last = entries_.begin() + starts_[bucket + 1];
            // They are when all are of one row: entries of a bucket come in the order given.
            if (!std::is_sorted(first, last, comes_first)) std::sort(first, last, comes_first);
        }
    });
    return count;
}

}  // namespace adagrad
