// The rows that come often in a sparse gradient, or all of its rows where many are equal. Their values are added in the
// order given, those of all such rows in one pass, so that memory is read in order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/row_groups.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

class FrequentRows {
  public:
    // Allocates what find() needs for `count` rows of `row_bytes` bytes, whose values at most `parts` threads add.
    void reserve(std::ptrdiff_t count, std::ptrdiff_t row_bytes, int parts);

    // Finds such rows in sorted groups, and leaves one entry of each there: its source is negative and stands for
    // sum().
    void find(RowGroups &groups) noexcept;
    void clear() { rows_.clear(); }

    // The rows are divided into parts; each can be added by another thread.
    std::ptrdiff_t parts() const { return rows_.empty() ? 0 : static_cast<std::ptrdiff_t>(ends_.size()); }
    void add(std::ptrdiff_t part, const char *values, std::ptrdiff_t width, AddRows add_rows, const KernelArgs &args);

    const char *sum(std::int64_t source) const { return sums_.data()->bytes + ~source * row_bytes_; }

  private:
    struct Row {
        IndexedRow *first;     // of its entries, before they become one
        std::ptrdiff_t count;  // of these
    };
    struct alignas(64) Line {
        char bytes[64];
    };

    void choose(RowGroups &groups);
    void divide();
    void list(RowGroups &groups);

    std::ptrdiff_t row_bytes_ = 1, most_ = 0;
    std::vector<Row> rows_;           // in order
    std::vector<std::int32_t> part_;  // of each row
    // For each value in the order given: the place of its row in rows_, ~place for the row's first value, or NOWHERE.
    std::vector<std::int32_t> place_;
    IndexedRow *values_ = nullptr;      // part after part, each in the order given: such a place, and the source
    std::vector<std::ptrdiff_t> ends_;  // of the parts
    std::vector<Line> sums_;
};

}  // namespace adagrad
