#include "engine/row_groups.hpp"

#include <algorithm>
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

// Rows are sorted by `number` digits of `bits` bits each.
struct Digits {
    explicit Digits(std::int64_t greatest) {
        const int all = std::max(1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(greatest))));
        number = (all + MAX_DIGIT_BITS - 1) / MAX_DIGIT_BITS;
        bits = (all + number - 1) / number;
    }
    int number, bits;
};

}  // namespace

std::ptrdiff_t RowGroups::copy(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows) {
    count_ = size_ = count;
    given_.resize(static_cast<std::size_t>(count));
    entries_.resize(static_cast<std::size_t>(count));
    const std::ptrdiff_t position = itemsize == 4 ? copy(static_cast<const std::int32_t *>(indices), rows)
                                                  : copy(static_cast<const std::int64_t *>(indices), rows);
    if (position == count && !ascending_ && count >= COUNT_FROM)
        next_.resize(static_cast<std::size_t>(Chunks(count).number << Digits(greatest_).bits));
    return position;
}

template <class Index> std::ptrdiff_t RowGroups::copy(const Index *indices, std::ptrdiff_t rows) {
    std::int64_t least = INT64_MAX, greatest = INT64_MIN, before = INT64_MIN;
    bool ascends = true;
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
        const std::int64_t row = indices[i];
        given_[i] = {row, i};
        least = std::min(least, row);
        greatest = std::max(greatest, row);
        ascends &= before <= row;
        before = row;
    }
    least_ = least;
    greatest_ = greatest;
    ascending_ = ascends;
    if (count_ == 0 || (least >= 0 && greatest < rows)) return count_;
    const auto is_wrong = [=](const IndexedRow &entry) { return entry.row < 0 || entry.row >= rows; };
    return std::find_if(given_.begin(), given_.end(), is_wrong) - given_.begin();
}

// By one digit after the other, the lowest first.
void RowGroups::sort() noexcept {
    if (ascending_ || count_ < COUNT_FROM) {
        if (!ascending_) std::sort(given_.begin(), given_.end(), comes_first);
        return entries_.swap(given_);
    }
    const Digits digits(greatest_);
    for (int digit = 0; digit < digits.number; ++digit) {
        sort_digit(digit * digits.bits, digits.bits);
        entries_.swap(given_);
    }
    entries_.swap(given_);
}

// Entries with equal digits stay in their order.
void RowGroups::sort_digit(int shift, int bits) {
    const auto count = static_cast<std::ptrdiff_t>(given_.size());
    const Chunks chunks(count);
    const std::ptrdiff_t values = std::ptrdiff_t{1} << bits;
    std::fill(next_.begin(), next_.end(), 0);
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
