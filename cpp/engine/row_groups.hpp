// The rows of a sparse gradient, ordered so that equal rows lie together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/progress.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// The number in `number` or `~number`.
inline std::int64_t number_of(std::int64_t row) { return row < 0 ? ~row : row; }

class RowGroups {
  public:
    // Fewer indices are sorted by comparison.
    static constexpr std::ptrdiff_t COUNT_FROM = 512;

    // Refers to `count` indices of 4 or 8 bytes into a table of `rows` rows: they must stay until copy() has read them.
    void set_indices(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows);

    // Copies the indices, and allocates what sort() needs. Returns the first position whose index is not in [0, rows),
    // or count().
    std::ptrdiff_t copy();
    std::int64_t copied(std::ptrdiff_t position) const { return given_[position].row; }  // until sort()

    // Sorts them by row, and equal rows in the order given. The result does not depend on the number of threads.
    void sort() noexcept;

    // In place of sort(), where rows repeat often. number() numbers them as they come for the first time: in given(),
    // the number takes the place of the row, and ~number where the row comes for the first time. `progress` tells
    // another thread how many indices have numbers. number() fails where rows repeat seldom, or where there are more
    // than `most` different ones; `most` is at most half of count(). merge() then writes the rows to given() again, and
    // returns false. Otherwise it leaves one entry for each row, with ~number as its source, sorted by row if `sorts`,
    // otherwise by number. reserve_merge() allocates what they need.
    void reserve_merge();
    void number(std::ptrdiff_t most, Progress &progress) noexcept;
    bool merge(const Progress &progress, bool sorts) noexcept;
    IndexedRow *given() { return given_.get(); }

    // In place of sort(), where few rows are equal: leaves those that come once in the order given, and the others,
    // sorted, after them. Otherwise returns false. reserve_separate() allocates what it needs, if that pays for rows of
    // `row_bytes` bytes.
    void reserve_separate(std::ptrdiff_t row_bytes);
    bool separate() noexcept;

    std::ptrdiff_t count() const { return count_; }
    std::ptrdiff_t rows() const { return rows_; }         // of the table
    bool is_ascending() const { return range_.ascends; }  // as given
    bool has_one_row() const { return count_ > 0 && range_.least == range_.greatest; }

    // Sorted, unless merge() or separate() has left that out. FrequentRows merges entries.
    const IndexedRow *begin() const { return sorted_; }
    const IndexedRow *end() const { return sorted_ + size_; }
    IndexedRow *begin() { return sorted_; }
    std::ptrdiff_t size() const { return size_; }
    void shrink(std::ptrdiff_t size) { size_ = size; }
    // Memory for `count` entries, free after sort().
    IndexedRow *spare() { return sorted_ == given_.get() ? entries_.get() : given_.get(); }

    // Calls body(first, last) for the entries of each row that begins in [first, stop).
    template <class Body> void for_each_row(const IndexedRow *first, const IndexedRow *stop, Body body) const {
        while (first < stop) {
            const IndexedRow *last = first + 1;
            while (last != end() && last->row == first->row) ++last;
            body(first, last);
            first = last;
        }
    }

  private:
    struct Range {
        std::int64_t least = INT64_MAX, greatest = INT64_MIN;
        bool ascends = true;
    };
    template <class Index> Range copy_part(std::ptrdiff_t begin, std::ptrdiff_t end);
    void copy_all();
    void reserve();
    IndexedRow *sort(IndexedRow *entries, IndexedRow *spare, std::ptrdiff_t size);
    void sort_digit(const IndexedRow *entries, IndexedRow *sorted, std::ptrdiff_t size, int shift, int bits);

    const void *indices_ = nullptr;
    std::size_t itemsize_ = 0;
    std::ptrdiff_t rows_ = 0;
    std::ptrdiff_t capacity_ = 0;  // of the next two, which are not filled where they are allocated
    std::unique_ptr<IndexedRow[]> entries_;
    std::unique_ptr<IndexedRow[]> given_;  // in the order given: a copy, as other threads may write to the indices
    IndexedRow *sorted_ = nullptr;         // in one of them
    std::vector<std::int32_t> table_;      // of numbers of rows
    std::vector<std::uint64_t> words_;     // of a bit for each row of the table
    std::vector<std::ptrdiff_t> next_;     // for each chunk of indices and digit, the position of the next entry
    std::ptrdiff_t count_ = 0, size_ = 0;
    Range range_;
};

}  // namespace adagrad
