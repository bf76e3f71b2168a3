#include "python/commit.hpp"

#include <string>

#include "python/array_checks.hpp"

namespace adagrad {
namespace {

using arrays::array_of;

enum class Kind { ARRAY, DICT, LIST, OTHER };

// A subclass of dict or list could run its own code.
Kind kind_of(const py::handle &object) {
    if (PyArray_Check(object.ptr())) return Kind::ARRAY;
    if (PyDict_CheckExact(object.ptr())) return Kind::DICT;
    return PyList_CheckExact(object.ptr()) ? Kind::LIST : Kind::OTHER;
}

void check_pair(const py::handle &target, const py::handle &value, const std::string &label) {
    if (kind_of(target) == Kind::OTHER || kind_of(target) != kind_of(value))
        throw py::type_error(label + ": expected two arrays, two dicts or two lists");
    if (kind_of(target) != Kind::ARRAY) return;
    arrays::check_writeable(array_of(target), {label, -1, nullptr});
    arrays::check_shape(array_of(value), array_of(target), {label, -1, nullptr});
    if (!PyArray_EquivTypes(PyArray_DESCR(array_of(value)), PyArray_DESCR(array_of(target))))
        throw py::type_error(label + ": expected the dtype of the target");
}

int write_pair(PyObject *target, PyObject *value) {
    switch (kind_of(target)) {
    case Kind::DICT: return PyDict_Update(target, value);
    case Kind::LIST: return PyList_SetSlice(target, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, value);
    default: return PyArray_CopyInto(array_of(target), array_of(value));
    }
}

}  // namespace

Commit::Commit(const py::list &pairs) {
    for (const py::handle object : pairs) {
        const std::string label = "pairs[" + std::to_string(pairs_.size()) + "]";
        if (!PyTuple_CheckExact(object.ptr()) || PyTuple_GET_SIZE(object.ptr()) != 2)
            throw py::type_error(label + ": expected a tuple (target, value)");
        const auto &pair = pairs_.emplace_back(py::reinterpret_borrow<py::tuple>(object));
        check_pair(pair[0], pair[1], label);
        if (kind_of(pair[0]) != Kind::DICT) continue;
        const auto target = py::reinterpret_borrow<py::dict>(pair[0]);
        for (const auto &[key, value] : py::reinterpret_borrow<py::dict>(pair[1]))
            replaced_.push_back(py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(target.ptr(), key.ptr())));
    }
}

void Commit::write() const {
    for (const py::tuple &pair : pairs_)
        if (write_pair(PyTuple_GET_ITEM(pair.ptr(), 0), PyTuple_GET_ITEM(pair.ptr(), 1)) != 0)
            throw py::error_already_set();
}

}  // namespace adagrad
