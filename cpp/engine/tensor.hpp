// A parameter of a step with its accumulator and its gradient.
#pragma once
#include <cstddef>
#include <memory>

#include "engine/sparse_update.hpp"
#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

struct Tensor {
    const Kernels *kernels = nullptr;
    std::ptrdiff_t count = 0;
    StridedView param, state, grad;        // in the order of the update
    StridedView ordered_grad;              // in C order, in which sums are taken
    std::ptrdiff_t row_length = 0;         // of the rows whose mean the rule may take; 0 for none
    std::unique_ptr<SparseUpdate> sparse;  // the workspace of sparse gradients
    bool has_sparse_grad = false;          // the gradient is in `sparse`, otherwise in `grad`
    // Set for each step:
    std::size_t args = 0;
    std::ptrdiff_t mean_length = 0;  // row_length where the mean is taken, otherwise 0
    bool preprocesses = false;
    const double *means = nullptr;
};

}  // namespace adagrad
