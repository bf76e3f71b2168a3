// Python objects of the core's classes, made so that a failed allocation becomes MemoryError. pybind11 (3.0 and 3.1)
// itself does not look whether there was memory for the object, and when there is none to register it, it either ends
// the process or frees the value twice.
#pragma once
#include <pybind11/pybind11.h>

#include <memory>

namespace adagrad {

inline PyObject *new_instance(PyTypeObject *type, PyObject *, PyObject *) {
    PyObject *const self = type->tp_alloc(type, 0);
    if (self != nullptr) reinterpret_cast<pybind11::detail::instance *>(self)->allocate_layout();
    return self;
}

// An option of a class: its objects are made by new_instance().
inline pybind11::custom_type_setup checks_memory() {
    return pybind11::custom_type_setup([](PyHeapTypeObject *type) { type->ht_type.tp_new = new_instance; });
}

// The value of an object, or null before its __init__.
template <class T> T *value_of(PyObject *self) {
    return static_cast<T *>(reinterpret_cast<pybind11::detail::instance *>(self)->get_value_and_holder().value_ptr());
}

// The same for a class whose values refer to objects that may refer back. The garbage collector cannot see members of
// C++: T::traverse visits the objects in them, and T::clear releases them.
template <class T> pybind11::custom_type_setup is_collectable() {
    return pybind11::custom_type_setup([](PyHeapTypeObject *heap_type) {
        PyTypeObject &type = heap_type->ht_type;
        type.tp_new = new_instance;
        type.tp_flags |= Py_TPFLAGS_HAVE_GC;
        type.tp_traverse = [](PyObject *self, visitproc visit, void *arg) {
            Py_VISIT(Py_TYPE(self));
            const T *const value = value_of<T>(self);
            return value == nullptr ? 0 : value->traverse(visit, arg);
        };
        type.tp_clear = [](PyObject *self) {
            if (T *const value = value_of<T>(self)) value->clear();
            return 0;
        };
    });
}

// Defines __init__ as def(py::init(make), extra...) does.
template <class Class, class T, class... Arguments, class... Extra>
Class &def_init(Class &&cls, std::unique_ptr<T> (*make)(Arguments...), const Extra &...extra) {
    const auto init = [make](pybind11::detail::value_and_holder &self, Arguments... arguments) {
        std::unique_ptr<T> value = make(arguments...);
        self.value_ptr() = value.get();
        try {
            self.type->init_instance(self.inst, &value);  // registers the object, and then takes the value
        } catch (...) {
            self.value_ptr() = nullptr;
            throw;
        }
    };
    return cls.def("__init__", init, pybind11::detail::is_new_style_constructor(), extra...);
}

}  // namespace adagrad
