// The checks of sparse gradients, which numpy_adagrad.inputs.sparse has taken apart into indices and values.
#include "engine/dispatch.hpp"
#include "python/plan.hpp"

namespace adagrad {

using arrays::array_of;

namespace {

std::string shape_text(const py::handle &array) { return py::str(array.attr("shape")); }

PyArrayObject *checked_indices(const py::handle &object, const arrays::Label &label) {
    PyArrayObject *const indices = arrays::plain_array(object, label);
    const bool signed_integers = PyArray_ISSIGNED(indices) && PyArray_ITEMSIZE(indices) >= 4;
    if (!signed_integers)
        throw py::type_error(label.text() + ": expected int32 or int64, got " +
                             std::string(py::str(object.attr("dtype").attr("name"))));
    if (PyArray_NDIM(indices) != 1)
        throw py::value_error(label.text() + ": expected one dimension, got shape " + shape_text(object));
    arrays::check_memory(indices, label);
    return indices;
}

// Elements alone have one dimension, rows have those of the parameter.
void check_values_shape(const py::handle &object, PyArrayObject *param, npy_intp count, bool elements,
                        const arrays::Label &label) {
    PyArrayObject *const values = array_of(object);
    const int inner = elements ? 0 : PyArray_NDIM(param) - 1;
    bool fits = PyArray_NDIM(values) == inner + 1 && PyArray_DIM(values, 0) == count;
    std::string wanted = "(" + std::to_string(count) + ",";
    for (int axis = 1; axis <= inner; ++axis) {
        wanted += (axis > 1 ? ", " : " ") + std::to_string(PyArray_DIM(param, axis));
        fits = fits && PyArray_DIM(values, axis) == PyArray_DIM(param, axis);
    }
    if (!fits) throw py::value_error(label.text() + ": expected shape " + wanted + "), got " + shape_text(object));
}

}  // namespace

void Stepper::take_rows(std::size_t index, const py::tuple &parts) {
    Entry &entry = entries_[index];
    Tensor &tensor = plan_.tensors[index];
    PyArrayObject *const param = array_of(entry.param), *const state = array_of(entry.state);
    arrays::Label whole = label(roles_.grad, index), part = whole;
    if (PyArray_NDIM(param) == 0)
        throw py::value_error(whole.text() + ": expected an array, as the parameter has no rows");
    if (arrays::is_complex(arrays::dtype_of(param)))
        throw py::type_error(whole.text() + ": expected an array, as the parameter is complex");
    const bool elements = parts[2].cast<bool>();

    part.part = ".values";
    PyArrayObject *const values = arrays::plain_array(parts[1], part);
    const Types types = arrays::types_of(param, state, values, part);
    arrays::check_memory(values, part);
    territory_.check_apart(values, part);
    part.part = ".indices";
    PyArrayObject *const given = checked_indices(parts[0], part);
    territory_.check_apart(given, part);
    const npy_intp count = PyArray_SIZE(given);
    check_values_shape(parts[1], param, count, elements, {whole.role, whole.index, whole.names, ".values"});
    const auto indices = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject *>(PyArray_GETCONTIGUOUS(given)));
    if (!indices) throw py::error_already_set();

    if (tensor.rows == nullptr) tensor.rows = std::make_unique<Rows>();
    Rows &rows = *tensor.rows;
    const npy_intp highest = elements ? PyArray_SIZE(param) : PyArray_DIM(param, 0);
    const void *const data = PyArray_DATA(array_of(indices));
    const bool is_known = plan_.rule == FLOOR && rows.grouped == data && rows.grouping.places() == count;
    const auto itemsize = static_cast<std::size_t>(PyArray_ITEMSIZE(given));
    const std::ptrdiff_t wrong = is_known ? count : rows.grouping.make(data, itemsize, count, highest);
    rows.grouped = wrong == count ? data : nullptr;
    if (wrong != count)
        throw py::index_error(part.text() + ": expected " + (elements ? "elements" : "rows") + " below " +
                              std::to_string(highest) + ", got " +
                              std::string(py::str(py::object(indices[py::int_(wrong)]))) + " at position " +
                              std::to_string(wrong));
    rows.width = elements || highest == 0 ? 1 : PyArray_SIZE(param) / highest;
    rows.has_elements_alone = elements || PyArray_NDIM(param) == 1;
    rows.param = arrays::view_of(param, false);
    rows.state = arrays::view_of(state, false);
    rows.values = arrays::view_of(values, false);
    rows.kernels = &isa().table->of[plan_.rule == TORCH ? TORCH_ROWS : plan_.rule][types];
    tensor.sparse = true;
    entry.grad_seen = {};
}

void Stepper::check_sparse_decay() const {
    if (plan_.rule != TORCH) return;
    for (const std::size_t index : plan_.active) {
        const Hyper &hyper = asked_.hypers[asked_.which[index]];
        if (plan_.tensors[index].sparse && hyper.decays && !hyper.decays_rows)
            throw std::runtime_error("weight_decay option is not compatible with sparse gradients");
    }
}

}  // namespace adagrad
