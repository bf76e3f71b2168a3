// The options of the parameter groups: read from Python, and watched for changes.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <vector>

#include "engine/executor.hpp"
#include "python/items.hpp"

namespace adagrad {

namespace py = pybind11;

class GroupOptions {
  public:
    // `watched_keys` are the keys of a group on which the options depend.
    GroupOptions(const RuleInfo &rule, const py::tuple &watched_keys);

    // Adds groups with so many parameters each. `group_index`, an int32 array, gives the index with which
    // `_hyperparameters` is called for each of them.
    void add_groups(const std::vector<Py_ssize_t> &sizes, const py::object &group_index);
    // Removes all but so many parameters and groups.
    void resize(std::size_t params, std::size_t groups);

    // Reads the rule's options, by name: from the dict that the method _hyperparameters(index, steps) of `optimizer`
    // returns, otherwise from the group itself; from the group alone if `optimizer` is None. The method is called once
    // for each index. If a watched value is no plain number, the options may depend on the number of steps: then it is
    // called once for each index and number of steps among the parameters of `active`.
    void read(const py::list &groups, const py::object &optimizer, const StepCounters &counters,
              const std::vector<std::size_t> &active);

    // Whether the watched values are the plain numbers that `read` found.
    bool unchanged(const py::list &groups) const;

    std::vector<Hyperparameters> hyperparameters;
    std::vector<std::int32_t> group_index;  // into `hyperparameters`, for each parameter

  private:
    bool watch(const py::list &groups);
    Hyperparameters convert(const py::list &groups, std::size_t index, const py::object &options) const;

    const RuleInfo &rule_;
    const py::str method_ = interned("_hyperparameters");
    std::vector<py::str> names_;  // of the rule's options
    py::tuple watched_keys_;
    std::vector<std::int32_t> given_index_;
    std::vector<std::size_t> group_of_;  // for each parameter
    std::vector<py::object> watched_;
    std::size_t groups_ = 0;
    bool constant_ = false;
};

}  // namespace adagrad
