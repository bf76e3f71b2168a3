#include "python/plan.hpp"

#include <algorithm>

#include "engine/fp_env.hpp"
#include "engine/parallel.hpp"
#include "python/commit.hpp"
#include "python/items.hpp"
#include "python/without_gil.hpp"

namespace adagrad {

using arrays::array_of;

namespace {

PyArrayObject *checked_param(const RuleInfo &rule, py::handle object, const arrays::Label &label) {
    PyArrayObject *const param = arrays::checked_array(object, label);
    if (!rule.takes_complex && arrays::is_complex(arrays::dtype_of(param)))
        throw py::type_error(label.text() + ": expected a real array, got a complex one");
    arrays::check_writeable(param, label);
    return param;
}

PyArrayObject *checked_state(const RuleInfo &rule, py::handle object, PyArrayObject *param,
                             const arrays::Label &label) {
    PyArrayObject *const state = arrays::checked_array(object, label);
    arrays::check_writeable(state, label);
    rule.has_row_accumulator ? arrays::check_row_shape(state, param, label) : arrays::check_shape(state, param, label);
    arrays::dtype_combo(param, state, label);
    return state;
}

// A list or tuple in a group, None for anything else, and null if there is nothing.
py::object sequence_of(const py::handle &group, const py::str &key) {
    py::object found = group && PyDict_Check(group.ptr()) ? dict_item(group, key) : py::object();
    if (!found || PyTuple_Check(found.ptr())) return found;
    if (!PyList_Check(found.ptr())) return py::none();
#ifdef Py_GIL_DISABLED
    return list_as_tuple(found);  // another thread may change the list while it is compared
#else
    return found;
#endif
}

// The parameters of a group as a list or tuple; null if there are none.
py::object params_of(const py::handle &group, const py::str &key) {
    py::object found = sequence_of(group, key);
    return found && !found.is_none() ? found : py::object();
}

// Whether these are the known names of a group's parameters, the first of which has the flat index `start`. Names are
// compared by identity: at worst, equal ones are read again.
bool names_match(const py::object &found, const py::list &known, Py_ssize_t start, Py_ssize_t count) {
    if (!found) return known.empty();
    PyObject *const names = found.ptr();
    if (names == Py_None || PySequence_Fast_GET_SIZE(names) != count) return false;
    if (start + count > static_cast<Py_ssize_t>(known.size())) return false;
    for (Py_ssize_t i = 0; i < count; ++i)
        if (PySequence_Fast_GET_ITEM(names, i) != PyList_GET_ITEM(known.ptr(), start + i)) return false;
    return true;
}

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

void check_params(const std::string &rule, const py::list &params, const py::list &names, std::size_t first) {
    for (std::size_t i = 0; i < params.size(); ++i) {
        const arrays::Label label = {"params", static_cast<Py_ssize_t>(first + i), &names,
                                     static_cast<Py_ssize_t>(first)};
        arrays::check_strides(checked_param(find_rule(rule), params[i], label), label);
    }
}

arrays::Label Plan::label(const std::string &role, std::size_t index) const {
    return {role, roles_.indexed ? static_cast<Py_ssize_t>(index) : -1, &names_};
}

Plan::Plan(const std::string &rule, Roles roles, const py::tuple &watched_keys)
    : rule_(find_rule(rule)), roles_(std::move(roles)), counters_(rule_.counter), group_options_(rule_, watched_keys) {
    executor_.rule = &rule_;
}

void Plan::add_groups(const py::list &groups, const py::list &states, const py::list &counters, const py::list &names,
                      const py::object &group_index, const py::list &pairs) {
    const std::size_t params_before = entries_.size(), counters_before = counters_.counters.data.size();
    const std::size_t groups_before = group_sizes_.size();
    const Commit commit(pairs);
    try {
        for (const py::handle name : names) names_.append(name);
        std::vector<arrays::LabelledArray> outputs;
        const std::vector<Py_ssize_t> sizes = add_params(groups, states, outputs);
        counters_.add(counters, entries_.size() - params_before, roles_.counter, names_, outputs);
        executor_.counters = counters_.counters;
        group_options_.add_groups(sizes, group_index);
        group_sizes_.insert(group_sizes_.end(), sizes.begin(), sizes.end());
        memory_.add_outputs(outputs);  // last: it cannot be undone
    } catch (...) {
        resize(params_before, counters_before, groups_before);
        throw;
    }
    commit.write();
}

// Adds the parameters of groups; returns their number in each group. `outputs` get all parameters, then all
// accumulators.
std::vector<Py_ssize_t> Plan::add_params(const py::list &groups, const py::list &states,
                                         std::vector<arrays::LabelledArray> &outputs) {
    std::vector<Py_ssize_t> sizes;
    std::vector<arrays::LabelledArray> accumulators;
    for (const py::handle group : groups) {
        const py::object found = params_of(group, params_key_);
        if (!found) throw py::type_error("groups: expected dicts with a list 'params'");
        const py::tuple params = PyList_Check(found.ptr()) ? list_as_tuple(found) : py::tuple(found);
        sizes.push_back(static_cast<Py_ssize_t>(params.size()));
        for (const py::handle param : params) {
            if (accumulators.size() == states.size())
                throw py::value_error("states: expected an array for each parameter");
            add_param(py::reinterpret_borrow<py::object>(param), states[accumulators.size()], outputs, accumulators);
        }
    }
    outputs.insert(outputs.end(), accumulators.begin(), accumulators.end());
    return sizes;
}

void Plan::resize(std::size_t params, std::size_t counters, std::size_t groups) {
    if (names_.size() > params) PyList_SetSlice(names_.ptr(), static_cast<Py_ssize_t>(params), PY_SSIZE_T_MAX, nullptr);
    entries_.resize(params);
    executor_.tensors.resize(params);
    counters_.resize(counters);
    executor_.counters = counters_.counters;
    group_options_.resize(params, groups);
    group_sizes_.resize(groups);
}

void Plan::add_param(const py::object &param_object, const py::object &state_object,
                     std::vector<arrays::LabelledArray> &params, std::vector<arrays::LabelledArray> &states) {
    const arrays::Label param_label = label(roles_.param, entries_.size());
    const arrays::Label state_label = label(roles_.state, entries_.size());
    PyArrayObject *const param = checked_param(rule_, param_object, param_label);
    PyArrayObject *const state = checked_state(rule_, state_object, param, state_label);
    Tensor tensor;
    tensor.count = PyArray_SIZE(param) * (arrays::is_complex(arrays::dtype_of(param)) ? 2 : 1);
    tensor.row_length = tensor.count == 0 ? 0 : rule_.row_length(PyArray_NDIM(param), PyArray_DIMS(param));
    // Elements may be walked in any order, except where rows matter.
    const bool reversed = PyArray_IS_F_CONTIGUOUS(param) && tensor.row_length == 0 && !rule_.has_row_accumulator;
    tensor.param = arrays::view_of(param, reversed);
    tensor.state = arrays::view_of(state, reversed);
    executor_.tensors.push_back(std::move(tensor));
    entries_.push_back(
        {param_object, state_object, reversed, arrays::Snapshot(param), arrays::Snapshot(state), {}, {}, {}});
    params.emplace_back(param, param_label);
    states.emplace_back(state, state_label);
}

bool Plan::arrays_are_current(const py::list &groups, std::vector<py::object> &held) const {
    const std::size_t first = held.size();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(groups.ptr()); ++i) {
        const py::object group = held.emplace_back(list_item(groups, i));
        if (!held.emplace_back(params_of(group, params_key_))) return false;
        held.push_back(sequence_of(group, names_key_));
    }
    if (held.size() - first != 3 * group_sizes_.size()) return false;
    auto entry = entries_.begin();
    for (std::size_t group = 0; group < group_sizes_.size(); ++group) {
        const py::object &params = held[first + 3 * group + 1], &names = held[first + 3 * group + 2];
        const Py_ssize_t size = group_sizes_[group];
        if (PySequence_Fast_GET_SIZE(params.ptr()) != size ||
            !names_match(names, names_, entry - entries_.begin(), size))
            return false;
        for (Py_ssize_t i = 0; i < size; ++i, ++entry)
            if (PySequence_Fast_GET_ITEM(params.ptr(), i) != entry->param.ptr() ||
                !entry->param_seen.matches(array_of(entry->param)) ||
                !entry->state_seen.matches(array_of(entry->state)))
                return false;
    }
    return counters_.are_current();
}

void Plan::check_shared(const py::object &optimizer) const {
    if (optimizer.is_none()) return;
    const auto check = py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer.ptr(), check_key_.ptr()));
    if (!check) throw py::error_already_set();
    if (!check.is_none()) check();
}

int Plan::step(const py::list &groups, const py::object &grads, const py::object &optimizer,
               const StepOptions &options) {
    if (is_stepping()) return STALE;
    const Stepping stepping(stepping_);
    // Our own tuple keeps the gradients alive while the GIL is released.
    const py::tuple own_grads = as_tuple(grads);
    other_grads_.clear();
    converted_.clear();
    // A step whose norm is given follows one that took the norm and has read the options: schedules are called once.
    const bool same_options = options.total_norm ? group_options_.have_been_read() : group_options_.unchanged(groups);
    std::vector<py::object> held = std::move(held_);
    if (!arrays_are_current(groups, held)) return STALE;
    find_active(own_grads);
    // Other code may run while files are checked, gradients read and options read, and change anything.
    bool may_have_changed = check_files(own_grads);
    may_have_changed |= read_other_grads(own_grads);
    if (!same_options) {
        group_options_.read(groups, optimizer, executor_.counters, executor_.active);
        may_have_changed = true;
    }
    if (may_have_changed) {
        check_shared(optimizer);
        if (!arrays_are_current(groups, held)) return STALE;
    }
    bind_grads(own_grads);
    check_sparse_allowed();
    // It may also have run while gradients were bound: NumPy may have looked for an overlap, or a dtype was released.
    if (may_have_run_code_ && !(arrays_are_current(groups, held) && grads_are_current(own_grads))) return STALE;
    const int outcome = execute(options);
    held.clear();
    held_ = std::move(held);
    return outcome;
}

int Plan::try_step(const py::list &groups, const py::object &grads, const py::object &optimizer) {
    if (is_flat_sequence(grads)) return step(groups, grads, optimizer, {});
    const py::object by_name = PyDict_CheckExact(grads.ptr()) ? in_order(grads, names_) : py::object();
    return by_name ? step(groups, by_name, optimizer, {}) : STALE;
}

int Plan::execute(const StepOptions &options) {
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
    converted_.clear();
    other_grads_.clear();
    return done ? DONE : SKIPPED;
}

}  // namespace adagrad
