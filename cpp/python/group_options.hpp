// What the groups ask of a step, read from Python, and whether they still ask the same.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <vector>

#include "engine/executor.hpp"

namespace adagrad {

namespace py = pybind11;

class Asked {
  public:
    // `fields` are the keys of a group from which the optimizer makes what it asks.
    Asked(Rule rule, const py::tuple &fields);

    // Reads `asked`: a list with tuples of the rule's hyper-parameters, and an int32 array that tells for each
    // parameter which of them it takes. Keeps what it found in `groups`.
    void read(const py::list &groups, const py::tuple &asked, std::size_t params);

    // Whether the groups hold the very objects that were there when `read` was called, none of which can change.
    bool holds(const py::list &groups) const;

    std::vector<Hyper> hypers;
    std::vector<std::int32_t> which;

  private:
    Rule rule_;
    py::tuple fields_;
    std::vector<py::object> seen_;
    bool lasting_ = false;
};

}  // namespace adagrad
