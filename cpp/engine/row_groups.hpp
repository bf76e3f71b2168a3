// The rows of a sparse gradient, ordered so that equal rows lie together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"

namespace adagrad {

class RowGroups {
  public:
    // Sorts `count` indices of 4 or 8 bytes: by row, and equal rows in the order given. Returns the first position
    // whose index is not in [0, rows), or `count`. The result does not depend on the number of threads.
    std::ptrdiff_t build(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows);

    const IndexedRow *begin() const { return entries_.data(); }
    const IndexedRow *end() const { return entries_.data() + entries_.size(); }
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(entries_.size()); }
    bool has_one_row() const { return !entries_.empty() && entries_.front().row == entries_.back().row; }

  private:
    template <class Index>
    std::ptrdiff_t copy(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows, bool &ascending);
    void sort(std::ptrdiff_t rows);
    void sort_digit(int shift, int bits);

    std::vector<IndexedRow> entries_;
    std::vector<IndexedRow> given_;  // in the order given: a copy, as another thread may write to the indices meanwhile
    std::vector<std::ptrdiff_t> next_;  // for each chunk of indices and digit, the position of the next entry
};

}  // namespace adagrad
