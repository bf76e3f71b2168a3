#include "engine/row_groups.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

// Fewer indices are sorted by comparison.
constexpr std::ptrdiff_t COUNT_FROM = 512;
// Rows are sorted by at most this many of their bits at a time.
constexpr int MAX_DIGIT_BITS = 11;
// One thread counts this many indices at a time; there are few chunks, as each has a counter for each digit.
constexpr std::ptrdiff_t MIN_CHUNK_SIZE = 8192, MAX_CHUNKS_OF_INDICES = 64;

// Parts of the indices.
struct Chunks {
    explicit Chunks(std::ptrdiff_t count)
        : count(count), size(std::max(MIN_CHUNK_SIZE, (count + MAX_CHUNKS_OF_INDICES - 1) / MAX_CHUNKS_OF_INDICES)),
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

// Sorts `given_` into `entries_`: by one digit after the other, the lowest first.
void RowGroups::sort(std::ptrdiff_t rows) {
    if (given_.size() < COUNT_FROM) {
        std::sort(given_.begin(), given_.end(), comes_first);
        return entries_.swap(given_);
    }
    entries_.resize(given_.size());
    const int bits = bit_width(rows - 1), digits = (bits + MAX_DIGIT_BITS - 1) / MAX_DIGIT_BITS,
              digit_bits = (bits + digits - 1) / digits;
    for (int digit = 0; digit < digits; ++digit) {
        sort_digit(digit * digit_bits, digit_bits);
        entries_.swap(given_);
    }
    entries_.swap(given_);
}

// Entries with equal digits stay in their order.
void RowGroups::sort_digit(int shift, int bits) {
    const auto count = static_cast<std::ptrdiff_t>(given_.size());
    const Chunks chunks(count);
    const std::ptrdiff_t values = std::ptrdiff_t{1} << bits;
    next_.assign(static_cast<std::size_t>(chunks.number * values), 0);
    const auto each_of = [&](std::ptrdiff_t begin, std::ptrdiff_t end, auto body) {
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            std::ptrdiff_t *const next = next_.data() + c * values;
            for (std::ptrdiff_t i = chunks.start(c); i < chunks.start(c + 1); ++i)
                body(given_[i], next[(given_[i].row >> shift) & (values - 1)]);
        }
    };
    parallel_for(chunks.number, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [](const IndexedRow &, std::ptrdiff_t &counter) { ++counter; });
    });
    std::ptrdiff_t sum = 0;
    for (std::ptrdiff_t value = 0; value < values; ++value)
        for (std::ptrdiff_t c = 0; c < chunks.number; ++c) sum += std::exchange(next_[c * values + value], sum);
    parallel_for(chunks.number, count, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        each_of(begin, end, [&](const IndexedRow &entry, std::ptrdiff_t &next) { entries_[next++] = entry; });
    });
}

}  // namespace adagrad
