// The step counters of a plan: Python's arrays, which a step advances.
#pragma once
#include <vector>

#include "engine/step_counters.hpp"
#include "python/overlap.hpp"

namespace adagrad {

namespace py = pybind11;

class Counters {
  public:
    // Checks that there is a counter for each parameter or one for all, as the rule counts; adds them to `outputs`.
    StepCounters bind(Counter kind, const py::list &objects, std::size_t params, const std::string &role,
                      const py::tuple &names, std::vector<arrays::LabelledArray> &outputs);

    // Whether each array still has the memory that was bound.
    bool are_current() const;

  private:
    py::list objects_;
    std::vector<void *> data_;
};

}  // namespace adagrad
