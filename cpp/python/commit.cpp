#include "python/commit.hpp"

#include <string>
#include <vector>

#include "python/array_checks.hpp"

namespace adagrad {
namespace {

using arrays::array_of;

void check_pair(const py::handle &target, const py::handle &value, const std::string &label) {
    if (PyDict_CheckExact(target.ptr())) {
        if (!PyDict_CheckExact(value.ptr())) throw py::type_error(label + ": expected a dict for a dict");
        return;
    }
    if (!PyArray_Check(target.ptr()) || !PyArray_Check(value.ptr()))
        throw py::type_error(label + ": expected an array for an array, or a dict for a dict");
    arrays::check_writeable(array_of(target), {label, -1, nullptr});
    arrays::check_shape(array_of(value), array_of(target), {label, -1, nullptr});
    if (!PyArray_EquivTypes(PyArray_DESCR(array_of(value)), PyArray_DESCR(array_of(target))))
        throw py::type_error(label + ": expected the dtype of the target");
}

void write(const py::handle &target, const py::handle &value) {
    const int status = PyDict_CheckExact(target.ptr()) ? PyDict_Update(target.ptr(), value.ptr())
                                                       : PyArray_CopyInto(array_of(target), array_of(value));
    if (status != 0) throw py::error_already_set();
}

}  // namespace

void commit(const py::list &pairs) {
    std::vector<py::tuple> checked;
    // The old values of a dict are released when all is written: a destructor may run any code.
    std::vector<py::object> replaced;
    for (const py::handle object : pairs) {
        const std::string label = "pairs[" + std::to_string(checked.size()) + "]";
        if (!PyTuple_CheckExact(object.ptr()) || PyTuple_GET_SIZE(object.ptr()) != 2)
            throw py::type_error(label + ": expected a tuple (target, value)");
        const auto &pair = checked.emplace_back(py::reinterpret_borrow<py::tuple>(object));
        check_pair(pair[0], pair[1], label);
        if (!PyDict_CheckExact(py::handle(pair[0]).ptr())) continue;
        for (const auto &[key, value] : py::reinterpret_borrow<py::dict>(pair[1]))
            replaced.push_back(
                py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(py::handle(pair[0]).ptr(), key.ptr())));
    }
    for (const py::tuple &pair : checked) write(pair[0], pair[1]);
}

}  // namespace adagrad
