// A plan together with the Python objects behind it: what `_core.Plan` is.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/executor.hpp"
#include "python/array_checks.hpp"
#include "python/group_options.hpp"

namespace adagrad {

namespace py = pybind11;

// How messages call the arguments: ("params", "state_sums", "grads"), or without an index ("var", "accum",
// "grad").
struct Roles {
    std::string param, state, grad;
    bool indexed;
};

// The checks of parameters alone, for a caller that has yet to make their accumulators.
void check_params(const std::string &rule, const py::list &params, const py::tuple &names);

class Stepper {
  public:
    enum : int { DONE, SKIPPED, STALE };  // integers in Python too: comparing those costs nothing

    // Checks all arrays. `counters` holds a 0-d float32 array for each parameter (torch), or the one int32
    // array of shape (1,) that all share (MindSpore). `fields`: see Asked.
    Stepper(const std::string &rule, const py::list &params, const py::list &states, const py::list &counters,
            const py::tuple &names, Roles roles, const py::tuple &fields);

    // One update. STALE, with nothing changed, when the parameters of `groups` are not current, or when without
    // `asked` it cannot be told that the groups ask what they asked last.
    int step(const py::list &groups, const py::object &grads, const std::optional<py::tuple> &asked,
             const Options &options);

    // Whether the parameters of `groups` are those of this plan, as they were when it was made.
    bool is_current(const py::list &groups) const;

    std::optional<double> grad_norm() const { return plan_.norm; }

  private:
    struct Entry {
        py::object param, state;
        bool reversed;
        arrays::Snapshot param_seen, state_seen;
        arrays::Snapshot grad_seen;  // the last gradient that passed the checks
    };

    void add(const py::object &param_object, const py::object &state_object, PyArrayObject *param,
             PyArrayObject *state);
    using Written = std::vector<std::pair<PyArrayObject *, arrays::Label>>;
    void take_counters(Written &written);
    bool counters_current() const;
    void take_gradients(const py::tuple &grads);
    void take_gradient(std::size_t index, py::handle object);
    void take_sparse_apart(const py::tuple &grads);
    void take_rows(std::size_t index, const py::tuple &parts);
    void check_sparse_decay() const;
    bool asks_the_same(const py::list &groups, const py::handle &grads) const;
    arrays::Label label(const std::string &role, std::size_t index) const;

    const py::str params_key_ = py::reinterpret_steal<py::str>(PyUnicode_InternFromString("params"));
    py::tuple names_;
    Roles roles_;
    py::list counters_;
    std::vector<Entry> entries_;
    arrays::Territory territory_;
    Asked asked_;
    Plan plan_;
    std::vector<py::object> sparse_parts_;  // one for each parameter; none at all without sparse gradients
    std::vector<py::object> held_;          // gradients made of NumPy scalars
};

}  // namespace adagrad
