// `_core.fill`: new accumulators.
#pragma once
#include <pybind11/pybind11.h>

namespace adagrad::arrays {

// Sets every element of a new array to the one of `value`.
void fill(const pybind11::object &array, const pybind11::object &value);

}  // namespace adagrad::arrays
