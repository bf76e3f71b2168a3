// The step counters of a plan: Python's arrays, which a step advances.
#pragma once
#include <vector>

#include "engine/step_counters.hpp"
#include "python/overlap.hpp"

namespace adagrad {

namespace py = pybind11;

class Counters {
  public:
    explicit Counters(Counter kind) { counters.kind = kind; }

    // Adds the counters of so many new parameters: one for each, or one for all, as the rule counts. Checks them, and
    // adds them to `outputs`.
    void add(const py::list &objects, std::size_t params, const std::string &role, const py::list &names,
             std::vector<arrays::LabelledArray> &outputs);
    // Removes all but the first `count`.
    void resize(std::size_t count);

    // Whether each array is still as it was checked.
    bool are_current() const;

    StepCounters counters;

  private:
    std::vector<py::object> objects_;
    std::vector<arrays::Snapshot> seen_;
};

}  // namespace adagrad
