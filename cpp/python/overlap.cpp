// Overlap in memory. A step writes parameters and accumulators in any order and on any thread, so they must
// lie apart, and no gradient may lie on them.
#include <algorithm>

#include "python/array_checks.hpp"

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

// Two arrays whose bounds meet share memory, unless both leave gaps that the other one fills.
bool share_memory(PyArrayObject *one, PyArrayObject *other) {
    if (is_dense(one) && is_dense(other)) return true;
    return py::module_::import("numpy")
        .attr("shares_memory")(py::handle(reinterpret_cast<PyObject *>(one)),
                               py::handle(reinterpret_cast<PyObject *>(other)))
        .cast<bool>();
}

// True if each axis steps over all that the shorter axes span, which holds for every ordinary view.
bool nests(std::vector<Axis> axes, npy_intp itemsize) {
    std::sort(axes.begin(), axes.end(), [](const Axis &a, const Axis &b) { return a.stride < b.stride; });
    npy_intp span = itemsize;
    for (const Axis &axis : axes) {
        if (axis.stride < span) return false;
        span += (axis.extent - 1) * axis.stride;
    }
    return true;
}

bool overlaps_itself(PyArrayObject *array) {
    std::vector<Axis> axes;
    for (int i = 0; i < PyArray_NDIM(array); ++i)
        if (PyArray_DIM(array, i) > 1) axes.push_back({PyArray_DIM(array, i), std::abs(PyArray_STRIDE(array, i))});
    const npy_intp itemsize = PyArray_ITEMSIZE(array);
    if (nests(axes, itemsize)) return false;
    // Rare strides, made by hand: look at every element.
    std::vector<npy_intp> offsets = {0};
    for (const Axis &axis : axes) {
        if (axis.stride == 0) return true;
        const std::size_t known = offsets.size();
        for (npy_intp i = 1; i < axis.extent; ++i)
            for (std::size_t k = 0; k < known; ++k) offsets.push_back(offsets[k] + i * axis.stride);
    }
    std::sort(offsets.begin(), offsets.end());
    return std::adjacent_find(offsets.begin(), offsets.end(),
                              [&](npy_intp a, npy_intp b) { return b - a < itemsize; }) != offsets.end();
}

[[noreturn]] void refuse(const Label &label, bool same, const Label &other) {
    throw py::value_error(label.text() + ": expected memory of its own, got " +
                          (same ? "the same array as " : "an overlap with ") + other.text());
}

}  // namespace

void Territory::claim(const std::vector<std::pair<PyArrayObject *, Label>> &arrays) {
    claims_.clear();
    for (const auto &[array, label] : arrays) {
        if (PyArray_SIZE(array) == 0) continue;
        if (overlaps_itself(array))
            throw py::value_error(
                label.text() + ": expected memory of its own for each element, got strides " +
                std::string(py::str(py::handle(reinterpret_cast<PyObject *>(array)).attr("strides"))));
        const Bounds bounds = bounds_of(array);
        claims_.push_back({bounds.low, bounds.high, nullptr, array, label, claims_.size()});
    }
    std::stable_sort(claims_.begin(), claims_.end(), [](const Claim &a, const Claim &b) { return a.low < b.low; });
    const char *reach = nullptr;
    const Claim *refused = nullptr, *taken = nullptr;  // the first in the order given, wherever they lie
    for (std::size_t i = 0; i < claims_.size(); ++i) {
        const Claim &claim = claims_[i];
        for (std::size_t k = i + 1; k < claims_.size() && claims_[k].low < claim.high; ++k) {
            if (!share_memory(claim.array, claims_[k].array)) continue;
            const auto [early, late] =
                std::minmax(claim, claims_[k], [](auto &a, auto &b) { return a.place < b.place; });
            if (refused == nullptr || late.place < refused->place) refused = &late, taken = &early;
        }
        reach = std::max(reach, claim.high);
        claims_[i].reach = reach;
    }
    lows_.clear();
    for (const Claim &claim : claims_) lows_.push_back(claim.low);
    if (refused != nullptr) refuse(refused->label, refused->array == taken->array, taken->label);
}

void Territory::check_apart(PyArrayObject *grad, const Label &label) const {
    if (claims_.empty() || PyArray_SIZE(grad) == 0) return;
    const Bounds bounds = bounds_of(grad);
    if (bounds.high <= claims_.front().low || claims_.back().reach <= bounds.low) return;
    auto claim = claims_.begin() + (std::lower_bound(lows_.begin(), lows_.end(), bounds.high) - lows_.begin());
    while (claim != claims_.begin() && (--claim)->reach > bounds.low)
        if (claim->high > bounds.low && share_memory(grad, claim->array))
            refuse(label, grad == claim->array, claim->label);
}

}  // namespace adagrad::arrays
