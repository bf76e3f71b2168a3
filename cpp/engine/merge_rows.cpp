// Equal rows found without sorting, where rows repeat often.
#include <algorithm>
#include <bit>

#include "engine/row_groups.hpp"

namespace adagrad {
namespace {

constexpr std::int32_t EMPTY = -1;
// Rows that seldom repeat are better sorted at once. This is decided after max(MIN_TRIAL, count / TRIALS) indices.
constexpr std::ptrdiff_t MIN_TRIAL = 256, TRIALS = 64;
// The number of indices between two reports.
constexpr std::ptrdiff_t REPORTED = 1024;

bool repeat_often(std::ptrdiff_t rows, std::ptrdiff_t indices) { return rows * 4 <= indices * 3; }

}  // namespace

// At most half of the slots are taken.
void RowGroups::reserve_merge() { table_.resize(std::bit_ceil(static_cast<std::size_t>(count_))); }

// With a table of hashes and linear probing.
void RowGroups::number(std::ptrdiff_t most, Progress &progress) noexcept {
    constexpr std::uint64_t GOLDEN_RATIO = 0x9E3779B97F4A7C15;  // of 2^64: its multiples are spread evenly
    const std::size_t mask = table_.size() - 1;
    const int shift = 64 - std::bit_width(mask);
    const std::ptrdiff_t trial = std::max(MIN_TRIAL, count_ / TRIALS);
    std::fill(table_.begin(), table_.end(), EMPTY);
    IndexedRow *const rows = entries_.get();
    std::int32_t number = 0;  // of rows
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
        if (i % REPORTED == 0) progress.report(i);
        const std::int64_t row = given_[i].row;
        std::size_t slot = static_cast<std::uint64_t>(row) * GOLDEN_RATIO >> shift;
        while (table_[slot] != EMPTY && rows[table_[slot]].row != row) slot = (slot + 1) & mask;
        if (table_[slot] != EMPTY) {
            given_[i].row = table_[slot];
            continue;
        }
        if (number == most || (i >= trial && !repeat_often(number, i))) {
            size_ = i;
            return progress.fail();
        }
        rows[number] = {row, ~static_cast<std::int64_t>(number)};
        given_[i].row = rows[number].source;
        table_[slot] = number++;
    }
    size_ = number;
    progress.report(count_);
}

bool RowGroups::merge(const Progress &progress, bool sorts) noexcept {
    IndexedRow *const rows = entries_.get();
    if (progress.has_failed()) {
        // `size_` entries have numbers in place of their rows.
        for (std::ptrdiff_t i = 0; i < size_; ++i) given_[i].row = rows[number_of(given_[i].row)].row;
        size_ = count_;
        return false;
    }
    sorted_ = sorts ? sort(rows, rows + size_, size_) : rows;
    return true;
}

}  // namespace adagrad
