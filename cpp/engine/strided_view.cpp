#include "engine/strided_view.hpp"

#include <algorithm>
#include <cstdint>

namespace adagrad {
namespace {

// Calls visit(address, length, stride) for every run of elements along the innermost axis.
template <class Visit>
void for_each_run(const StridedView &view, std::ptrdiff_t begin, std::ptrdiff_t count, Visit visit) {
    const Axis inner = view.axes.back();
    while (count > 0) {
        const std::ptrdiff_t at = begin % inner.extent;
        char *address = view.data + at * inner.stride;
        std::ptrdiff_t rest = begin / inner.extent;
        for (auto axis = view.axes.rbegin() + 1; axis != view.axes.rend(); ++axis) {
            address += rest % axis->extent * axis->stride;
            rest /= axis->extent;
        }
        const std::ptrdiff_t length = std::min(count, inner.extent - at);
        visit(address, length, inner.stride);
        begin += length;
        count -= length;
    }
}

template <class T> void gather_items(const StridedView &view, std::ptrdiff_t begin, std::ptrdiff_t count, T *buffer) {
    for_each_run(view, begin, count, [&](const char *address, std::ptrdiff_t length, std::ptrdiff_t stride) {
        for (std::ptrdiff_t i = 0; i < length; ++i) *buffer++ = *reinterpret_cast<const T *>(address + i * stride);
    });
}

template <class T>
void scatter_items(const StridedView &view, std::ptrdiff_t begin, std::ptrdiff_t count, const T *buffer) {
    for_each_run(view, begin, count, [&](char *address, std::ptrdiff_t length, std::ptrdiff_t stride) {
        for (std::ptrdiff_t i = 0; i < length; ++i) *reinterpret_cast<T *>(address + i * stride) = *buffer++;
    });
}

}  // namespace

StridedView StridedView::over(char *data, std::ptrdiff_t itemsize, const std::vector<Axis> &axes) {
    StridedView view{data, itemsize, {}};
    for (const Axis &axis : axes) {
        if (axis.extent == 1) continue;
        if (!view.axes.empty() && view.axes.back().stride == axis.extent * axis.stride)
            view.axes.back() = {view.axes.back().extent * axis.extent, axis.stride};
        else
            view.axes.push_back(axis);
    }
    if (view.axes.size() == 1 && view.axes[0].stride == itemsize) view.axes.clear();
    return view;
}

void StridedView::gather(std::ptrdiff_t begin, std::ptrdiff_t count, void *buffer) const {
    switch (itemsize) {
    case 2: return gather_items(*this, begin, count, static_cast<std::uint16_t *>(buffer));
    case 4: return gather_items(*this, begin, count, static_cast<std::uint32_t *>(buffer));
    default: return gather_items(*this, begin, count, static_cast<std::uint64_t *>(buffer));
    }
}

void StridedView::scatter(std::ptrdiff_t begin, std::ptrdiff_t count, const void *buffer) const {
    switch (itemsize) {
    case 2: return scatter_items(*this, begin, count, static_cast<const std::uint16_t *>(buffer));
    case 4: return scatter_items(*this, begin, count, static_cast<const std::uint32_t *>(buffer));
    default: return scatter_items(*this, begin, count, static_cast<const std::uint64_t *>(buffer));
    }
}

}  // namespace adagrad
