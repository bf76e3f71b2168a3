// How rules count steps, and what a rule may look at besides its options.
#pragma once

namespace adagrad {

enum class Counter { NONE, PER_PARAMETER_FLOAT32, SHARED_INT32, SHARED_INT64 };

struct Context {
    double steps;         // taken before this one
    bool single_element;  // the gradient is sparse, and a single element rather than a row
};

}  // namespace adagrad
