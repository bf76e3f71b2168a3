#include "python/counters.hpp"

namespace adagrad {
namespace {

using arrays::array_of, arrays::attribute_text;

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

std::string description_of(const py::handle &object) {
    if (!PyArray_Check(object.ptr())) return Py_TYPE(object.ptr())->tp_name;
    PyArrayObject *const array = array_of(object);
    const char *const fault = !PyArray_ISALIGNED(array)     ? "a misaligned "
                              : !PyArray_ISWRITEABLE(array) ? "a read-only "
                                                            : "";
    return fault + attribute_text(object, "dtype") + " array of shape " + attribute_text(object, "shape");
}

bool fits(const py::handle &object, const Form &form) {
    if (!PyArray_Check(object.ptr())) return false;
    PyArrayObject *const array = array_of(object);
    return PyArray_ISBEHAVED(array) && PyArray_SIZE(array) == 1 && PyArray_TYPE(array) == form.type &&
           (form.ndim < 0 || PyArray_NDIM(array) == form.ndim);
}

}  // namespace

void Counters::add(const py::list &objects, std::size_t params, const std::string &role, const py::list &names,
                   std::vector<arrays::LabelledArray> &outputs) {
    const bool shared = counters_.kind != Counter::NONE && !counters_.per_parameter();
    const std::size_t expected = counters_.per_parameter() ? params : shared && objects_.empty() ? 1 : 0;
    if (objects.size() != expected)
        throw py::value_error("counters: expected " + std::to_string(expected) + ", got " +
                              std::to_string(objects.size()));
    const Form form = form_of(counters_.kind);
    for (const py::handle object : objects) {
        const arrays::Label label = {role, shared ? -1 : static_cast<Py_ssize_t>(objects_.size()), &names};
        if (!fits(object, form))
            throw py::type_error(label.text() + ": expected a writeable " + form.text + ", got " +
                                 description_of(object));
        outputs.emplace_back(array_of(object), label);
        counters_.data.push_back(PyArray_DATA(array_of(object)));
        seen_.emplace_back(array_of(object));
        objects_.push_back(py::reinterpret_borrow<py::object>(object));
    }
}

void Counters::resize(std::size_t count) {
    counters_.data.resize(count);
    objects_.resize(count);
    seen_.resize(count);
}

// A shared counter is there once a plan has groups.
bool Counters::are_current() const {
    if (counters_.kind != Counter::NONE && !counters_.per_parameter() && objects_.empty()) return false;
    for (std::size_t i = 0; i < objects_.size(); ++i)
        if (!seen_[i].matches(array_of(objects_[i]))) return false;
    return true;
}

}  // namespace adagrad
