#include "engine/row_groups.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

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

// Rows are sorted by `number` digits of `bits` bits each. Rows that need sorting are not all 0.
struct Digits {
    explicit Digits(std::int64_t greatest) {
        const int all = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(greatest)));
        number = (all + MAX_DIGIT_BITS - 1) / MAX_DIGIT_BITS;
        bits = (all + number - 1) / number;
    }
    int number, bits;
};

}  // namespace

void RowGroups::set_indices(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows) {
    indices_ = indices;
    itemsize_ = itemsize;
    count_ = size_ = count;
    rows_ = rows;
}

std::ptrdiff_t RowGroups::copy() {
    reserve();
    copy_all();
    if (range_.least >= 0 && range_.greatest < rows_) {
        if (!range_.ascends && count_ >= COUNT_FROM)
            next_.resize(static_cast<std::size_t>(Chunks(count_).number << Digits(range_.greatest).bits));
        return count_;
    }
    const auto is_wrong = [this](const IndexedRow &entry) { return entry.row < 0 || entry.row >= rows_; };
    return std::find_if(given_.get(), given_.get() + count_, is_wrong) - given_.get();
}

void RowGroups::reserve() {
    if (count_ <= capacity_) return;
    entries_ = std::make_unique_for_overwrite<IndexedRow[]>(static_cast<std::size_t>(count_));
    given_ = std::make_unique_for_overwrite<IndexedRow[]>(static_cast<std::size_t>(count_));
    capacity_ = count_;
}

template <class Index> RowGroups::Range RowGroups::copy_part(std::ptrdiff_t begin, std::ptrdiff_t end) {
    const auto *const indices = static_cast<const Index *>(indices_);
    Range range;
    std::int64_t before = INT64_MIN;
    for (std::ptrdiff_t i = begin; i < end; ++i) {
        const std::int64_t row = indices[i];
        given_[i] = {row, i};
        range.least = std::min(range.least, row);
        range.greatest = std::max(range.greatest, row);
        range.ascends &= before <= row;
        before = row;
    }
    return range;
}

void RowGroups::copy_all() {
    const Chunks chunks(count_);
    Range ranges[MAX_CHUNKS_OF_INDICES];
    parallel_for(chunks.number, count_, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            const std::ptrdiff_t first = chunks.start(c), last = chunks.start(c + 1);
            ranges[c] = itemsize_ == 4 ? copy_part<std::int32_t>(first, last) : copy_part<std::int64_t>(first, last);
        }
    });
    range_ = {};
    for (std::ptrdiff_t c = 0; c < chunks.number; ++c) {
        const std::int64_t first = given_[chunks.start(c)].row;
        range_.ascends = range_.ascends && ranges[c].ascends && range_.greatest <= first;
        range_.least = std::min(range_.least, ranges[c].least);
        range_.greatest = std::max(range_.greatest, ranges[c].greatest);
    }
}

void RowGroups::sort() noexcept {
    sorted_ = range_.ascends ? given_.get() : sort(given_.get(), entries_.get(), count_);
}

// By one digit after the other, the lowest first. Returns where the sorted entries are.
IndexedRow *RowGroups::sort(IndexedRow *entries, IndexedRow *spare, std::ptrdiff_t size) {
    if (size < COUNT_FROM) {
        std::sort(entries, entries + size, comes_first);
        return entries;
    }
    const Digits digits(range_.greatest);
    for (int digit = 0; digit < digits.number; ++digit) {
        sort_digit(entries, spare, size, digit * digits.bits, digits.bits);
        std::swap(entries, spare);
    }
    return entries;
}

// Entries with equal digits stay in their order.
void RowGroups::sort_digit(const IndexedRow *entries, IndexedRow *sorted, std::ptrdiff_t size, int shift, int bits) {
    const Chunks chunks(size);
    const std::ptrdiff_t values = std::ptrdiff_t{1} << bits;
    std::fill_n(next_.begin(), chunks.number * values, 0);
    const auto for_each_entry = [&](std::ptrdiff_t begin, std::ptrdiff_t end, auto body) {
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            std::ptrdiff_t *const next = next_.data() + c * values;
            for (std::ptrdiff_t i = chunks.start(c); i < chunks.start(c + 1); ++i)
                body(entries[i], next[(entries[i].row >> shift) & (values - 1)]);
        }
    };
    parallel_for(chunks.number, size, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for_each_entry(begin, end, [](const IndexedRow &, std::ptrdiff_t &counter) { ++counter; });
    });
    std::ptrdiff_t sum = 0;
    for (std::ptrdiff_t value = 0; value < values; ++value)
        for (std::ptrdiff_t c = 0; c < chunks.number; ++c) sum += std::exchange(next_[c * values + value], sum);
    parallel_for(chunks.number, size, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for_each_entry(begin, end, [&](const IndexedRow &entry, std::ptrdiff_t &next) { sorted[next++] = entry; });
    });
}

}  // namespace adagrad
