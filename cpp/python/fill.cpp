// The system places a page in the memory nearest to the processor that first writes to it, so each thread fills the
// part that it will update.
#include "python/fill.hpp"

#include <algorithm>
#include <cstdint>

#include "engine/parallel.hpp"
#include "python/array_checks.hpp"
#include "python/without_gil.hpp"

namespace adagrad::arrays {
namespace {

// A complex number, which is aligned as its parts are.
template <class Part> struct Pair {
    Part parts[2];
};

template <class Item> void fill_items(PyArrayObject *array, PyArrayObject *value) {
    auto *const items = static_cast<Item *>(PyArray_DATA(array));
    const Item item = *static_cast<const Item *>(PyArray_DATA(value));
    const npy_intp size = PyArray_SIZE(array);
    without_gil([=] {
        parallel_for(size, size, [=](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
            std::fill(items + begin, items + end, item);
        });
    });
}

}  // namespace

void fill(const py::object &array_object, const py::object &value_object) {
    const Label label{"array"};
    PyArrayObject *const array = checked_array(array_object, label);
    PyArrayObject *const value = checked_array(value_object, {"value"});
    check_writeable(array, label);
    if (!PyArray_ISONESEGMENT(array) || PyArray_SIZE(value) != 1 || dtype_of(array) != dtype_of(value))
        throw py::value_error("array: expected contiguous memory and a value of its dtype");
    switch (dtype_of(array)) {
    case Dtype::F32: return fill_items<float>(array, value);
    case Dtype::F64: return fill_items<double>(array, value);
    case Dtype::C64: return fill_items<Pair<float>>(array, value);
    case Dtype::C128: return fill_items<Pair<double>>(array, value);
    default: return fill_items<std::uint16_t>(array, value);
    }
}

}  // namespace adagrad::arrays
