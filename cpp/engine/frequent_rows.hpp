// The rows that repeat often in a sparse gradient, or all of its rows where many are equal. Their values are added in
// the order given, those of all such rows in one pass, so that memory is read in order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/row_groups.hpp"
#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

class FrequentRows {
  public:
    // Allocates what merge_all() and find() need for sums of `row_bytes` bytes, whose values at most `parts` threads
    // add. These two leave one entry of each such row in the groups: its source is negative, and stands for sum().
    void reserve(RowGroups &groups, std::ptrdiff_t row_bytes, int parts);
    // Takes all rows of groups that are not sorted, if they repeat often, and sorts them if `sorts`; otherwise returns
    // false.
    bool merge_all(RowGroups &groups, bool sorts) noexcept;
    // Finds such rows in groups where equal ones lie together.
    void find(RowGroups &groups) noexcept;
    void clear() { values_ = nullptr; }

    // The rows are divided into parts; each can be added by another thread.
    std::ptrdiff_t parts() const { return values_ == nullptr ? 0 : static_cast<std::ptrdiff_t>(starts_.size()); }
    void add(std::ptrdiff_t part, const StridedView &values, std::ptrdiff_t width, AddRows add_rows,
             const KernelArgs &args);

    const char *sums() const { return sums_.data()->bytes; }
    const char *sum(std::int64_t source) const { return sums() + ~source * row_bytes_; }

  private:
    struct Row {
        IndexedRow *first;     // of its entries, before they become one
        std::ptrdiff_t count;  // of these
    };
    struct alignas(CACHE_LINE) Line {
        char bytes[CACHE_LINE];
    };

    void choose(RowGroups &groups);
    void place();
    void divide(std::ptrdiff_t rows);

    std::ptrdiff_t row_bytes_ = 1, most_ = 0;
    std::vector<Row> rows_;  // that find() has chosen, in order
    // For each value in the order given: the place of its row in the sums, ~place for the row's first value, or
    // NOWHERE.
    std::vector<std::int32_t> place_;
    IndexedRow *values_ = nullptr;  // in the order given: such a place, and the source
    std::ptrdiff_t number_ = 0;     // of them
    // Of each row, by its place in the sums: how many values it has, and which part takes it.
    std::vector<std::ptrdiff_t> counts_;
    std::vector<std::int32_t> part_;
    std::vector<std::ptrdiff_t> starts_;  // of the parts in lists_, each of which has one value more
    std::vector<IndexedRow> lists_;
    std::vector<Line> sums_;
};

}  // namespace adagrad
