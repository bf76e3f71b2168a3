// `_core.TensorPlan`: a plan whose arrays lie over the memory of a framework's tensors. The framework may move a tensor
// at any time, so that every step reads all addresses again.
#pragma once
#include "python/plan.hpp"
#include "python/tensor_memory.hpp"

namespace adagrad {

class TensorPlan : public Plan {
  public:
    TensorPlan(const std::string &rule, Roles roles, const py::tuple &watched_keys, const TensorReader &reader);

    // The tensors over which the arrays of `add_groups` lie. `param_states` has for each parameter the dict of its
    // accumulator and its counter, or None: such a parameter has an empty array, and gets no update. `states` is the
    // optimizer's dict of them.
    void add_tensors(const py::list &params, const py::list &param_states, const py::dict &states);

    // One update with the attribute `grad` of each parameter. The method _read_grad(index, group, param, grad) of
    // `optimizer` converts a gradient unlike the last one: to an array, or to the parts of a sparse gradient. The rest
    // is as in Plan::step: STALE means that the tensors or the states are not those of this plan.
    int step_tensors(const py::list &groups, const py::dict &states, const py::object &optimizer, double grad_scale);

    // The parameters that the last step updated.
    py::list updated() const;

    int traverse(visitproc visit, void *arg) const;
    void clear();

  private:
    struct Slot {
        py::object param, state, sum, counter;  // null but for the parameter if there is no state
        TensorMemory param_seen, sum_seen, counter_seen;
        TensorMemory grad_seen;         // the last gradient that passed the checks
        std::ptrdiff_t grad_bytes = 0;  // from its address to the end of its memory; strides are not negative
        std::size_t group = 0;
    };
    struct Grad {
        py::object tensor;
        dlpack::Tensor memory;
        bool readable = false;  // `memory` is valid
        py::object converted;   // if the gradient is unlike the last one
    };
    // Lets the gradients of a step go when it ends, also by an error, and before it begins: a process that is forked
    // while another thread is in a step inherits those. To release one may run other code, and the garbage collector
    // with it, which must not find it in the plan.
    class FoundGradients {
      public:
        explicit FoundGradients(std::vector<Grad> &grads) : grads_(grads) { release(); }
        ~FoundGradients() { release(); }
        FoundGradients(const FoundGradients &) = delete;
        FoundGradients &operator=(const FoundGradients &) = delete;

      private:
        void release() {
            std::vector<Grad> released = std::move(grads_);
            released.clear();
            grads_ = std::move(released);  // empty; keeps its memory for the next step
        }

        std::vector<Grad> &grads_;
    };

    template <class Visit> bool each_current(const py::list &groups, const py::dict &states, Visit visit) const;
    bool tensors_are_current(const py::list &groups, const py::dict &states) const;
    bool binds_like_last(const py::list &groups, const py::dict &states);
    bool bind_checked(const py::list &groups, const py::dict &states, const py::object &optimizer, bool same_options);
    bool states_are_known(const py::dict &states) const;
    bool any_is_lazy() const;  // asks tensors, which may run other code
    TensorMemory seen(const dlpack::Tensor &memory) {
        return {memory.data, layouts_.find_or_add(memory), memory.shape};
    }
    void prefetch_after(std::size_t index) const;
    bool is_current(const Slot &slot) const;
    bool find_grads();  // returns false if a parameter without state has one
    void read_grads();
    bool is_like_last(const Slot &slot, const Grad &grad);
    // Binds gradients like the last ones and converts the others; returns whether other code may have run.
    bool convert_grads(const py::list &groups, const py::object &optimizer);
    void bind_like_last(std::size_t index, const Grad &grad);
    void bind_converted(std::size_t index, const Grad &grad);
    bool grads_are_unmoved();

    const py::str grad_key_ = interned("grad");
    const py::str sum_key_, counter_key_;
    TensorReader reader_;
    TensorLayouts layouts_;
    std::vector<Slot> slots_;
    std::vector<std::size_t> maybe_lazy_;  // parameters that may have become lazy, or whose accumulators may
    std::vector<std::pair<py::object, py::object>> known_states_;  // in the order of the optimizer's dict
    std::vector<Grad> grads_;                                      // of the active parameters
};

}  // namespace adagrad
