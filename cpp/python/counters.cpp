#include "python/counters.hpp"

namespace adagrad {
namespace {

using arrays::array_of;

struct Form {
    int type;
    int ndim;  // -1 for any
    const char *text;
};

Form form_of(Counter kind) {
    switch (kind) {
    case Counter::PER_PARAMETER_FLOAT32: return {NPY_FLOAT, 0, "float32 array of shape ()"};
    case Counter::SHARED_INT64: return {NPY_INT64, -1, "int64 array of shape (1,)"};
    default: return {NPY_INT32, -1, "int32 array of shape (1,)"};
    }
}

bool fits(const py::handle &object, const Form &form) {
    if (!PyArray_Check(object.ptr())) return false;
    PyArrayObject *const array = array_of(object);
    return PyArray_ISBEHAVED(array) && PyArray_SIZE(array) == 1 && PyArray_TYPE(array) == form.type &&
           (form.ndim < 0 || PyArray_NDIM(array) == form.ndim);
}

}  // namespace

StepCounters Counters::bind(Counter kind, const py::list &objects, std::size_t params, const std::string &role,
                            const py::tuple &names, std::vector<arrays::LabelledArray> &outputs) {
    StepCounters counters{kind, {}};
    const std::size_t expected = kind == Counter::NONE ? 0 : counters.per_parameter() ? params : 1;
    if (objects.size() != expected)
        throw py::value_error("counters: expected " + std::to_string(expected) + ", got " +
                              std::to_string(objects.size()));
    const Form form = form_of(kind);
    for (std::size_t i = 0; i < expected; ++i) {
        const py::object object = objects[i];
        const arrays::Label label = {role, counters.per_parameter() ? static_cast<Py_ssize_t>(i) : -1, &names};
        if (!fits(object, form)) throw py::type_error(label.text() + ": expected a writeable " + form.text);
        outputs.emplace_back(array_of(object), label);
        counters.data.push_back(PyArray_DATA(array_of(object)));
    }
    objects_ = objects;
    data_ = counters.data;
    return counters;
}

bool Counters::are_current() const {
    for (std::size_t i = 0; i < data_.size(); ++i) {
        PyArrayObject *const array = array_of(PyList_GET_ITEM(objects_.ptr(), static_cast<Py_ssize_t>(i)));
        if (PyArray_DATA(array) != data_[i] || PyArray_SIZE(array) != 1 || !PyArray_ISWRITEABLE(array)) return false;
    }
    return true;
}

}  // namespace adagrad
