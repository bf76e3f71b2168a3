// The rows of a sparse gradient, ordered so that equal rows lie together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"

namespace adagrad {

class RowGroups {
  public:
    // Copies `count` indices of 4 or 8 bytes, and allocates the memory that sort() needs. Returns the first position
    // whose index is not in [0, rows), or `count`.
    std::ptrdiff_t copy(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows);

    // Sorts them by row, and equal rows in the order given. The result does not depend on the number of threads.
    void sort() noexcept;

    std::ptrdiff_t count() const { return count_; }
    bool is_ascending() const { return ascending_; }  // as given
    bool has_one_row() const { return count_ > 0 && least_ == greatest_; }

    // Sorted. FrequentRows merges entries.
    const IndexedRow *begin() const { return entries_.data(); }
    const IndexedRow *end() const { return entries_.data() + size_; }
    IndexedRow *begin() { return entries_.data(); }
    std::ptrdiff_t size() const { return size_; }
    void shrink(std::ptrdiff_t size) { size_ = size; }
    IndexedRow *spare() { return given_.data(); }  // memory for `count` entries, free after sort()

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
    template <class Index> std::ptrdiff_t copy(const Index *indices, std::ptrdiff_t rows);
    void sort_digit(int shift, int bits);

    std::vector<IndexedRow> entries_;
    std::vector<IndexedRow> given_;  // in the order given: a copy, as another thread may write to the indices meanwhile
    std::vector<std::ptrdiff_t> next_;  // for each chunk of indices and digit, the position of the next entry
    std::ptrdiff_t count_ = 0, size_ = 0;
    std::int64_t least_ = 0, greatest_ = 0;  // of the rows
    bool ascending_ = false;
};

}  // namespace adagrad
