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

// Adds values to sums of rows of `row_bytes` bytes.
struct Adder {
    const StridedView &values;
    std::ptrdiff_t width;
    AddRows add_rows;
    const KernelArgs &args;

    void add(char *sums, std::ptrdiff_t row_bytes, const IndexedRow *first, const IndexedRow *last) const {
        add_rows(sums, row_bytes / values.itemsize, values.data, width, first, last, width, args);
    }
};

class FrequentRows {
  public:
    // Allocates what merge_all() and find() need for sums of `row_bytes` bytes, whose values at most `parts` threads
    // add. These two leave one entry of each such row in the groups: its source is negative, and stands for sum().
    void reserve(RowGroups &groups, std::ptrdiff_t row_bytes, int parts);
    // Takes all rows of groups that are not sorted, if they repeat often, and sorts them if `sorts`; otherwise returns
    // false. If it `adds` and there is one part, it adds the values too: a second thread does so meanwhile, if one is
    // free.
    bool merge_all(RowGroups &groups, bool sorts, bool adds, const Adder &adder) noexcept;
    // Finds such rows in groups where equal ones lie together.
    void find(RowGroups &groups) noexcept;
    void clear() { values_ = nullptr; }
    bool has_sums() const { return values_ != nullptr; }

    // The rows are divided into parts; each can be added by another thread. None is left if merge_all() has added them.
    std::ptrdiff_t parts() const { return has_sums() && !added_ ? static_cast<std::ptrdiff_t>(starts_.size()) : 0; }
    void add(std::ptrdiff_t part, const Adder &adder);

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

    void add_numbered(const Progress &progress, const Adder &adder);
    void choose(RowGroups &groups);
    void find_sums();
    void divide(std::ptrdiff_t rows);

    std::ptrdiff_t row_bytes_ = 1, most_ = 0;
    std::vector<Row> rows_;  // that find() has chosen, in order
    // For each value in the order given: the index of its row's sum, ~index for the row's first value, or NO_SUM.
    std::vector<std::int32_t> sum_index_;
    IndexedRow *values_ = nullptr;  // in the order given: such an index, and the source
    std::ptrdiff_t number_ = 0;     // of them
    bool added_ = false;            // by merge_all()
    // Of each row, by the index of its sum: how many values it has, and which part takes it.
    std::vector<std::ptrdiff_t> counts_;
    std::vector<std::int32_t> part_;
    std::vector<std::ptrdiff_t> starts_;  // of the parts in lists_, each of which has one value more
    std::vector<IndexedRow> lists_;
    std::vector<Line> sums_;
};

}  // namespace adagrad
