#include "python/tensor_plan.hpp"

#include <pybind11/critical_section.h>

#include "python/items.hpp"

namespace adagrad {

namespace {

// Tensors ahead of the one that is read are fetched: a backward pass has pushed them from the caches.
constexpr std::size_t PREFETCH_AHEAD = 4;
// Of gradients, beyond the layouts of all other tensors. They are searched one by one, so that a plan with more of them
// is replaced by a new one.
constexpr std::size_t MAX_LAYOUTS = 256;

// Calls visit(key, value) for each item of a dict, in order, until it returns false.
template <class Visit> void each_item(const py::dict &dict, Visit visit) {
    Py_ssize_t position = 0;
    PyObject *key = nullptr, *value = nullptr;
    const py::scoped_critical_section section(dict);
    while (PyDict_Next(dict.ptr(), &position, &key, &value) && visit(key, value)) {
    }
}

}  // namespace

TensorPlan::TensorPlan(const std::string &rule, Roles roles, const py::tuple &watched_keys, const TensorReader &reader)
    : Plan(rule, roles, watched_keys), sum_key_(interned(roles.state)), counter_key_(interned(roles.counter)),
      reader_(reader) {
    roles_.library = reader.type().attr("__module__").cast<std::string>();
}

void TensorPlan::add_tensors(const py::list &params, const py::list &param_states, const py::dict &states) {
    if (params.size() != entries_.size() || param_states.size() != entries_.size())
        throw py::value_error("params: expected a tensor and a state for each array");
    const auto memory_of = [&](const py::object &tensor) {
        dlpack::Tensor memory;
        return reader_.read(tensor, memory) ? seen(memory) : TensorMemory();
    };
    const auto maybe_lazy = [&](const py::object &tensor) {
        dlpack::Tensor memory;
        return reader_.read(tensor, memory) && may_be_lazy(memory);
    };
    std::size_t group = 0;
    Py_ssize_t rest = 0;
    for (std::size_t i = 0; i < params.size(); ++i) {
        while (rest == 0) rest = group_sizes_[group++];
        --rest;
        Slot slot;
        slot.param = params[i];
        slot.group = group - 1;
        slot.state = param_states[i];
        if (PyDict_Check(slot.state.ptr())) {
            slot.sum = dict_item(slot.state, sum_key_);
            slot.counter = dict_item(slot.state, counter_key_);
        }
        if (slot.sum && slot.counter) {
            slot.param_seen = memory_of(slot.param);
            slot.sum_seen = memory_of(slot.sum);
            slot.counter_seen = memory_of(slot.counter);
            if (maybe_lazy(slot.param) || maybe_lazy(slot.sum)) maybe_lazy_.push_back(slots_.size());
        }
        slots_.push_back(std::move(slot));
    }
    each_item(states, [&](PyObject *key, PyObject *value) {
        known_states_.emplace_back(py::reinterpret_borrow<py::object>(key), py::reinterpret_borrow<py::object>(value));
        return true;
    });
}

int TensorPlan::traverse(visitproc visit, void *arg) const {
    for (const Slot &slot : slots_)
        for (const py::object *object : {&slot.param, &slot.state, &slot.sum, &slot.counter}) Py_VISIT(object->ptr());
    for (const auto &[param, state] : known_states_) {
        Py_VISIT(param.ptr());
        Py_VISIT(state.ptr());
    }
    for (const Grad &grad : grads_) Py_VISIT(grad.tensor.ptr());
    return Plan::traverse(visit, arg);
}

void TensorPlan::clear() {
    const auto slots = std::move(slots_);  // released at the end, when the plan is empty
    const auto states = std::move(known_states_);
    const auto grads = std::move(grads_);
    slots_.clear();
    maybe_lazy_.clear();
    known_states_.clear();
    grads_.clear();
    executor_.active.clear();
    Plan::clear();
}

void TensorPlan::prefetch_after(std::size_t index) const {
    if (index + PREFETCH_AHEAD >= slots_.size()) return;
    const Slot &slot = slots_[index + PREFETCH_AHEAD];
    slot.param_seen.prefetch(slot.param);
    slot.sum_seen.prefetch(slot.sum);
    slot.counter_seen.prefetch(slot.counter);
    if (slot.state) prefetch(slot.state.ptr());
}

bool TensorPlan::is_current(const Slot &slot) const {
    if (!slot.sum || !slot.counter) return true;
    dlpack::Tensor memory;
    return dict_item(slot.state, sum_key_).is(slot.sum) && dict_item(slot.state, counter_key_).is(slot.counter) &&
           reader_.read(slot.param, memory) && slot.param_seen.matches(memory) && reader_.read(slot.sum, memory) &&
           slot.sum_seen.matches(memory) && reader_.read(slot.counter, memory) && slot.counter_seen.matches(memory);
}

bool TensorPlan::any_is_lazy() const {
    return std::any_of(maybe_lazy_.begin(), maybe_lazy_.end(), [&](std::size_t index) {
        dlpack::Tensor memory;
        const Slot &slot = slots_[index];
        return (reader_.read(slot.param, memory) && is_lazy(slot.param, memory)) ||
               (reader_.read(slot.sum, memory) && is_lazy(slot.sum, memory));
    });
}

// Compared by identity and in order: a look-up would call the tensor's __hash__, which is written in Python.
bool TensorPlan::states_are_known(const py::dict &states) const {
    if (states.size() != known_states_.size()) return false;
    auto known = known_states_.begin();
    bool same = true;
    each_item(states, [&](PyObject *key, PyObject *value) {
        same = known != known_states_.end() && known->first.ptr() == key && known->second.ptr() == value;
        ++known;
        return same;
    });
    return same;
}

// Calls visit(index) for each parameter that is current; returns false at the first that is not, or if a call does.
template <class Visit>
bool TensorPlan::each_current(const py::list &groups, const py::dict &states, Visit visit) const {
    if (slots_.size() != entries_.size() || groups.size() != group_sizes_.size() || !states_are_known(states))
        return false;
    auto slot = slots_.begin();
    for (std::size_t k = 0; k < group_sizes_.size(); ++k) {
        const py::object group = list_item(groups, static_cast<Py_ssize_t>(k));
        if (!group || !PyDict_Check(group.ptr())) return false;
        const py::object params = dict_item(group, params_key_);
        if (!params || !PyList_Check(params.ptr()) || PyList_GET_SIZE(params.ptr()) != group_sizes_[k]) return false;
        for (Py_ssize_t i = 0; i < group_sizes_[k]; ++i, ++slot) {
            prefetch_after(static_cast<std::size_t>(slot - slots_.begin()));
            if (!list_item(params, i).is(slot->param) || !is_current(*slot) || !visit(slot - slots_.begin()))
                return false;
        }
    }
    return true;
}

bool TensorPlan::tensors_are_current(const py::list &groups, const py::dict &states) const {
    return each_current(groups, states, [](std::ptrdiff_t) { return true; });
}

// The fast path: all tensors are where they were, and all gradients are like the last ones. It takes one pass, as
// thousands of tensors do not fit into a cache.
bool TensorPlan::binds_like_last(const py::list &groups, const py::dict &states) {
    std::size_t j = 0;
    return each_current(groups, states, [&](std::ptrdiff_t index) {
        if (j == grads_.size() || executor_.active[j] != static_cast<std::size_t>(index)) return true;
        Grad &grad = grads_[j++];
        grad.readable = slots_[index].grad_seen.layout != nullptr && reader_.is_plain(grad.tensor) &&
                        reader_.read(grad.tensor, grad.memory);
        // To ask whether a tensor is lazy may run other code.
        if (!grad.readable || may_be_lazy(grad.memory) || !is_like_last(slots_[index], grad)) return false;
        bind_like_last(static_cast<std::size_t>(index), grad);
        return true;
    });
}

int TensorPlan::step_tensors(const py::list &groups, const py::dict &states, const py::object &optimizer,
                             double grad_scale) {
    const Stepping stepping(stepping_);
    if (!stepping.began()) return STALE;
    const ReadGradients read(*this);
    const FoundGradients found(grads_);
    if (layouts_.size() > MAX_LAYOUTS + 4 * slots_.size() || any_is_lazy()) return STALE;
    const bool same_options = group_options_.unchanged(groups);
    // To get a gradient may make its Python object, which may set off the garbage collector and any code with it.
    if (!find_grads()) return STALE;
    if (!(same_options && binds_like_last(groups, states)) && !bind_checked(groups, states, optimizer, same_options))
        return STALE;
    StepOptions options;
    options.grad_scale = grad_scale;
    return execute(options);
}

// Checks whatever is unlike the last step. Returns false if the tensors are not those of this plan.
bool TensorPlan::bind_checked(const py::list &groups, const py::dict &states, const py::object &optimizer,
                              bool same_options) {
    if (!tensors_are_current(groups, states)) return false;
    read_grads();
    bool may_have_changed = convert_grads(groups, optimizer);
    if (!same_options) {
        check_steps();
        group_options_.read(groups, optimizer, executor_.counters, executor_.active);
        may_have_changed = true;
    }
    for (std::size_t j = 0; j < grads_.size(); ++j)
        if (grads_[j].converted) bind_converted(executor_.active[j], grads_[j]);
    check_sparse_allowed();
    return !may_have_changed || (tensors_are_current(groups, states) && grads_are_unmoved());
}

py::list TensorPlan::updated() const {
    py::list params;
    for (const std::size_t index : executor_.active) params.append(slots_[index].param);
    return params;
}

}  // namespace adagrad
