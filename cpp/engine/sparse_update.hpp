// The update of a parameter of which the gradient touches some rows.
#pragma once
#include <numeric>
#include <vector>

#include "engine/row_groups.hpp"
#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// Parameter, accumulator and the gradient's values in C order; a row has `width` elements.
struct Rows {
    View param, state, values;
    std::ptrdiff_t width = 0;
    bool has_elements_alone = false;  // the gradient has no dense dimension
    Grouping grouping;
    const void *grouped = nullptr;  // the floor's indices: it has its grouping for free, from the step before
    const Kernels *kernels = nullptr;

    std::ptrdiff_t elements() const { return grouping.places() * width; }
    // torch adds a single element in another way than many, or than a row.
    bool is_lone() const { return has_elements_alone && grouping.has_one_row(); }

    // For each place the squares of its row of the gradient, equal rows summed first; 0 for all but the first of them.
    std::vector<double> square_sums;
    void clear_sums() { square_sums.assign(static_cast<std::size_t>(grouping.places()), 0); }
    double square_sum() const { return std::accumulate(square_sums.begin(), square_sums.end(), 0.0); }
    // Fills in those of a bucket.
    void sum_squares(std::ptrdiff_t bucket, const Scalars &scalars);
    // Moves the rows of a bucket; `centralizes` subtracts the mean of each row's gradient.
    void update(std::ptrdiff_t bucket, const Scalars &scalars, bool centralizes) const;
};

}  // namespace adagrad
