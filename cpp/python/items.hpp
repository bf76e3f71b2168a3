// Strong references to items of dicts and lists: another thread or a destructor may remove an item at any time.
#pragma once
#include <pybind11/pybind11.h>

#include <string>

namespace adagrad {

namespace py = pybind11;

// A text that is compared by identity first, as the keys of dicts are.
inline py::str interned(const std::string &text) {
    auto found = py::reinterpret_steal<py::str>(PyUnicode_InternFromString(text.c_str()));
    if (!found) throw py::error_already_set();
    return found;
}

// The value of a key, or a null object. An error that a key's own __eq__ or __hash__ raises is thrown.
inline py::object dict_item(const py::handle &dict, const py::handle &key) {
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *value = nullptr;
    if (PyDict_GetItemRef(dict.ptr(), key.ptr(), &value) < 0) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(value);
#else
    PyObject *const value = PyDict_GetItemWithError(dict.ptr(), key.ptr());
    if (value == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return py::reinterpret_borrow<py::object>(value);
#endif
}

// The item of a list, or a null object if the list has become shorter.
inline py::object list_item(const py::handle &list, Py_ssize_t index) {
#if PY_VERSION_HEX >= 0x030d0000
    auto item = py::reinterpret_steal<py::object>(PyList_GetItemRef(list.ptr(), index));
#else
    auto item = py::reinterpret_borrow<py::object>(PyList_GetItem(list.ptr(), index));
#endif
    if (!item) PyErr_Clear();
    return item;
}

// Removes the items of a list from an index on. A slice of up to 8 needs no memory, which may just have run out.
inline void truncate(PyObject *list, Py_ssize_t length) {
    for (Py_ssize_t size; (size = PyList_GET_SIZE(list)) > length;)
        if (PyList_SetSlice(list, size - length > 8 ? size - 8 : length, size, nullptr) != 0) return PyErr_Clear();
}

// A copy of a list, whatever __iter__ a subclass has.
inline py::tuple list_as_tuple(const py::handle &list) {
    auto tuple = py::reinterpret_steal<py::tuple>(PyList_AsTuple(list.ptr()));
    if (!tuple) throw py::error_already_set();
    return tuple;
}

}  // namespace adagrad
