// The checks of arrays, all of them: kind, dtype, byte order, alignment, writeability, shape, overlap.
// A refusal is one line that names the argument, what was expected and what came.
#pragma once
#include <pybind11/pybind11.h>

#define PY_ARRAY_UNIQUE_SYMBOL numpy_adagrad_array_api
#ifndef NUMPY_ADAGRAD_IMPORTS_ARRAY_API
#define NO_IMPORT_ARRAY
#endif
#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>

#include <string>
#include <vector>

#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad::arrays {

namespace py = pybind11;

enum class Dtype { F16, BF16, F32, F64, C64, C128, OTHER };

// How messages call an array: "grads[3] ('b2')".
struct Label {
    std::string role;
    Py_ssize_t index;        // negative for an argument that is one array
    const py::tuple *names;  // of the parameters; empty when they have none
    std::string part = {};   // of it: ".indices"
    std::string text() const;
};

inline PyArrayObject *array_of(const py::handle &object) { return reinterpret_cast<PyArrayObject *>(object.ptr()); }

Dtype dtype_of(PyArrayObject *array);
bool is_complex(Dtype dtype);

// An array of any dtype, without a mask; else TypeError.
PyArrayObject *plain_array(py::handle object, const Label &label);
// Refuses foreign byte order and misaligned elements.
void check_memory(PyArrayObject *array, const Label &label);
// An array of a dtype that we compute with, native, aligned; else TypeError or ValueError.
PyArrayObject *checked(py::handle object, const Label &label);
void check_writeable(PyArrayObject *array, const Label &label);
void check_shape(PyArrayObject *array, PyArrayObject *like, const Label &label);

// The element types of a triple; TypeError with the cast that would help when we have no kernel for them.
Types types_of(PyArrayObject *param, PyArrayObject *state, const Label &state_label);
Types types_of(PyArrayObject *param, PyArrayObject *state, PyArrayObject *grad, const Label &grad_label);

// In C order, or in Fortran order when `reversed`; complex elements are pairs of reals.
View view_of(PyArrayObject *array, bool reversed);

// Sets every element of a new array to the one of `value`.
void fill(py::handle array, py::handle value);

// All that the checks of an array look at: while it holds, they need not be made again.
class Snapshot {
  public:
    Snapshot() = default;  // holds for no array
    explicit Snapshot(PyArrayObject *array);
    bool holds(PyArrayObject *array) const { return PyArray_DATA(array) == data_ && is_like(array); }
    // Whether all but the address is as it was.
    bool is_like(PyArrayObject *array) const;
    void move_to(PyArrayObject *array) { data_ = PyArray_DATA(array); }

  private:
    const void *data_ = nullptr;
    py::object descr_;  // kept alive, so that no other one can come to its address
    int flags_ = 0;
    std::vector<npy_intp> layout_;
};

// The memory that a step writes.
class Territory {
  public:
    // Refuses an array that overlaps itself or one that stands before it.
    void claim(const std::vector<std::pair<PyArrayObject *, Label>> &arrays);
    void check_apart(PyArrayObject *grad, const Label &label) const;

  private:
    struct Claim {
        const char *low, *high, *reach;  // reach: the highest end among the claims up to this one
        PyArrayObject *array;
        Label label;
        std::size_t place;  // among the arrays that were given
    };
    std::vector<Claim> claims_;       // by their low ends
    std::vector<const char *> lows_;  // these alone, close together for a search
};

}  // namespace adagrad::arrays
