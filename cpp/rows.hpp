// The update of a parameter of which the gradient touches some rows.
#pragma once
#include "grouping.hpp"
#include "kernel.hpp"
#include "view.hpp"

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

    // The sum of the squares of the gradient in a bucket, equal rows summed first.
    double square_sum(std::ptrdiff_t bucket, const Scalars &scalars) const;
    // Moves the rows of a bucket; `centralizes` subtracts the mean of each row's gradient.
    void update(std::ptrdiff_t bucket, const Scalars &scalars, bool centralizes) const;
};

}  // namespace adagrad
