// All checks of arrays except that of overlap: kind, dtype, byte order, alignment, writeability, shape. An error is one
// line with the argument, the expected value and the actual one. Also views of arrays, and snapshots of checked ones.
#pragma once
#include <pybind11/pybind11.h>

#define PY_ARRAY_UNIQUE_SYMBOL numpy_adagrad_array_api
#ifndef NUMPY_ADAGRAD_IMPORTS_ARRAY_API
#define NO_IMPORT_ARRAY
#endif
#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad::arrays {

namespace py = pybind11;

enum class Dtype { F16, BF16, F32, F64, C64, C128, OTHER };

// The name of an array in messages: "grads[3] ('b2')".
struct Label {
    std::string role;
    Py_ssize_t index = -1;            // negative for an argument that is a single array
    const py::list *names = nullptr;  // of the parameters, which may have none; null without an index
    Py_ssize_t first_name = 0;        // the index to which the first name belongs
    std::string part = {};            // for example ".indices"
    std::string_view library = {};    // of tensors, which are cast in another way than arrays
    bool is_foreign = false;          // read from an array of another library, which may have no `astype`
    std::string text() const;
};

inline PyArrayObject *array_of(const py::handle &object) { return reinterpret_cast<PyArrayObject *>(object.ptr()); }

Dtype dtype_of(PyArrayObject *array);
// The type number of ml_dtypes.bfloat16, which exists once ml_dtypes is imported; otherwise -1.
int bfloat16_number();
bool is_complex(Dtype dtype);
// An attribute of an array or a dtype, as messages show it.
inline std::string attribute_text(const py::handle &object, const char *name) { return py::str(object.attr(name)); }

// Returns an array of any dtype without a mask; otherwise throws TypeError.
PyArrayObject *plain_array(py::handle object, const Label &label);
// Throws ValueError for foreign byte order and misaligned elements.
void check_memory(PyArrayObject *array, const Label &label);
// Returns a native, aligned array of a supported dtype; otherwise throws TypeError or ValueError.
PyArrayObject *checked_array(py::handle object, const Label &label, bool takes_complex = true);
void check_writeable(PyArrayObject *array, const Label &label);
void check_shape(PyArrayObject *array, PyArrayObject *like, const Label &label);
// One element for each row of `like`.
void check_row_shape(PyArrayObject *array, PyArrayObject *like, const Label &label);

// Returns the element types of the arrays; without a kernel for them, throws TypeError that names the cast that helps.
DtypeCombo dtype_combo(PyArrayObject *param, PyArrayObject *state, const Label &state_label);
DtypeCombo dtype_combo(PyArrayObject *param, PyArrayObject *state, PyArrayObject *grad, const Label &grad_label);

// In C order, or in Fortran order if `reversed`; complex elements become pairs of reals.
StridedView view_of(PyArrayObject *array, bool reversed);

// The `mmap.mmap` that the elements of an array lie in, found through any chain of views; None for other memory, and
// for objects that are not arrays.
py::object mapping_of(const py::object &array);

// All that the checks of an array read: while it is the same, the array needs no check.
class Snapshot {
  public:
    Snapshot() = default;  // matches no array
    explicit Snapshot(PyArrayObject *array);
    bool matches(PyArrayObject *array) const { return PyArray_DATA(array) == data_ && matches_layout(array); }
    // Everything but the address.
    bool matches_layout(PyArrayObject *array) const {
        if (reinterpret_cast<PyObject *>(PyArray_DESCR(array)) != descr_.ptr() || PyArray_FLAGS(array) != flags_ ||
            PyArray_NDIM(array) != ndim_)
            return false;
        for (int i = 0; i < ndim_; ++i)
            if (PyArray_DIM(array, i) != layout_[i] || PyArray_STRIDE(array, i) != layout_[ndim_ + i]) return false;
        return true;
    }
    void set_address(PyArrayObject *array) { data_ = PyArray_DATA(array); }
    void forget_address() { data_ = nullptr; }

  private:
    const void *data_ = nullptr;
    py::object descr_;  // kept alive, so that no other dtype gets its address
    int flags_ = 0, ndim_ = 0;
    std::vector<npy_intp> layout_;  // dimensions, then strides
};

}  // namespace adagrad::arrays
