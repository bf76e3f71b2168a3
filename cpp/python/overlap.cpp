#include "python/overlap.hpp"

#include <algorithm>

namespace adagrad::arrays {
namespace {

bool is_dense(PyArrayObject *array) { return PyArray_IS_C_CONTIGUOUS(array) || PyArray_IS_F_CONTIGUOUS(array); }

// A view without the methods of a subclass.
py::object plain_view(PyArrayObject *array) {
    auto view = py::reinterpret_steal<py::object>(PyArray_View(array, nullptr, &PyArray_Type));
    if (!view) throw py::error_already_set();
    return view;
}

// Whether two arrays whose bounds meet share memory: those without gaps do, and NumPy knows about others.
bool share_memory(PyArrayObject *one, PyArrayObject *other) {
    if (is_dense(one) && is_dense(other)) return true;
    return py::module_::import("numpy").attr("shares_memory")(plain_view(one), plain_view(other)).cast<bool>();
}

[[noreturn]] void throw_overlap(const LabelledArray &array, const LabelledArray &output) {
    throw py::value_error(array.second.text() + ": expected its own memory, got " +
                          (array.first == output.first ? "the same array as " : "an overlap with ") +
                          output.second.text());
}

}  // namespace

void Intervals::add(const std::vector<Interval> &intervals) {
    if (intervals.size() <= intervals_.size()) {
        for (const Interval &interval : intervals) insert(interval);
        return;
    }
    intervals_.insert(intervals_.end(), intervals.begin(), intervals.end());
    std::ranges::stable_sort(intervals_, {}, &Interval::low);
    lows_.clear();
    const char *reach = nullptr;
    for (Interval &interval : intervals_) {
        lows_.push_back(interval.low);
        interval.reach = reach = std::max(reach, interval.high);
    }
}

void Intervals::insert(const Interval &interval) {
    const auto place = std::upper_bound(lows_.begin(), lows_.end(), interval.low) - lows_.begin();
    const char *const before = place == 0 ? nullptr : intervals_[place - 1].reach;
    lows_.insert(lows_.begin() + place, interval.low);
    intervals_.insert(intervals_.begin() + place, interval);
    intervals_[place].reach = std::max(before, interval.high);
    for (std::size_t i = place + 1; i < intervals_.size() && intervals_[i].reach < interval.high; ++i)
        intervals_[i].reach = interval.high;
}

bool Intervals::any_meets(const Extent &extent) const {
    if (extent.high <= lows_.front() || intervals_.back().reach <= extent.low) return false;
    const std::size_t i = std::lower_bound(lows_.begin(), lows_.end(), extent.high) - lows_.begin();
    return i > 0 && intervals_[i - 1].reach > extent.low;
}

template <class Visit> void Intervals::for_each_meeting(const Extent &extent, Visit visit) const {
    std::size_t i = std::lower_bound(lows_.begin(), lows_.end(), extent.high) - lows_.begin();
    while (i-- > 0 && intervals_[i].reach > extent.low)
        if (intervals_[i].high > extent.low) visit(intervals_[i].output);
}

// Returns which of the first `outputs` outputs overlaps the array, or null. Sets `asks_numpy` if it asks NumPy.
const LabelledArray *MemoryOverlap::find_overlap(PyArrayObject *array, std::size_t outputs, bool &asks_numpy) const {
    Extent extent = bounds_of(array);
    std::size_t found = outputs;
    const auto visit = [&](std::size_t output) {
        if (output >= found || are_apart(extent, extents_[output])) return;
        asks_numpy = true;
        if (share_memory(array, outputs_[output].first)) found = output;
    };
    for (const auto &[period, lattice] : lattices_) {
        if (!lattice.all.any_meets(extent)) continue;
        if (extent.block == 0) find_blocks(array, extent);
        if (period == 0 || period != extent.period) {
            lattice.all.for_each_meeting(extent, visit);
            continue;
        }
        // Blocks that meet begin less than a block before or after each other, also where the period starts again.
        const npy_intp residue = residue_of(extent.low, period);
        for (const npy_intp around : {residue - period, residue, residue + period}) {
            auto i = lattice.by_residue.upper_bound(around - lattice.widest);
            for (; i != lattice.by_residue.end() && i->first < around + extent.block; ++i)
                i->second.for_each_meeting(extent, visit);
        }
    }
    return found == outputs ? nullptr : &outputs_[found];
}

// Adds all outputs from the first one given to the lattices.
void MemoryOverlap::index(std::size_t first) {
    std::map<npy_intp, std::map<npy_intp, std::vector<Intervals::Interval>>> added;
    for (std::size_t i = first; i < outputs_.size(); ++i) {
        const Extent &extent = extents_[i];
        added[extent.period][residue_of(extent.low, extent.period)].push_back({extent.low, extent.high, nullptr, i});
        npy_intp &widest = lattices_[extent.period].widest;
        widest = std::max(widest, extent.block);
    }
    for (const auto &[period, by_residue] : added) {
        Lattice &lattice = lattices_[period];
        std::vector<Intervals::Interval> all;
        for (const auto &[residue, intervals] : by_residue) {
            all.insert(all.end(), intervals.begin(), intervals.end());
            if (period != 0) lattice.by_residue[residue].add(intervals);
        }
        lattice.all.add(all);
    }
}

void MemoryOverlap::add_outputs(const std::vector<LabelledArray> &arrays) {
    restore_index();
    const std::size_t before = outputs_.size();
    try {
        for (const LabelledArray &array : arrays) {
            if (PyArray_SIZE(array.first) == 0) continue;
            outputs_.push_back(array);
            extents_.push_back(bounds_of(array.first));
            find_blocks(array.first, extents_.back());
        }
        index(before);
        for (std::size_t i = before; i < outputs_.size(); ++i) {
            check_strides(outputs_[i].first, outputs_[i].second);
            bool asks_numpy = false;
            if (const LabelledArray *const other = find_overlap(outputs_[i].first, i, asks_numpy))
                throw_overlap(outputs_[i], *other);
        }
    } catch (...) {
        resize(before);
        throw;
    }
}

void MemoryOverlap::resize(std::size_t count) {
    outputs_.resize(count);
    extents_.resize(count);
    lattices_.clear();  // made again when they are needed: there may be no memory for them now
}

void MemoryOverlap::restore_index() {
    if (!lattices_.empty()) return;
    try {
        index(0);
    } catch (...) {
        lattices_.clear();
        throw;
    }
}

bool MemoryOverlap::is_clear(const Extent &extent) {
    restore_index();
    return std::none_of(lattices_.begin(), lattices_.end(),
                        [&](const auto &entry) { return entry.second.all.any_meets(extent); });
}

bool MemoryOverlap::check_disjoint(PyArrayObject *input, const Label &label) {
    if (PyArray_SIZE(input) == 0) return false;
    restore_index();
    bool asks_numpy = false;
    if (const LabelledArray *const output = find_overlap(input, outputs_.size(), asks_numpy))
        throw_overlap({input, label}, *output);
    return asks_numpy;
}

}  // namespace adagrad::arrays
