#include "python/overlap.hpp"

#include <algorithm>

namespace adagrad::arrays {
namespace {

bool is_dense(PyArrayObject *array) { return PyArray_IS_C_CONTIGUOUS(array) || PyArray_IS_F_CONTIGUOUS(array); }

// Whether two arrays whose bounds meet share memory: unless both have gaps, they do.
bool share_memory(PyArrayObject *one, PyArrayObject *other) {
    if (is_dense(one) && is_dense(other)) return true;
    return py::module_::import("numpy")
        .attr("shares_memory")(py::handle(reinterpret_cast<PyObject *>(one)),
                               py::handle(reinterpret_cast<PyObject *>(other)))
        .cast<bool>();
}

// Whether each axis steps over all that the shorter axes span, as in every ordinary view. Other strides, made by hand,
// are not worth a search for two elements in one place.
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

[[noreturn]] void throw_overlap(const LabelledArray &array, const LabelledArray &output) {
    throw py::value_error(array.second.text() + ": expected its own memory, got " +
                          (array.first == output.first ? "the same array as " : "an overlap with ") +
                          output.second.text());
}

}  // namespace

void check_strides(PyArrayObject *array, const Label &label) {
    if (PyArray_SIZE(array) != 0 && !strides_nest(array))
        throw py::value_error(label.text() + ": expected its own memory for each element, got strides " +
                              std::string(py::str(py::handle(reinterpret_cast<PyObject *>(array)).attr("strides"))));
}

Bounds bounds_of(PyArrayObject *array) {
    const char *low = static_cast<const char *>(PyArray_DATA(array)), *high = low + PyArray_ITEMSIZE(array);
    for (int i = 0; i < PyArray_NDIM(array); ++i) {
        const npy_intp span = (PyArray_DIM(array, i) - 1) * PyArray_STRIDE(array, i);
        (span < 0 ? low : high) += span;
    }
    return {low, high};
}

// Returns the first among so many outputs that overlaps the array, or null.
const LabelledArray *MemoryOverlap::find_overlap(PyArrayObject *array, std::size_t outputs) const {
    const Bounds bounds = bounds_of(array);
    if (bounds.high <= lows_.front() || intervals_.back().reach <= bounds.low) return nullptr;
    std::size_t found = outputs;
    std::size_t i = std::lower_bound(lows_.begin(), lows_.end(), bounds.high) - lows_.begin();
    while (i-- > 0 && intervals_[i].reach > bounds.low) {
        const std::size_t output = intervals_[i].output;
        if (output < found && bounds_[output].high > bounds.low && share_memory(array, outputs_[output].first))
            found = output;
    }
    return found == outputs ? nullptr : &outputs_[found];
}

// Sorts all outputs into the intervals.
void MemoryOverlap::sort() {
    intervals_.clear();
    lows_.clear();
    for (std::size_t i = 0; i < outputs_.size(); ++i) intervals_.push_back({bounds_[i].low, nullptr, i});
    std::stable_sort(intervals_.begin(), intervals_.end(),
                     [](const Interval &a, const Interval &b) { return a.low < b.low; });
    const char *reach = nullptr;
    for (Interval &interval : intervals_) {
        lows_.push_back(interval.low);
        interval.reach = reach = std::max(reach, bounds_[interval.output].high);
    }
}

// Inserts an output into the intervals.
void MemoryOverlap::insert(std::size_t output) {
    const Bounds bounds = bounds_[output];
    const auto place = std::upper_bound(lows_.begin(), lows_.end(), bounds.low) - lows_.begin();
    const char *const before = place == 0 ? nullptr : intervals_[place - 1].reach;
    lows_.insert(lows_.begin() + place, bounds.low);
    intervals_.insert(intervals_.begin() + place, {bounds.low, std::max(before, bounds.high), output});
    for (std::size_t i = place + 1; i < intervals_.size() && intervals_[i].reach < bounds.high; ++i)
        intervals_[i].reach = bounds.high;
}

void MemoryOverlap::add_outputs(const std::vector<LabelledArray> &arrays) {
    const std::size_t before = outputs_.size();
    for (const LabelledArray &array : arrays) {
        if (PyArray_SIZE(array.first) == 0) continue;
        outputs_.push_back(array);
        bounds_.push_back(bounds_of(array.first));
    }
    const bool mostly_new = outputs_.size() > 2 * before;
    if (mostly_new) sort();
    for (std::size_t i = before; i < outputs_.size() && !mostly_new; ++i) insert(i);
    try {
        for (std::size_t i = before; i < outputs_.size(); ++i) {
            check_strides(outputs_[i].first, outputs_[i].second);
            if (const LabelledArray *const other = find_overlap(outputs_[i].first, i))
                throw_overlap(outputs_[i], *other);
        }
    } catch (...) {
        outputs_.resize(before);
        bounds_.resize(before);
        sort();
        throw;
    }
}

void MemoryOverlap::check_disjoint(PyArrayObject *input, const Label &label) const {
    if (outputs_.empty() || PyArray_SIZE(input) == 0) return;
    if (const LabelledArray *const output = find_overlap(input, outputs_.size()))
        throw_overlap({input, label}, *output);
}

}  // namespace adagrad::arrays
