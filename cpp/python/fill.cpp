// New accumulators. A page lies in the memory nearest to the processor whose thread first writes to it, so an array is
// filled by the threads that a step will give it to.
#include <algorithm>
#include <cstdint>

#include "engine/parallel.hpp"
#include "python/array_checks.hpp"

namespace adagrad::arrays {
namespace {

struct Wide {
    std::uint64_t halves[2];
};

template <class Item> void fill_items(PyArrayObject *array, PyArrayObject *value) {
    auto *const items = static_cast<Item *>(PyArray_DATA(array));
    const Item item = *static_cast<const Item *>(PyArray_DATA(value));
    const py::gil_scoped_release release;
    threads::share(PyArray_SIZE(array), PyArray_SIZE(array),
                   [=](std::ptrdiff_t begin, std::ptrdiff_t end) { std::fill(items + begin, items + end, item); });
}

}  // namespace

void fill(py::handle array_object, py::handle value_object) {
    const Label role{"array", -1, nullptr};
    PyArrayObject *const array = checked(array_object, role), *const value =
                                                                  checked(value_object, {"value", -1, nullptr});
    check_writeable(array, role);
    if (!PyArray_ISONESEGMENT(array) || PyArray_SIZE(value) != 1 || dtype_of(array) != dtype_of(value))
        throw py::value_error("array: expected one stretch of memory, with a value of its dtype");
    switch (PyArray_ITEMSIZE(array)) {
    case 2: return fill_items<std::uint16_t>(array, value);
    case 4: return fill_items<std::uint32_t>(array, value);
    case 8: return fill_items<std::uint64_t>(array, value);
    default: return fill_items<Wide>(array, value);
    }
}

}  // namespace adagrad::arrays
