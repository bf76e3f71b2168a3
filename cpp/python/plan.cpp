#include "python/plan.hpp"

#include <cmath>
#include <stdexcept>

#include "engine/fp_env.hpp"
#include "engine/parallel.hpp"
#include "python/items.hpp"
#include "python/without_gil.hpp"

namespace adagrad {
namespace {

// Whether a gradient is a container of gradients.
bool is_container(const py::handle &item) {
    if (PyArray_Check(item.ptr()) || item.is_none()) return false;
    if (PyList_Check(item.ptr()) || PyTuple_Check(item.ptr()) || PyDict_Check(item.ptr())) return true;
    return PyObject_HasAttrString(reinterpret_cast<PyObject *>(Py_TYPE(item.ptr())), "__dataclass_fields__") == 1;
}

bool is_flat_sequence(const py::handle &grads) {
    const bool is_list = PyList_CheckExact(grads.ptr());
    if (!is_list && !PyTuple_CheckExact(grads.ptr())) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(grads.ptr()); ++i) {
        const py::object item =
            is_list ? list_item(grads, i) : py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(grads.ptr(), i));
        if (item && is_container(item)) return false;
    }
    return true;
}

// The values of a dict that has exactly these keys, in their order; otherwise a null object.
py::object in_order(const py::handle &dict, const py::list &names) {
    const auto count = static_cast<Py_ssize_t>(names.size());
    if (count == 0 || PyDict_Size(dict.ptr()) != count) return {};
    py::tuple values(count);
    for (Py_ssize_t i = 0; i < count; ++i) {
        py::object value = dict_item(dict, PyList_GET_ITEM(names.ptr(), i));
        if (!value) return {};
        PyTuple_SET_ITEM(values.ptr(), i, value.release().ptr());
    }
    return values;
}

py::object attribute(const py::handle &object, const py::str &name) {
    auto found = py::reinterpret_steal<py::object>(PyObject_GetAttr(object.ptr(), name.ptr()));
    if (!found) throw py::error_already_set();
    return found;
}

py::tuple as_tuple(const py::handle &sequence) {
    auto tuple = py::reinterpret_steal<py::tuple>(PySequence_Tuple(sequence.ptr()));
    if (!tuple) throw py::error_already_set();
    return tuple;
}

}  // namespace

bool is_flat(const py::object &grads) {
    if (!PyDict_CheckExact(grads.ptr())) return is_flat_sequence(grads);
    const auto values = py::reinterpret_steal<py::list>(PyDict_Values(grads.ptr()));
    if (!values) throw py::error_already_set();
    return is_flat_sequence(values);
}

arrays::Label Plan::label(const std::string &role, std::size_t index) const {
    return {role, roles_.indexed ? static_cast<Py_ssize_t>(index) : -1, &names_, 0, {}, roles_.library};
}

Plan::Plan(const std::string &rule, Roles roles, const py::tuple &watched_keys)
    : rule_(find_rule(rule)), roles_(std::move(roles)), counters_(executor_.counters, rule_.counter),
      group_options_(rule_, watched_keys) {
    executor_.rule = &rule_;
}

void Plan::check_shared(const py::object &optimizer) const {
    if (optimizer.is_none()) return;
    const py::object check = attribute(optimizer, check_key_);
    if (!check.is_none()) check();
}

void Plan::forget_scheduled(const py::object &optimizer) const {
    if (!optimizer.is_none()) PyDict_Clear(attribute(optimizer, scheduled_key_).ptr());
}

py::object Plan::with_scheduled(const py::object &optimizer) const {
    const py::object last = attribute(optimizer, last_scheduled_key_);
    auto result =
        py::reinterpret_steal<py::object>(PyNumber_Or(last.ptr(), attribute(optimizer, scheduled_key_).ptr()));
    if (!result) throw py::error_already_set();
    return result;
}

int Plan::step(const py::list &groups, const py::object &grads, const py::object &optimizer,
               const StepOptions &options) {
    const Stepping stepping(stepping_);
    if (!stepping.began()) return STALE;
    // Our own tuple keeps the gradients alive while the GIL is released.
    const py::tuple own_grads = as_tuple(grads);
    const ReadGradients read(*this);
    const bool continues = options.range && !options.range->is_first;
    const bool same_options = continues || group_options_.unchanged(groups);
    std::vector<py::object> held = std::move(held_);
    if (!arrays_are_current(groups, held)) return STALE;
    find_active(own_grads);
    // Other code may run while files are checked, gradients read and options read, and change anything.
    bool may_have_changed = check_files(own_grads);
    may_have_changed |= read_other_grads(own_grads);
    if (!same_options) {
        check_steps();
        forget_scheduled(optimizer);
        group_options_.read(groups, optimizer, executor_.counters, executor_.active);
        may_have_changed = true;
    }
    // The memory for the values of schedules is there before anything is updated. Other code may run here, too.
    const bool ends_step = !options.range || options.range->is_last;
    const bool keeps_scheduled = ends_step && !group_options_.are_constant() && !optimizer.is_none();
    const py::object scheduled = keeps_scheduled ? with_scheduled(optimizer) : py::none();
    may_have_changed |= keeps_scheduled;
    if (may_have_changed) {
        check_shared(optimizer);
        if (!arrays_are_current(groups, held)) return STALE;
    }
    bind_grads(own_grads);
    check_sparse_allowed();
    // It may also have run while gradients were bound: NumPy may have looked for an overlap, or a dtype was released.
    if (may_have_run_code_ && !(arrays_are_current(groups, held) && grads_are_current(own_grads))) return STALE;
    const int outcome = execute(options);
    if (keeps_scheduled && outcome == DONE) py::setattr(optimizer, last_scheduled_key_, scheduled);
    held.clear();
    held_ = std::move(held);
    return outcome;
}

int Plan::try_step(const py::list &groups, const py::object &grads, const py::object &optimizer,
                   const StepOptions &options) {
    if (is_flat_sequence(grads)) {
        // Another number is an error, unless None stands for a layer.
        const bool is_complete = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(grads.ptr())) == entries_.size();
        return is_complete ? step(groups, grads, optimizer, options) : STALE;
    }
    const py::object by_name = PyDict_CheckExact(grads.ptr()) ? in_order(grads, names_) : py::object();
    return by_name ? step(groups, by_name, optimizer, options) : STALE;
}

void Plan::check_steps() const {
    const auto check = [](double steps, const auto &name) {
        const bool is_number = steps >= 0 && std::isfinite(steps);
        // From 2^62 on, each number is whole; some have no int64.
        if (is_number && (steps >= 0x1p62 || steps == static_cast<double>(static_cast<std::int64_t>(steps)))) return;
        throw py::value_error(name() + ": expected a whole number of steps, got " +
                              std::string(py::str(py::float_(steps))));
    };
    if (!executor_.counters.per_parameter()) return check(executor_.counters.steps(0), [&] { return roles_.counter; });
    for (const std::size_t index : executor_.active)
        check(executor_.counters.steps(index), [&] { return label(roles_.counter, index).text(); });
}

int Plan::execute(const StepOptions &options) {
    check_steps();
    if (!executor_.counters.has_room())
        throw std::overflow_error(roles_.counter + ": expected fewer steps, got the largest number that it can count");
    const FpEnvGuard guard;
    bool done = false;
    const auto call = [&] {
        executor_.prepare(group_options_.hyperparameters, group_options_.group_index, options);
        done = executor_.step(options);
    };
    try {
        executor_.has_elements(GRAIN_SIZE) ? without_gil(call) : call();
    } catch (const IndexOutOfRange &found) {
        raise_out_of_range(found);
    }
    return done ? DONE : SKIPPED;
}

}  // namespace adagrad
