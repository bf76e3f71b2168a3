// The rows of a sparse gradient, ordered so that equal rows lie together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace adagrad {

struct IndexedRow {
    std::int64_t row;     // of the parameter
    std::int64_t source;  // of the gradient's values
};

class RowGroups {
  public:
    // Sorts `count` indices of 4 or 8 bytes: by row, and equal rows in the order given. Returns the first position
    // whose index is not in [0, rows), or `count`. Neither the result nor the buckets depend on the number of threads.
    std::ptrdiff_t build(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows);

    // Equal rows lie in one bucket, lower rows in lower buckets.
    std::ptrdiff_t buckets() const { return static_cast<std::ptrdiff_t>(starts_.size()) - 1; }
    const IndexedRow *begin(std::ptrdiff_t bucket) const { return entries_.data() + starts_[bucket]; }
    const IndexedRow *end(std::ptrdiff_t bucket) const { return begin(bucket + 1); }

    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(entries_.size()); }
    bool has_one_row() const { return !entries_.empty() && entries_.front().row == entries_.back().row; }

  private:
    template <class Index> std::ptrdiff_t sort(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows);

    std::vector<std::int64_t> rows_;  // a copy: another thread may write to the indices meanwhile
    std::vector<IndexedRow> entries_;
    std::vector<std::ptrdiff_t> starts_ = {0};
    std::vector<std::ptrdiff_t> next_;  // for each chunk of indices, the position of its next entry in each bucket
};

}  // namespace adagrad
