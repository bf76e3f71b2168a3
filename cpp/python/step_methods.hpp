// The methods of `_core.Plan` that take a step. Python calls them without pybind11, whose dispatch takes 0.1 us or
// more: the whole step of a small array takes less than 1 us.
#pragma once
#include <pybind11/pybind11.h>

namespace adagrad {

// Adds try_step, step and check_step to the class.
void add_step_methods(const pybind11::handle &plan_class);

}  // namespace adagrad
