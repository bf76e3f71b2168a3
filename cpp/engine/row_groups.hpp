// The places of a sparse gradient in order: by row, and among equal rows as they came.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace adagrad {

struct Place {
    std::int64_t row;
    std::int64_t position;  // among the rows of values
};

class Grouping {
  public:
    // Reads `count` indices of 4 or 8 bytes. Returns the first position whose index is not among [0, rows), or
    // `count`. Neither the result nor the buckets depend on threads.
    std::ptrdiff_t make(const void *indices, std::size_t itemsize, std::ptrdiff_t count, std::ptrdiff_t rows);

    // Equal rows lie in one bucket, lower rows in lower buckets.
    std::ptrdiff_t buckets() const { return static_cast<std::ptrdiff_t>(starts_.size()) - 1; }
    const Place *begin(std::ptrdiff_t bucket) const { return places_.data() + starts_[bucket]; }
    const Place *end(std::ptrdiff_t bucket) const { return begin(bucket + 1); }

    std::ptrdiff_t places() const { return static_cast<std::ptrdiff_t>(places_.size()); }
    bool has_one_row() const { return !places_.empty() && places_.front().row == places_.back().row; }

  private:
    template <class Index> std::ptrdiff_t place(const Index *indices, std::ptrdiff_t count, std::ptrdiff_t rows);

    std::vector<std::int64_t> rows_;  // a copy: somebody may write to the indices meanwhile
    std::vector<Place> places_;
    std::vector<std::ptrdiff_t> starts_ = {0};
    std::vector<std::ptrdiff_t> next_;  // for each chunk of indices, where its next place in each bucket is
};

}  // namespace adagrad
