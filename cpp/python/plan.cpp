#include "python/plan.hpp"

#include <algorithm>

#include "engine/dispatch.hpp"
#include "engine/parallel.hpp"

namespace adagrad {

using arrays::array_of;

namespace {

Rule rule_of(const std::string &name) {
    if (name == "torch") return TORCH;
    if (name == "mindspore") return MINDSPORE;
    if (name == "floor") return FLOOR;
    throw py::value_error("rule: expected 'torch', 'mindspore' or 'floor', got '" + name + "'");
}

// MindSpore centralises a gradient only where its operator would be chosen.
std::ptrdiff_t centralized_row(PyArrayObject *array) {
    if (PyArray_NDIM(array) < 2 || PyArray_DIM(array, 1) % 16 != 0 || PyArray_SIZE(array) == 0) return 0;
    return PyArray_SIZE(array) / PyArray_DIM(array, 0);
}

void check_counter(const py::object &object, bool torch, const arrays::Label &label) {
    PyArrayObject *const array = array_of(object);
    const bool fits = PyArray_Check(object.ptr()) && PyArray_ISBEHAVED(array) &&
                      (torch ? PyArray_NDIM(array) == 0 && PyArray_TYPE(array) == NPY_FLOAT
                             : PyArray_SIZE(array) == 1 && PyArray_TYPE(array) == NPY_INT32);
    if (!fits)
        throw py::type_error(label.text() + ": expected a writeable " +
                             (torch ? "float32 array of shape ()" : "int32 array of shape (1,)"));
}

PyArrayObject *checked_param(Rule rule, py::handle object, const arrays::Label &label) {
    PyArrayObject *const param = arrays::checked(object, label);
    if (rule == MINDSPORE && arrays::is_complex(arrays::dtype_of(param)))
        throw py::type_error(label.text() + ": expected a real array, got a complex one");
    arrays::check_writeable(param, label);
    return param;
}

PyArrayObject *checked_state(py::handle object, PyArrayObject *param, const arrays::Label &label) {
    PyArrayObject *const state = arrays::checked(object, label);
    arrays::check_writeable(state, label);
    arrays::check_shape(state, param, label);
    arrays::types_of(param, state, label);
    return state;
}

}  // namespace

void check_params(const std::string &rule, const py::list &params, const py::tuple &names) {
    for (std::size_t i = 0; i < params.size(); ++i)
        checked_param(rule_of(rule), params[i], {"params", static_cast<Py_ssize_t>(i), &names});
}

arrays::Label Stepper::label(const std::string &role, std::size_t index) const {
    return {role, roles_.indexed ? static_cast<Py_ssize_t>(index) : -1, &names_};
}

Stepper::Stepper(const std::string &rule, const py::list &params, const py::list &states, const py::list &counters,
                 const py::tuple &names, Roles roles, const py::tuple &fields)
    : names_(names), roles_(std::move(roles)), counters_(counters), asked_(rule_of(rule), fields) {
    plan_.rule = rule_of(rule);
    Written written, states_written;
    for (std::size_t i = 0; i < params.size(); ++i) {
        PyArrayObject *const param = checked_param(plan_.rule, params[i], label(roles_.param, i));
        PyArrayObject *const state = checked_state(states[i], param, label(roles_.state, i));
        add(params[i], states[i], param, state);
        written.emplace_back(param, label(roles_.param, i));
        states_written.emplace_back(state, label(roles_.state, i));
    }
    written.insert(written.end(), states_written.begin(), states_written.end());
    take_counters(written);
    territory_.claim(written);
}

void Stepper::add(const py::object &param_object, const py::object &state_object, PyArrayObject *param,
                  PyArrayObject *state) {
    Tensor tensor;
    tensor.count = PyArray_SIZE(param) * (arrays::is_complex(arrays::dtype_of(param)) ? 2 : 1);
    tensor.row_length = plan_.rule == MINDSPORE ? centralized_row(param) : 0;
    // Elements may be visited in any order, except where rows matter.
    const bool reversed = PyArray_IS_F_CONTIGUOUS(param) && tensor.row_length == 0;
    tensor.param = arrays::view_of(param, reversed);
    tensor.state = arrays::view_of(state, reversed);
    plan_.tensors.push_back(std::move(tensor));
    entries_.push_back({param_object, state_object, reversed, arrays::Snapshot(param), arrays::Snapshot(state), {}});
}

void Stepper::take_counters(Written &written) {
    if (plan_.rule == FLOOR) return;
    const bool torch = plan_.rule == TORCH;
    for (std::size_t i = 0; i < (torch ? entries_.size() : 1); ++i) {
        const py::object counter = counters_[i];
        const arrays::Label counter_label = {torch ? "state_steps" : "global_step",
                                             torch ? static_cast<Py_ssize_t>(i) : -1, &names_};
        check_counter(counter, torch, counter_label);
        written.emplace_back(array_of(counter), counter_label);
        void *const data = PyArray_DATA(array_of(counter));
        if (torch)
            plan_.tensors[i].step = static_cast<float *>(data);
        else
            plan_.global_step = static_cast<std::int32_t *>(data);
    }
}

bool Stepper::is_current(const py::list &groups) const {
    std::size_t index = 0;
    for (const py::handle group : groups) {
        PyObject *const params =
            PyDict_Check(group.ptr()) ? PyDict_GetItemWithError(group.ptr(), params_key_.ptr()) : nullptr;
        if (params == nullptr || (!PyList_Check(params) && !PyTuple_Check(params))) return false;
        const Py_ssize_t size = PySequence_Fast_GET_SIZE(params);
        for (Py_ssize_t i = 0; i < size; ++i, ++index) {
            if (index == entries_.size()) return false;
            const Entry &entry = entries_[index];
            if (PySequence_Fast_GET_ITEM(params, i) != entry.param.ptr() ||
                !entry.param_seen.holds(array_of(entry.param)) || !entry.state_seen.holds(array_of(entry.state)))
                return false;
        }
    }
    return index == entries_.size() && counters_current();
}

bool Stepper::counters_current() const {
    const auto holds = [this](Py_ssize_t i, const void *data) {
        auto *const counter = reinterpret_cast<PyArrayObject *>(PyList_GET_ITEM(counters_.ptr(), i));
        return PyArray_DATA(counter) == data && PyArray_SIZE(counter) == 1 && PyArray_ISWRITEABLE(counter);
    };
    if (plan_.rule == MINDSPORE) return holds(0, plan_.global_step);
    for (std::size_t i = 0; plan_.rule == TORCH && i < entries_.size(); ++i)
        if (!holds(static_cast<Py_ssize_t>(i), plan_.tensors[i].step)) return false;
    return true;
}

void Stepper::take_gradient(std::size_t index, py::handle object) {
    Entry &entry = entries_[index];
    Tensor &tensor = plan_.tensors[index];
    plan_.active.push_back(index);
    tensor.sparse = false;
    if (PyArray_CheckExact(object.ptr())) {
        auto *const same = reinterpret_cast<PyArrayObject *>(object.ptr());
        if (entry.grad_seen.holds(same)) return;
        if (entry.grad_seen.is_like(same)) {
            territory_.check_apart(same, label(roles_.grad, index));
            tensor.grad.data = tensor.ordered_grad.data = static_cast<char *>(PyArray_DATA(same));
            entry.grad_seen.move_to(same);
            return;
        }
    }
    if (PyArray_IsScalar(object.ptr(), Generic)) {  // what NumPy makes of a 0-d result
        held_.push_back(py::reinterpret_steal<py::object>(PyArray_FromScalar(object.ptr(), nullptr)));
        object = held_.back();
    } else if (!PyArray_Check(object.ptr()) && !sparse_parts_.empty() && !sparse_parts_[index].is_none()) {
        return take_rows(index, sparse_parts_[index]);
    }
    const arrays::Label grad_label = label(roles_.grad, index);
    PyArrayObject *const grad = arrays::plain_array(object, grad_label);
    const Types types = arrays::types_of(array_of(entry.param), array_of(entry.state), grad, grad_label);
    arrays::check_memory(grad, grad_label);
    arrays::check_shape(grad, array_of(entry.param), grad_label);
    territory_.check_apart(grad, grad_label);
    tensor.kernels = &isa().table->of[plan_.rule][types];
    tensor.grad = arrays::view_of(grad, entry.reversed);
    tensor.ordered_grad = entry.reversed ? arrays::view_of(grad, false) : tensor.grad;
    entry.grad_seen = arrays::Snapshot(grad);
}

void Stepper::take_sparse_apart(const py::tuple &grads) {
    sparse_parts_.clear();
    for (std::size_t i = 0; i < std::min(grads.size(), entries_.size()); ++i) {
        const py::handle grad = PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(i));
        if (grad.is_none() || PyArray_Check(grad.ptr()) || PyArray_IsScalar(grad.ptr(), Generic)) continue;
        sparse_parts_.resize(entries_.size(), py::none());
        sparse_parts_[i] = py::module_::import("numpy_adagrad.inputs.sparse")
                               .attr("parts_of")(grad, entries_[i].param.attr("shape"), label(roles_.grad, i).text());
    }
}

void Stepper::take_gradients(const py::tuple &grads) {
    if (grads.size() != entries_.size())
        throw py::value_error(roles_.grad + ": expected " + std::to_string(entries_.size()) +
                              " arrays, one for each parameter, got " + std::to_string(grads.size()));
    plan_.active.clear();
    held_.clear();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const py::handle grad = PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(i));
        if (!grad.is_none() || !roles_.indexed) take_gradient(i, grad);
    }
}

bool Stepper::asks_the_same(const py::list &groups, const py::handle &grads) const {
    // Anything but a sequence of arrays is first put in order by the optimizer.
    if (!PyList_CheckExact(grads.ptr()) && !PyTuple_CheckExact(grads.ptr())) return false;
    const bool named =
        PySequence_Fast_GET_SIZE(grads.ptr()) != 0 && PyTuple_Check(PySequence_Fast_GET_ITEM(grads.ptr(), 0));
    return !named && asked_.holds(groups);
}

int Stepper::step(const py::list &groups, const py::object &grads, const std::optional<py::tuple> &asked,
                  const Options &options) {
    // What may run code of others comes before the arrays are looked at.
    if (asked)
        asked_.read(groups, *asked, entries_.size());
    else if (!asks_the_same(groups, grads))
        return STALE;
    // A tuple of our own keeps the gradients alive while the GIL is released.
    const auto own = py::reinterpret_steal<py::tuple>(PySequence_Tuple(grads.ptr()));
    if (!own) throw py::error_already_set();
    take_sparse_apart(own);
    if (!is_current(groups)) return STALE;
    take_gradients(own);
    check_sparse_decay();
    plan_.prepare(asked_.hypers, asked_.which, options);
    bool moved;
    if (plan_.elements() < threads::GRAIN) {
        moved = plan_.step(options);
    } else {
        const py::gil_scoped_release release;
        moved = plan_.step(options);
    }
    held_.clear();
    sparse_parts_.clear();
    return moved ? DONE : SKIPPED;
}

}  // namespace adagrad
