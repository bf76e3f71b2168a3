// Write several results at once.
#pragma once
#include <pybind11/pybind11.h>

namespace adagrad {

namespace py = pybind11;

// Takes (target, value) pairs: an array is filled with an array of its shape and dtype, a dict is updated with a dict,
// a list is extended by a list. All pairs are checked before the first is written. No bytecode runs between two writes,
// so that neither Ctrl-C nor a destructor can fall between them.
void commit(const py::list &pairs);

}  // namespace adagrad
