// How rules count steps, and what a rule may look at besides its options.
#pragma once

namespace adagrad {

enum class Counter { NONE, PER_PARAMETER_FLOAT32, SHARED_INT32, SHARED_INT64 };

struct Context {
    double steps;            // taken before this one
    bool is_sparse;          // the gradient
    bool is_single_element;  // it is sparse, and a single element rather than a row
};

}  // namespace adagrad
