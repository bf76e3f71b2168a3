#include "python/extent.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>

namespace adagrad::arrays {
namespace {

// The axes of more than one element, from the shortest stride to the longest.
std::vector<Axis> sorted_axes(PyArrayObject *array) {
    std::vector<Axis> axes;
    for (int i = 0; i < PyArray_NDIM(array); ++i)
        if (PyArray_DIM(array, i) > 1) axes.push_back({PyArray_DIM(array, i), std::abs(PyArray_STRIDE(array, i))});
    std::ranges::sort(axes, {}, &Axis::stride);
    return axes;
}

// Whether each axis steps over all that the shorter axes span, as in every ordinary view. Other strides, made by hand,
// are not worth a search for two elements in one place.
bool strides_nest(PyArrayObject *array) {
    npy_intp span = PyArray_ITEMSIZE(array);
    for (const Axis &axis : sorted_axes(array)) {
        if (axis.stride < span) return false;
        span += (axis.extent - 1) * axis.stride;
    }
    return true;
}

}  // namespace

Extent bounds_of(PyArrayObject *array) {
    const char *low = static_cast<const char *>(PyArray_DATA(array)), *high = low + PyArray_ITEMSIZE(array);
    for (int i = 0; i < PyArray_NDIM(array); ++i) {
        const npy_intp span = (PyArray_DIM(array, i) - 1) * PyArray_STRIDE(array, i);
        (span < 0 ? low : high) += span;
    }
    return {low, high};
}

void check_strides(PyArrayObject *array, const Label &label) {
    if (!strides_nest(array))
        throw py::value_error(label.text() + ": expected its own memory for each element, got strides " +
                              attribute_text(reinterpret_cast<PyObject *>(array), "strides"));
}

// The axes that lie without a gap make a block; all other strides are multiples of the period.
void find_blocks(PyArrayObject *array, Extent &extent) {
    extent.block = PyArray_ITEMSIZE(array);
    for (const Axis &axis : sorted_axes(array))
        if (extent.period == 0 && axis.stride == extent.block)
            extent.block *= axis.extent;
        else
            extent.period = std::gcd(extent.period, axis.stride);
    if (extent.block < extent.period) return;
    extent.period = 0;
    extent.block = extent.high - extent.low;
}

npy_intp residue_of(const char *address, npy_intp period) {
    return period == 0 ? 0 : static_cast<npy_intp>(reinterpret_cast<std::uintptr_t>(address) % period);
}

bool are_apart(const Extent &one, const Extent &other) {
    const npy_intp period = std::gcd(one.period, other.period);
    if (period == 0) return false;
    const npy_intp distance = (residue_of(other.low, period) - residue_of(one.low, period) + period) % period;
    return distance >= one.block && distance + other.block <= period;
}

}  // namespace adagrad::arrays
