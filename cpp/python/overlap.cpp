#include "python/overlap.hpp"

#include <algorithm>

namespace adagrad::arrays {
namespace {

struct Bounds {
    const char *low, *high;
};

Bounds bounds_of(PyArrayObject *array) {
    const char *low = static_cast<const char *>(PyArray_DATA(array)), *high = low + PyArray_ITEMSIZE(array);
    for (int i = 0; i < PyArray_NDIM(array); ++i) {
        const npy_intp span = (PyArray_DIM(array, i) - 1) * PyArray_STRIDE(array, i);
        (span < 0 ? low : high) += span;
    }
    return {low, high};
}

bool is_dense(PyArrayObject *array) { return PyArray_IS_C_CONTIGUOUS(array) || PyArray_IS_F_CONTIGUOUS(array); }

// Whether two arrays whose bounds meet share memory: only if both have gaps may each lie in the gaps of the other.
bool share_memory(PyArrayObject *one, PyArrayObject *other) {
    if (is_dense(one) && is_dense(other)) return true;
    return py::module_::import("numpy")
        .attr("shares_memory")(py::handle(reinterpret_cast<PyObject *>(one)),
                               py::handle(reinterpret_cast<PyObject *>(other)))
        .cast<bool>();
}

// Whether each axis steps over all that the shorter axes span, as in every ordinary view. Other strides, made by hand,
// are not worth the search for two elements in one place.
bool strides_nest(PyArrayObject *array) {
    std::vector<Axis> axes;
    for (int i = 0; i < PyArray_NDIM(array); ++i)
        if (PyArray_DIM(array, i) > 1) axes.push_back({PyArray_DIM(array, i), std::abs(PyArray_STRIDE(array, i))});
    std::sort(axes.begin(), axes.end(), [](const Axis &a, const Axis &b) { return a.stride < b.stride; });
    npy_intp span = PyArray_ITEMSIZE(array);
    for (const Axis &axis : axes) {
        if (axis.stride < span) return false;
        span += (axis.extent - 1) * axis.stride;
    }
    return true;
}

[[noreturn]] void throw_overlap(const Label &label, bool same, const Label &other) {
    throw py::value_error(label.text() + ": expected its own memory, got " +
                          (same ? "the same array as " : "an overlap with ") + other.text());
}

}  // namespace

void MemoryOverlap::add_outputs(const std::vector<LabelledArray> &arrays) {
    outputs_.clear();
    for (const auto &[array, label] : arrays) {
        if (PyArray_SIZE(array) == 0) continue;
        if (!strides_nest(array))
            throw py::value_error(
                label.text() + ": expected its own memory for each element, got strides " +
                std::string(py::str(py::handle(reinterpret_cast<PyObject *>(array)).attr("strides"))));
        const Bounds bounds = bounds_of(array);
        outputs_.push_back({bounds.low, bounds.high, nullptr, array, label, outputs_.size()});
    }
    std::stable_sort(outputs_.begin(), outputs_.end(), [](const Output &a, const Output &b) { return a.low < b.low; });
    const char *reach = nullptr;
    const Output *late = nullptr, *early = nullptr;  // the first overlap in the order given, wherever it lies in memory
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const Output &output = outputs_[i];
        for (std::size_t k = i + 1; k < outputs_.size() && outputs_[k].low < output.high; ++k) {
            if (!share_memory(output.array, outputs_[k].array)) continue;
            const auto [first, second] =
                std::minmax(output, outputs_[k], [](auto &a, auto &b) { return a.position < b.position; });
            if (late == nullptr || second.position < late->position) late = &second, early = &first;
        }
        reach = std::max(reach, output.high);
        outputs_[i].reach = reach;
    }
    lows_.clear();
    for (const Output &output : outputs_) lows_.push_back(output.low);
    if (late != nullptr) throw_overlap(late->label, late->array == early->array, early->label);
}

void MemoryOverlap::check_disjoint(PyArrayObject *input, const Label &label) const {
    if (outputs_.empty() || PyArray_SIZE(input) == 0) return;
    const Bounds bounds = bounds_of(input);
    if (bounds.high <= outputs_.front().low || outputs_.back().reach <= bounds.low) return;
    auto output = outputs_.begin() + (std::lower_bound(lows_.begin(), lows_.end(), bounds.high) - lows_.begin());
    while (output != outputs_.begin() && (--output)->reach > bounds.low)
        if (output->high > bounds.low && share_memory(input, output->array))
            throw_overlap(label, input == output->array, output->label);
}

}  // namespace adagrad::arrays
