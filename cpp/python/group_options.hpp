// The options of the parameter groups: read from Python, and watched for changes.
#pragma once
#include <pybind11/pybind11.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engine/executor.hpp"
#include "python/items.hpp"

namespace adagrad {

namespace py = pybind11;

class GroupOptions {
  public:
    // `watched_keys` are the keys of a group on which the options depend.
    GroupOptions(const RuleInfo &rule, const py::tuple &watched_keys);

    // Adds groups with these numbers of parameters. `group_index`, an int32 array, gives the index with which
    // `_hyperparameters` is called for each of them.
    void add_groups(const std::vector<Py_ssize_t> &sizes, const py::object &group_index);
    // Keeps the first `params` parameters and the first `groups` groups.
    void resize(std::size_t params, std::size_t groups);

    // Reads the rule's options, by name: from the dict that the method _hyperparameters(index) of `optimizer` returns,
    // otherwise from the group itself; from the group alone if `optimizer` is None. A callable in the dict is a
    // schedule: it is called with `optimizer` and the number of steps, once for each index and each number of steps
    // among the parameters of `active`. The method itself is called once for each index, until a watched value is
    // another object; in every step if one is neither a plain number nor a callable.
    void read(const py::list &groups, const py::object &optimizer, const StepCounters &counters,
              const std::vector<std::size_t> &active);

    // Whether the watched values are the plain numbers that `read` found.
    bool unchanged(const py::list &groups) const;
    // Whether `read` found only plain numbers.
    bool are_constant() const { return constant_; }

    // For the garbage collector: visits the objects that are kept, and lets them go.
    int traverse(visitproc visit, void *arg) const;
    void clear();

    std::vector<Hyperparameters> hyperparameters;
    std::vector<std::int32_t> group_index;  // into `hyperparameters`, for each parameter

  private:
    // The result of `_hyperparameters` for an index.
    struct Given {
        std::array<double, sizeof(Packed::bytes)> values = {};      // more than any rule has
        std::vector<std::pair<std::size_t, py::object>> schedules;  // of these options
    };

    void watch(const py::list &groups);
    bool is_watched(const py::list &groups) const;  // whether the watched values are the same objects
    void read_given(std::size_t param, const py::list &groups, const py::object &optimizer);
    Given given_for(std::size_t param, const py::list &groups, const py::object &optimizer) const;
    Hyperparameters after(double steps, const Given &given, const py::object &optimizer) const;

    const RuleInfo &rule_;
    const py::str method_ = interned("_hyperparameters");
    std::vector<py::str> names_;  // of the rule's options
    py::tuple watched_keys_;
    std::vector<std::int32_t> given_index_;
    std::vector<std::size_t> group_of_;    // for each parameter
    std::vector<py::object> watched_;      // all of them, or fewer
    std::map<std::int32_t, Given> given_;  // by index
    std::size_t groups_ = 0;
    bool all_numbers_ = true;  // whether all watched values are plain numbers
    bool constant_ = false;    // whether `hyperparameters` hold as long as the watched values are the same
};

}  // namespace adagrad
