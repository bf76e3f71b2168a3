#include "python/commit.hpp"

#include <algorithm>
#include <string>

#include "python/items.hpp"
#include "python/overlap.hpp"

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
    arrays::check_writeable(array_of(target), {label});
    arrays::check_shape(array_of(value), array_of(target), {label});
    if (!PyArray_EquivTypes(PyArray_DESCR(array_of(value)), PyArray_DESCR(array_of(target))))
        throw py::type_error(label + ": expected the dtype of the target");
}

bool is_nonempty_array(const py::handle &object) {
    return kind_of(object) == Kind::ARRAY && PyArray_SIZE(array_of(object)) != 0;
}

// The memory of all array targets, as bounds in order that do not meet.
std::vector<arrays::Extent> target_bounds(const std::vector<py::tuple> &pairs) {
    std::vector<arrays::Extent> bounds;
    for (const py::tuple &pair : pairs)
        if (is_nonempty_array(pair[0])) bounds.push_back(arrays::bounds_of(array_of(pair[0])));
    std::sort(bounds.begin(), bounds.end(), [](const auto &a, const auto &b) { return a.low < b.low; });
    std::vector<arrays::Extent> merged;
    for (const arrays::Extent &one : bounds) {
        if (merged.empty() || merged.back().high <= one.low)
            merged.push_back(one);
        else
            merged.back().high = std::max(merged.back().high, one.high);
    }
    return merged;
}

// Not a subclass, which could run its own code.
py::object plain_copy(PyArrayObject *array) {
    auto copy = py::reinterpret_steal<py::object>(PyArray_NewLikeArray(array, NPY_KEEPORDER, nullptr, 0));
    if (!copy || PyArray_CopyInto(array_of(copy), array) != 0) throw py::error_already_set();
    return copy;
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
            replaced_.push_back(dict_item(target, key));
    }
    copy_values_in_targets();
}

void Commit::copy_values_in_targets() {
    const std::vector<arrays::Extent> targets = target_bounds(pairs_);
    for (py::tuple &pair : pairs_) {
        if (!is_nonempty_array(pair[0])) continue;
        const arrays::Extent value = arrays::bounds_of(array_of(pair[1]));
        // The first target that ends after the value begins.
        const auto target = std::upper_bound(targets.begin(), targets.end(), value.low,
                                             [](const char *low, const auto &one) { return low < one.high; });
        if (target != targets.end() && target->low < value.high)
            pair = py::make_tuple(pair[0], plain_copy(array_of(pair[1])));
    }
}

void Commit::write() const {
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
        if (write_pair(PyTuple_GET_ITEM(pairs_[i].ptr(), 0), PyTuple_GET_ITEM(pairs_[i].ptr(), 1)) == 0) continue;
        {
            const py::error_scope error;  // set aside
            take_back(i);
        }
        throw py::error_already_set();
    }
}

// Undoes the writes of `written` pairs, and of a part of the next one if that is a dict.
void Commit::take_back(std::size_t written) const {
    auto replaced = replaced_.begin();
    for (std::size_t i = 0; i <= written; ++i) {
        PyObject *const target = PyTuple_GET_ITEM(pairs_[i].ptr(), 0);
        PyObject *const value = PyTuple_GET_ITEM(pairs_[i].ptr(), 1);
        if (kind_of(target) == Kind::LIST && i < written) {
            truncate(target, PyList_GET_SIZE(target) - PyList_GET_SIZE(value));
        } else if (kind_of(target) == Kind::DICT) {
            for (const auto &entry : py::reinterpret_borrow<py::dict>(value)) {
                PyObject *const key = entry.first.ptr(), *const before = (replaced++)->ptr();
                before == nullptr ? PyDict_DelItem(target, key) : PyDict_SetItem(target, key, before);
            }
        }
        PyErr_Clear();
    }
}

}  // namespace adagrad
