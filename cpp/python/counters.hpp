// Python's arrays of step counters, which a step advances.
#pragma once
#include <vector>

#include "engine/step_counters.hpp"
#include "python/overlap.hpp"

namespace adagrad {

namespace py = pybind11;

class Counters {
  public:
    // Refers to the counters of an executor, whose memory it checks and keeps alive.
    Counters(StepCounters &counters, Counter kind) : counters_(counters) { counters_.kind = kind; }

    // Adds the counters of `params` new parameters: one for each, or one for all, as the rule counts. Checks them, and
    // adds them to `outputs`.
    void add(const py::list &objects, std::size_t params, const std::string &role, const py::list &names,
             std::vector<arrays::LabelledArray> &outputs);
    // Removes all but the first `count`.
    void resize(std::size_t count);

    // Whether each array is still as it was checked.
    bool are_current() const;

  private:
    StepCounters &counters_;
    std::vector<py::object> objects_;
    std::vector<arrays::Snapshot> seen_;
};

}  // namespace adagrad
