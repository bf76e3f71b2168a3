// The update of a parameter whose gradient covers all of it.
#pragma once
#include "engine/block_buffer.hpp"
#include "engine/tensor.hpp"

namespace adagrad {

// The sum of squares of the gradient over the block with this number, of SUM_BLOCK elements.
double square_sum(const Tensor &tensor, std::ptrdiff_t block, const KernelArgs &args, Scratch *scratch);

// The mean of the rule's row_term over a row.
double row_mean(const Tensor &tensor, std::ptrdiff_t row, const KernelArgs &args, Scratch *scratch);

// Updates the elements [begin, end), where both ends are moved down to a cache line of the parameter.
void update_dense(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args,
                  Scratch *scratch);

}  // namespace adagrad
