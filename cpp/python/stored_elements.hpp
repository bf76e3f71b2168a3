// The flat indices, in C order, of the elements that a sparse array of SciPy stores.
#pragma once
#include <pybind11/pybind11.h>

namespace adagrad {

namespace py = pybind11;

// Of an array in coo format with `count` stored elements: `coords` has their indices along each axis.
// Returns None if the indices are not contiguous arrays of int32 or int64, lie in a mapped file or do not fit; so does
// the next function.
py::object coordinate_elements(const py::tuple &shape, const py::tuple &coords, py::ssize_t count);

// Of an array of `lines` rows (csr) or columns (csc) of the length `size`, with `count` stored elements.
py::object compressed_elements(const py::object &indptr, const py::object &indices, std::int64_t lines,
                               std::int64_t size, py::ssize_t count, bool by_column);

}  // namespace adagrad
