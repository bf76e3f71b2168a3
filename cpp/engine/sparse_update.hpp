// The update of a parameter whose gradient covers some rows only.
#pragma once
#include <numeric>
#include <vector>

#include "engine/block_buffer.hpp"
#include "engine/frequent_rows.hpp"
#include "engine/row_groups.hpp"
#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// Rows of at most MAX_NARROW elements are updated together.
constexpr std::ptrdiff_t MAX_NARROW = 16;

struct SparseUpdate {
    // In C order. A row has `width` elements; the accumulator has as many, or one for each row.
    StridedView param, state, values;
    std::ptrdiff_t width = 0;
    bool elementwise = false;  // the gradient has no dense dimension
    RowGroups groups;
    FrequentRows frequent;
    const Kernels *kernels = nullptr;

    std::ptrdiff_t elements() const { return groups.count() * width; }
    bool is_single_element() const { return elementwise && groups.has_one_row(); }

    // Brings equal rows together. Different rows are sorted if `sorts`; where they are not needed in order, that may be
    // left out. If `adds`, it may add the frequent rows itself; add_frequent() adds the parts that are left. reserve()
    // allocates what order() needs.
    void reserve(int threads);
    void order(bool sorts, bool adds, const KernelArgs &args) noexcept;
    // Adds a part of the frequent rows.
    void add_frequent(std::ptrdiff_t part, const KernelArgs &args) { frequent.add(part, adder(args)); }

    // For each entry the sum of squares of its row of the gradient, where equal rows are added first; the sum stands at
    // the first of equal rows, and 0 at the others.
    std::vector<double> square_sums;
    void clear_square_sums() { square_sums.assign(static_cast<std::size_t>(groups.size()), 0); }
    double total_square_sum() const { return std::accumulate(square_sums.begin(), square_sums.end(), 0.0); }

    // These two take the rows whose first entry is among the entries [begin, end) of `groups`.
    //
    // Fills in their square sums.
    void sum_squares(std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args, Scratch *scratch);
    // Updates them. `takes_mean` computes KernelArgs::row_mean for each row.
    void update(std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args, bool takes_mean, bool preprocesses,
                Scratch *scratch) const;

  private:
    Adder adder(const KernelArgs &args) const { return {values, width, kernels->add_rows, args}; }
    void update_row(const IndexedRow *first, const IndexedRow *last, Update update, KernelArgs &args, bool takes_mean,
                    Scratch *scratch) const;
    template <std::size_t BYTES>
    void update_narrow(const IndexedRow *first, const IndexedRow *last, Update update, const KernelArgs &args,
                       Scratch *scratch) const;
    void update_narrow(const IndexedRow *first, const IndexedRow *last, Update update, const KernelArgs &args,
                       Scratch *scratch) const;

    bool may_avoid_sort_ = false;
};

}  // namespace adagrad
