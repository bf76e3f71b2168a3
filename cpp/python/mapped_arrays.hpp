// Arrays that lie in mapped files, of which a file may have been cut short.
#pragma once
#include <optional>

#include "python/array_checks.hpp"

namespace adagrad {

namespace py = pybind11;

class MappedArrays {
  public:
    // Notes an array if it lies in a mapping. `label` returns its Label, whose texts would cost every step.
    template <class MakeLabel> void add(const py::handle &object, MakeLabel label) {
        if (!PyArray_Check(object.ptr()) || PyArray_BASE(arrays::array_of(object)) == nullptr) return;
        if (arrays::mapping_of(py::reinterpret_borrow<py::object>(object)).is_none()) return;
        if (!noted_) noted_.emplace();
        noted_->append(py::make_tuple(label().text(), object));
    }
    // Throws ValueError for a file cut short. Returns whether any array was noted: then other code may have run.
    bool check() const {
        if (!noted_) return false;
        py::module_::import("numpy_adagrad.inputs.memmap").attr("check_arrays")(*noted_);
        return true;
    }

  private:
    std::optional<py::list> noted_;  // an empty list would cost every step an allocation
};

}  // namespace adagrad
