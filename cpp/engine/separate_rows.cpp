// Equal rows found without sorting, where few are equal.
#include <algorithm>
#include <cstdint>

#include "engine/row_groups.hpp"

namespace adagrad {
namespace {

// Neighbours share cache lines where there are more indices than lines in the table, or rows have fewer bytes. Sorted,
// they use a line together.
constexpr std::ptrdiff_t MIN_ROW_BYTES = 16;
// The bits of more rows of the table for each index would take more memory than the indices.
constexpr std::ptrdiff_t MAX_ROWS = 64;

// A set of rows, with a bit for each row of the table.
class RowSet {
  public:
    explicit RowSet(std::vector<std::uint64_t> &words) : words_(words) { std::fill(words.begin(), words.end(), 0); }
    bool has(std::int64_t row) const { return (word(row) >> (row & 63) & 1) != 0; }
    void add(std::int64_t row) { word(row) |= std::uint64_t{1} << (row & 63); }

  private:
    std::uint64_t &word(std::int64_t row) const { return words_[static_cast<std::size_t>(row >> 6)]; }

    std::vector<std::uint64_t> &words_;
};

bool repeat_seldom(std::ptrdiff_t repeated, std::ptrdiff_t indices) { return repeated * 4 <= indices; }

}  // namespace

void RowGroups::reserve_separate(std::ptrdiff_t row_bytes) {
    const bool has_neighbours = row_bytes < MIN_ROW_BYTES || count_ * CACHE_LINE > rows_ * row_bytes;
    const bool may_pay = count_ >= COUNT_FROM && rows_ <= MAX_ROWS * count_ && !has_neighbours;
    words_.resize(may_pay ? static_cast<std::size_t>(rows_ / 64 + 1) : 0);
}

// Whether an index repeats a row cannot be predicted, so that no branch depends on it.
bool RowGroups::separate() noexcept {
    if (words_.empty()) return false;
    IndexedRow *const entries = entries_.get();
    std::ptrdiff_t repeated = 0;
    RowSet seen(words_);
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
        entries[repeated] = given_[i];
        repeated += seen.has(given_[i].row);
        seen.add(given_[i].row);
    }
    if (!repeat_seldom(repeated, count_)) return false;
    RowSet again(words_);
    for (std::ptrdiff_t k = 0; k < repeated; ++k) again.add(entries[k].row);
    std::ptrdiff_t once = 0, several = 0;
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
        const IndexedRow entry = given_[i];
        const bool comes_again = again.has(entry.row);
        entries[once] = entry;
        given_[several] = entry;
        once += !comes_again;
        several += comes_again;
    }
    const IndexedRow *const sorted = sort(given_.get(), given_.get() + several, several);
    std::copy(sorted, sorted + several, entries + once);
    sorted_ = entries;
    return true;
}

}  // namespace adagrad
