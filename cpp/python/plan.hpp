// `_core.Plan`: the arrays of an optimizer, bound and checked. What nearly every step finds unchanged is checked once,
// and compared afterwards.
#pragma once
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "engine/executor.hpp"
#include "engine/parallel.hpp"
#include "python/array_checks.hpp"
#include "python/counters.hpp"
#include "python/group_options.hpp"
#include "python/items.hpp"
#include "python/overlap.hpp"

namespace adagrad {

// The names of the arguments in messages: ("params", "state_sums", "grads", "state_steps"), or without an index ("var",
// "accum", "grad", "global_step").
struct Roles {
    std::string param, state, grad, counter;
    bool indexed;
    std::string library = {};  // of tensors; empty for arrays
};

// Checks parameters alone, also that they do not overlap, before their accumulators exist. `first` is the flat index
// of the first of them.
void check_params(const std::string &rule, const py::list &params, const py::list &names, std::size_t first);

// Marks a plan as stepping in this process, unless it is already.
class Stepping {
  public:
    explicit Stepping(std::atomic<int> &process) : process_(process) {
        int before = process.load();
        began_ = before != fork_count() && process.compare_exchange_strong(before, fork_count());
    }
    ~Stepping() {
        if (began_) process_ = -1;
    }
    Stepping(const Stepping &) = delete;
    Stepping &operator=(const Stepping &) = delete;
    bool began() const { return began_; }

  private:
    std::atomic<int> &process_;
    bool began_;
};

// Whether a list, tuple or dict holds no other container; false for anything else.
bool is_flat(const py::object &grads);

class Plan {
  public:
    enum : int { DONE, SKIPPED, STALE };  // plain integers in Python too, which are quick to compare

    Plan(const std::string &rule, Roles roles, const py::tuple &watched_keys);

    // Checks and adds groups with the accumulators and names of their parameters; `counters` has an array for each, or
    // one for all, as the rule counts. For `group_index` see GroupOptions. Then commits `pairs`, in the same call, so
    // that an interrupt finds all of it done or nothing. Nothing is added if an array does not fit.
    void add_groups(const py::list &groups, const py::list &states, const py::list &counters, const py::list &names,
                    const py::object &group_index, const py::list &pairs);

    // One update. If a watched value has changed, `optimizer` is called as GroupOptions::read says. Returns SKIPPED
    // with `only_norm` or `only_check`. Returns STALE, with nothing changed, if the parameters in `groups` are not
    // current, or if code that ran during the checks has changed an array: then a new plan is needed. So too if this
    // plan is stepping already. All ranges of a step use the options that the first one reads.
    int step(const py::list &groups, const py::object &grads, const py::object &optimizer, const StepOptions &options);

    // The same for gradients as a user gives them: also returns STALE unless they are a list or tuple without names, or
    // a dict with exactly the names of the parameters.
    int try_step(const py::list &groups, const py::object &grads, const py::object &optimizer,
                 const StepOptions &options);

    // Whether `groups` has the parameters that the plan was made for, unchanged, in the same groups, with the same
    // names.
    bool is_current(const py::list &groups) const {
        std::vector<py::object> held;
        return arrays_are_current(groups, held);
    }

    // Whether `groups` are as many as the plan was made for, and have as many parameters: quicker than is_current.
    bool has_sizes(const py::list &groups) const;

    // Whether the caller is inside a step: schedules and sparse gradients run other people's code there.
    bool is_stepping() const { return stepping_ == fork_count(); }

    // Calls a function that makes arrays for the plan, by other people's code: meanwhile the plan counts as stepping.
    void call_as_step(const py::function &function) {
        const Stepping stepping(stepping_);
        function();
    }

    std::optional<double> grad_norm() const { return executor_.norm; }
    void set_grad_norm(std::optional<double> norm) { executor_.norm = norm; }
    bool has_counters() const { return !executor_.counters.data.empty(); }

    // For the garbage collector: visits the objects that the plan holds, and lets them go. No array is current then.
    int traverse(visitproc visit, void *arg) const;
    void clear();

  protected:
    // Lets the gradients that a step has read go when it ends, also by an error, and before it begins: a process that
    // is forked while another thread is in a step inherits those.
    class ReadGradients {
      public:
        explicit ReadGradients(Plan &plan) : plan_(plan) { release(); }
        ~ReadGradients() { release(); }
        ReadGradients(const ReadGradients &) = delete;
        ReadGradients &operator=(const ReadGradients &) = delete;

      private:
        void release() {
            plan_.converted_.clear();
            plan_.other_grads_.clear();
        }

        Plan &plan_;
    };

    struct Entry {
        py::object param, state;
        bool reversed;  // walked in Fortran order
        arrays::Snapshot param_seen, state_seen;
        arrays::Snapshot grad_seen;                  // the last gradient that passed the checks
        arrays::Snapshot indices_seen, values_seen;  // of a sparse gradient, in this step
    };

    // As is_current. Other code runs only before the first comparison. What it reads is added to `held`: to release the
    // last reference to it may run other code too.
    bool arrays_are_current(const py::list &groups, std::vector<py::object> &held) const;
    bool grads_are_current(const py::tuple &grads) const;

    void add_param(const py::object &param, const py::object &state, std::vector<arrays::LabelledArray> &params,
                   std::vector<arrays::LabelledArray> &states);
    std::vector<Py_ssize_t> add_params(const py::list &groups, const py::list &states,
                                       std::vector<arrays::LabelledArray> &outputs);
    void resize(std::size_t params, std::size_t counters, std::size_t groups);
    void bind_grads(const py::tuple &grads);
    void bind_grad(std::size_t index, py::handle grad);
    void bind_dense(std::size_t index, py::handle grad);
    void bind_sparse(std::size_t index, const py::tuple &parts);
    // Throws an error for a counter that holds no number: a schedule could not be called, and NaN would spread.
    void check_steps() const;
    void raise_out_of_range(const IndexOutOfRange &found) const;
    bool check_files(const py::tuple &grads);  // whether any dense gradient may lie in a file
    // Returns whether any gradient is neither an array nor a scalar of NumPy.
    bool read_other_grads(const py::tuple &grads);
    void check_sparse_allowed() const;
    // Calls the optimizer's _check_shared, unless it is None: other code may have moved memory that arrays share with
    // a framework.
    void check_shared(const py::object &optimizer) const;
    // Forgets the values of schedules that a step which failed has left in the dict _scheduled of the optimizer.
    void forget_scheduled(const py::object &optimizer) const;
    // A copy of its dict _last_scheduled, with those of this step.
    py::object with_scheduled(const py::object &optimizer) const;
    void find_active(const py::tuple &grads);
    int execute(const StepOptions &options);
    arrays::Label label(const std::string &role, std::size_t index) const;

    const py::str params_key_ = interned("params"), names_key_ = interned("param_names");
    const py::str check_key_ = interned("_check_shared");
    const py::str scheduled_key_ = interned("_scheduled"), last_scheduled_key_ = interned("_last_scheduled");
    const RuleInfo &rule_;
    py::list names_;
    Roles roles_;
    std::vector<Py_ssize_t> group_sizes_;
    // The process that is in a step, by its fork_count: a child that is forked during a step may step.
    std::atomic<int> stepping_{-1};
    std::vector<Entry> entries_;
    Executor executor_;
    Counters counters_;
    arrays::MemoryOverlap memory_;
    GroupOptions group_options_;
    // Gradients that are not NumPy arrays, as read: the parts of a sparse gradient, or an array; None for the others.
    // One for each parameter; empty if all are arrays.
    std::vector<py::object> other_grads_;
    std::vector<py::object> converted_;  // gradients made of NumPy scalars
    std::vector<py::object> held_;       // empty; keeps its memory for the next step
    bool may_have_run_code_ = false;     // whether other code may have run while gradients were bound
};

}  // namespace adagrad
