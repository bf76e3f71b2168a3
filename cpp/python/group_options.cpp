#include "python/group_options.hpp"

#include "python/array_checks.hpp"

namespace adagrad {
namespace {

double number(const py::tuple &fields, Py_ssize_t i, const char *name) {
    PyObject *const field = PyTuple_GET_ITEM(fields.ptr(), i);
    const double value = PyFloat_AsDouble(field);
    if (value == -1 && PyErr_Occurred() != nullptr) {
        PyErr_Clear();
        throw py::type_error(std::string(name) + ": expected a number, got " + Py_TYPE(field)->tp_name);
    }
    return value;
}

bool flag(const py::tuple &fields, Py_ssize_t i) {
    const int set = PyObject_IsTrue(PyTuple_GET_ITEM(fields.ptr(), i));
    if (set < 0) throw py::error_already_set();
    return set != 0;
}

// The fields in the order in which each rule's optimizer gives them.
Hyper hyper_of(Rule rule, const py::tuple &fields) {
    Hyper hyper;
    if (fields.size() != 6) throw py::value_error("asked: expected tuples of the rule's hyper-parameters");
    hyper.lr = number(fields, 0, "lr");
    if (rule == MINDSPORE) {
        hyper.weight_decay = number(fields, 1, "weight_decay");
        hyper.decays = flag(fields, 2);
        hyper.update_slots = flag(fields, 3);
        hyper.unscale = number(fields, 4, "loss_scale");
        hyper.centralize = flag(fields, 5);
    } else {
        hyper.lr_decay = number(fields, 1, "lr_decay");
        hyper.eps = number(fields, 2, "eps");
        hyper.weight_decay = number(fields, 3, "weight_decay");
        hyper.decays = hyper.weight_decay != 0;
        hyper.maximize = flag(fields, 4);
        hyper.decays_rows = flag(fields, 5);
    }
    return hyper;
}

std::vector<std::int32_t> choices(const py::handle &which, std::size_t params, std::size_t hypers) {
    auto *const array = reinterpret_cast<PyArrayObject *>(which.ptr());
    const bool fits = PyArray_Check(which.ptr()) && PyArray_TYPE(array) == NPY_INT32 && PyArray_ISCARRAY_RO(array) &&
                      PyArray_SIZE(array) == static_cast<npy_intp>(params);
    if (!fits) throw py::value_error("asked: expected an int32 array with an index for each parameter");
    const auto *const values = static_cast<const std::int32_t *>(PyArray_DATA(array));
    for (std::size_t i = 0; i < params; ++i)
        if (values[i] < 0 || static_cast<std::size_t>(values[i]) >= hypers)
            throw py::value_error("asked: expected indices of hyper-parameters");
    return {values, values + params};
}

PyObject *value_of(const py::handle &group, const py::handle &field) {
    return PyDict_Check(group.ptr()) ? PyDict_GetItemWithError(group.ptr(), field.ptr()) : nullptr;
}

bool can_change(PyObject *value) {
    return !PyFloat_CheckExact(value) && !PyLong_CheckExact(value) && !PyBool_Check(value);
}

}  // namespace

Asked::Asked(Rule rule, const py::tuple &fields) : rule_(rule), fields_(fields) {}

void Asked::read(const py::list &groups, const py::tuple &asked, std::size_t params) {
    lasting_ = false;
    hypers.clear();
    for (const py::handle hyper : py::cast<py::list>(asked[0]))
        hypers.push_back(hyper_of(rule_, py::cast<py::tuple>(hyper)));
    which = choices(asked[1], params, hypers.size());
    seen_.clear();
    bool lasting = true;
    for (const py::handle group : groups)
        for (const py::handle field : fields_) {
            PyObject *const value = value_of(group, field);
            lasting = lasting && value != nullptr && !can_change(value);
            seen_.push_back(py::reinterpret_borrow<py::object>(value));
        }
    lasting_ = lasting;
}

bool Asked::holds(const py::list &groups) const {
    if (!lasting_ || seen_.size() != groups.size() * fields_.size()) return false;
    auto seen = seen_.begin();
    for (const py::handle group : groups)
        for (const py::handle field : fields_)
            if (value_of(group, field) != (seen++)->ptr()) return false;
    return true;
}

}  // namespace adagrad
