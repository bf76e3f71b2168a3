// The checks of sparse gradients, which numpy_adagrad.inputs.sparse unpacks into indices and values.
#include <atomic>

#include "engine/dispatch.hpp"
#include "python/mapped_arrays.hpp"
#include "python/plan.hpp"
#include "python/without_gil.hpp"

namespace adagrad {

using arrays::array_of, arrays::attribute_text;

namespace {

void check_indices(const py::handle &object, const arrays::Label &label) {
    PyArrayObject *const indices = array_of(object);
    const bool signed_integers = PyArray_ISSIGNED(indices) && PyArray_ITEMSIZE(indices) >= 4;
    if (!signed_integers) {
        const char *const cure = PyArray_ISBOOL(indices)      ? "; give the numbers of the rows, as np.flatnonzero does"
                                 : PyArray_ISINTEGER(indices) ? "; cast them with .astype(np.int64)"
                                                              : "";
        throw py::type_error(label.text() + ": expected int32 or int64, got " +
                             attribute_text(object.attr("dtype"), "name") + cure);
    }
    if (PyArray_NDIM(indices) != 1)
        throw py::value_error(label.text() + ": expected one dimension, got shape " + attribute_text(object, "shape"));
    arrays::check_memory(indices, label);
}

// The array itself, or a copy; of the base class, as a subclass would run its __array_finalize__.
py::object contiguous(PyArrayObject *array) {
    auto result = py::reinterpret_steal<py::object>(
        PyArray_FromArray(array, nullptr, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ENSUREARRAY));
    if (!result) throw py::error_already_set();
    return result;
}

// Single elements have no further dimension, rows have those of the parameter.
void check_values_shape(const py::handle &object, PyArrayObject *param, npy_intp count, bool elementwise,
                        const arrays::Label &label) {
    PyArrayObject *const values = array_of(object);
    const int inner = elementwise ? 0 : PyArray_NDIM(param) - 1;
    bool fits = PyArray_NDIM(values) == inner + 1 && PyArray_DIM(values, 0) == count;
    std::string wanted = "(" + std::to_string(count) + ",";
    for (int axis = 1; axis <= inner; ++axis) {
        wanted += (axis > 1 ? ", " : " ") + std::to_string(PyArray_DIM(param, axis));
        fits = fits && PyArray_DIM(values, axis) == PyArray_DIM(param, axis);
    }
    if (!fits)
        throw py::value_error(label.text() + ": expected shape " + wanted + "), got " +
                              attribute_text(object, "shape"));
}

// The indices and values of a sparse gradient and whether they are elements, not rows; an array of another library as
// one of NumPy; None for anything else.
py::object parts_of(const py::handle &grad, const py::object &param, const arrays::Label &label) {
    static std::atomic<PyObject *> row_sparse{nullptr}, others{nullptr};
    if (others == nullptr) {
        const auto module = py::module_::import("numpy_adagrad.inputs.sparse");
        row_sparse = py::object(module.attr("RowSparse")).release().ptr();
        others = py::object(module.attr("parts_of")).release().ptr();
    }
    if (reinterpret_cast<PyObject *>(Py_TYPE(grad.ptr())) == row_sparse)
        return py::make_tuple(grad.attr("indices"), grad.attr("values"), false);
    const std::string text = label.text();
    return unless_python_exits(
        [&]() -> py::object { return py::handle(others.load())(grad, param.attr("shape"), text); });
}

// The name of the values in messages; a SciPy array has its own for elements.
std::string values_part(const py::tuple &parts) { return parts[2].cast<bool>() ? ".data" : ".values"; }

}  // namespace

bool Plan::read_other_grads(const py::tuple &grads) {
    MappedArrays mapped;
    for (const std::size_t i : executor_.active) {
        const py::handle grad = PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(i));
        if (PyArray_Check(grad.ptr()) || PyArray_IsScalar(grad.ptr(), Generic)) continue;
        other_grads_.resize(entries_.size(), py::none());
        arrays::Label part = label(roles_.grad, i);
        const auto label_of_part = [&] { return part; };
        other_grads_[i] = parts_of(grad, entries_[i].param, part);
        mapped.add(other_grads_[i], label_of_part);  // passes over objects that are not arrays
        if (!PyTuple_Check(other_grads_[i].ptr())) continue;
        const py::tuple parts(other_grads_[i]);
        part.part = ".indices";
        mapped.add(parts[0], label_of_part);
        part.part = values_part(parts);
        mapped.add(parts[1], label_of_part);
    }
    mapped.check();
    return !other_grads_.empty();
}

void Plan::bind_sparse(std::size_t index, const py::tuple &parts) {
    Entry &entry = entries_[index];
    Tensor &tensor = executor_.tensors[index];
    PyArrayObject *const param = array_of(entry.param), *const state = array_of(entry.state);
    arrays::Label whole = label(roles_.grad, index), part = whole;
    if (PyArray_NDIM(param) == 0)
        throw py::value_error(whole.text() + ": expected an array, as the parameter has no rows");
    if (arrays::is_complex(arrays::dtype_of(param)))
        throw py::type_error(whole.text() + ": expected a dense array, as the parameter is complex");
    const bool elementwise = parts[2].cast<bool>();

    part.part = values_part(parts);
    PyArrayObject *const values = arrays::plain_array(parts[1], part);
    memory_.check_disjoint(values, part);  // first, as NumPy may run other code there
    const DtypeCombo combo = arrays::dtype_combo(param, state, values, part);
    arrays::check_memory(values, part);
    entry.values_seen = arrays::Snapshot(values);
    part.part = ".indices";
    PyArrayObject *const indices = arrays::plain_array(parts[0], part);
    memory_.check_disjoint(indices, part);
    check_indices(parts[0], part);
    part.part = values_part(parts);
    check_values_shape(parts[1], param, PyArray_SIZE(indices), elementwise, part);

    // Other code may run where NumPy copies them.
    const py::object own_indices = contiguous(indices);
    PyArrayObject *const own = array_of(own_indices);
    entry.indices_seen = arrays::Snapshot(own);
    other_grads_.resize(entries_.size(), py::none());
    other_grads_[index] = py::make_tuple(own_indices, parts[1], parts[2]);

    if (tensor.sparse == nullptr) tensor.sparse = std::make_unique<SparseUpdate>();
    SparseUpdate &sparse = *tensor.sparse;
    const npy_intp rows = elementwise ? PyArray_SIZE(param) : PyArray_DIM(param, 0);
    sparse.groups.set_indices(PyArray_DATA(own), static_cast<std::size_t>(PyArray_ITEMSIZE(own)), PyArray_SIZE(own),
                              rows);
    sparse.width = rows == 0 ? 1 : PyArray_SIZE(param) / rows;
    sparse.elementwise = elementwise || PyArray_NDIM(param) == 1;
    sparse.param = arrays::view_of(param, false);
    sparse.state = arrays::view_of(state, false);
    sparse.values = arrays::view_of(values, false);
    sparse.kernels = &isa().table->of[rule_.index][SPARSE][combo];
    tensor.has_sparse_grad = true;
    entry.grad_seen = {};
}

void Plan::raise_out_of_range(const IndexOutOfRange &found) const {
    arrays::Label indices = label(roles_.grad, found.tensor);
    indices.part = ".indices";
    const bool elementwise = py::tuple(other_grads_[found.tensor])[2].cast<bool>();
    throw py::index_error(indices.text() + ": expected " + (elementwise ? "elements" : "rows") + " in [0, " +
                          std::to_string(found.rows) + "), got " + std::to_string(found.index) + " at position " +
                          std::to_string(found.position));
}

void Plan::check_sparse_allowed() const {
    for (const std::size_t index : executor_.active) {
        const Tensor &tensor = executor_.tensors[index];
        if (!tensor.has_sparse_grad) continue;
        const Hyperparameters &group = group_options_.hyperparameters[group_options_.group_index[index]];
        if (group.sparse_error != nullptr) throw std::runtime_error(group.sparse_error);
        const bool has_rows = PyArray_NDIM(array_of(entries_[index].param)) > 1;
        if (group.takes_row_mean && tensor.row_length != 0 && has_rows && tensor.sparse->elementwise)
            throw py::value_error(label(roles_.grad, index).text() +
                                  ": expected whole rows, as their means are taken; convert it with "
                                  "RowSparse.from_scipy");
    }
}

}  // namespace adagrad
