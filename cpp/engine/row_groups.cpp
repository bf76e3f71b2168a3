#include "engine/row_groups.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

// About this many entries in a bucket: few enough to be sorted quickly, many enough that counting costs little.
constexpr std::ptrdiff_t BUCKET_SIZE = 32, MAX_BUCKETS = 2048;
// One thread counts this many indices at a time; there are few chunks, as each has counters for all buckets.
constexpr std::ptrdiff_t MIN_CHUNK_SIZE = 4096, MAX_SORT_CHUNKS = 64;
// A bucket with more entries holds rows that come often. It is sorted by counting this many bits at a time.
constexpr std::ptrdiff_t COUNT_FROM = 1024;
constexpr int DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS;

// Parts of the indices.
struct Chunks {
    explicit Chunks(std::ptrdiff_t count)
        : count(count), size(std::max(MIN_CHUNK_SIZE, (count + MAX_SORT_CHUNKS - 1) / MAX_SORT_CHUNKS)),
          number((count + size - 1) / size) {}
    std::ptrdiff_t start(std::ptrdiff_t chunk) const { return std::min(count, chunk * size); }
    std::ptrdiff_t count, size, number;
};

constexpr auto comes_first = [](const IndexedRow &a, const IndexedRow &b) {
    return a.row != b.row ? a.row < b.row : a.source < b.source;
};

int bit_width(std::ptrdiff_t number) { return number > 0 ? std::bit_width(static_cast<std::size_t>(number)) : 0; }

void lower(std::atomic<std::ptrdiff_t> &least, std::ptrdiff_t value) {
    for (std::ptrdiff_t known = least; value < known && !least.compare_exchange_weak(known, value);) {
    }
}

// Sorts by one digit of the rows; entries with equal digits stay in their order.
void sort_digit(const IndexedRow *from, IndexedRow *to, std::ptrdiff_t count, int shift) {
    std::ptrdiff_t next[DIGITS] = {};
    const auto digit = [=](const IndexedRow &entry) { return (entry.row >> shift) & (DIGITS - 1); };
    for (std::ptrdiff_t i = 0; i < count; ++i) ++next[digit(from[i])];
    std::ptrdiff_t sum = 0;
    for (std::ptrdiff_t &position : next) sum += std::exchange(position, sum);
    for (std::ptrdiff_t i = 0; i < count; ++i) to[next[digit(from[i])]++] = from[i];
}

}  // namespace

std::ptrdiff_t RowGroups::build(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows) {
    given_.resize(static_cast<std::size_t>(count));
    bool ascending = false;
    const std::ptrdiff_t wrong = itemsize == 4
                                     ? copy(static_cast<const std::int32_t *>(indices), count, rows, ascending)
                                     : copy(static_cast<const std::int64_t *>(indices), count, rows, ascending);
    if (wrong != count) return wrong;
    if (ascending)
        entries_.swap(given_);
    else
        sort(rows);
    return count;
}

// Copies the indices; returns the first position whose index is not in [0, rows), or `count`.
template <class Index>
std::ptrdiff_t RowGroups::copy(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows, bool &ascending) {
    const Chunks chunks(count);
    std::atomic<std::ptrdiff_t> wrong{count};
    std::atomic<bool> ascends{true};
    parallel_for(chunks.number, count, [&](int, std::ptrdiff_t first, std::ptrdiff_t last) {
        const std::ptrdiff_t begin = chunks.start(first), end = chunks.start(last);
        bool all_right = true, all_ascend = true;
        std::int64_t before = INT64_MIN;
        for (std::ptrdiff_t i = begin; i < end; ++i) {
            const std::int64_t row = indices[i];
            given_[i] = {row, i};
            all_right &= static_cast<std::uint64_t>(row) < static_cast<std::uint64_t>(rows);
            all_ascend &= before <= row;
            before = row;
        }
        if (!all_ascend) ascends = false;
        if (all_right) return;
        const auto is_wrong = [=](const IndexedRow &entry) { return entry.row < 0 || entry.row >= rows; };
        lower(wrong, std::find_if(given_.begin() + begin, given_.begin() + end, is_wrong) - given_.begin());
    });
    ascending = ascends;
    for (std::ptrdiff_t c = 1; c < chunks.number; ++c)
        ascending &= given_[chunks.start(c) - 1].row <= given_[chunks.start(c)].row;
    return wrong;
}

void RowGroups::sort(std::ptrdiff_t rows) {
    const auto count = static_cast<std::ptrdiff_t>(given_.size());
    const Chunks chunks(count);
    const int bits = bit_width(std::min(MAX_BUCKETS, count / BUCKET_SIZE)),
              shift = std::max(0, bit_width(rows - 1) - bits);
    const std::ptrdiff_t buckets = ((rows - 1) >> shift) + 1;

    next_.assign(static_cast<std::size_t>(chunks.number * buckets), 0);
    const auto each_of = [&](std::ptrdiff_t begin, std::ptrdiff_t end, auto body) {
        for (std::ptrdiff_t c = begin; c < end; ++c)
            for (std::ptrdiff_t i = chunks.start(c); i < chunks.start(c + 1); ++i)
                body(given_[i], next_[c * buckets + (given_[i].row >> shift)]);
    };
    parallel_for(chunks.number, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [](const IndexedRow &, std::ptrdiff_t &counter) { ++counter; });
    });
    starts_.assign(1, 0);
    std::ptrdiff_t sum = 0;
    for (std::ptrdiff_t bucket = 0; bucket < buckets; ++bucket) {
        for (std::ptrdiff_t c = 0; c < chunks.number; ++c) sum += std::exchange(next_[c * buckets + bucket], sum);
        starts_.push_back(sum);
    }
    entries_.resize(static_cast<std::size_t>(count));
    parallel_for(chunks.number, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [&](const IndexedRow &entry, std::ptrdiff_t &next) { entries_[next++] = entry; });
    });
    if (shift == 0) return;  // each bucket is one row
    parallel_for(buckets, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t bucket = begin; bucket < end; ++bucket)
            sort_bucket(starts_[bucket], starts_[bucket + 1], shift);
    });
}

// Sorts the entries of a bucket, which come in the order given, by so many bits of their rows.
void RowGroups::sort_bucket(std::ptrdiff_t begin, std::ptrdiff_t end, int bits) {
    IndexedRow *const first = entries_.data() + begin, *const last = entries_.data() + end;
    if (std::is_sorted(first, last, comes_first)) return;
    if (end - begin < COUNT_FROM) return std::sort(first, last, comes_first);
    IndexedRow *from = first, *to = given_.data() + begin;  // no longer needed in the order given
    for (int shift = 0; shift < bits; shift += DIGIT_BITS) {
        sort_digit(from, to, end - begin, shift);
        std::swap(from, to);
    }
    if (from != first) std::copy(from, from + (end - begin), first);
}

}  // namespace adagrad
