// The parameters of a plan: how groups are added, and whether they are still the same.

#include "python/commit.hpp"
#include "python/items.hpp"
#include "python/plan.hpp"

namespace adagrad {

using arrays::array_of;

namespace {

PyArrayObject *checked_param(const RuleInfo &rule, py::handle object, const arrays::Label &label) {
    PyArrayObject *const param = arrays::checked_array(object, label, rule.takes_complex);
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

}  // namespace

void check_params(const std::string &rule, const py::list &params, const py::list &names, std::size_t first) {
    const RuleInfo &known = find_rule(rule);
    std::vector<arrays::LabelledArray> outputs;
    for (std::size_t i = 0; i < params.size(); ++i) {
        const arrays::Label label = {"params", static_cast<Py_ssize_t>(first + i), &names,
                                     static_cast<Py_ssize_t>(first)};
        outputs.emplace_back(checked_param(known, params[i], label), label);
    }
    arrays::MemoryOverlap().add_outputs(outputs);
}

void Plan::add_groups(const py::list &groups, const py::list &states, const py::list &counters, const py::list &names,
                      const py::object &group_index, const py::list &pairs) {
    const std::size_t params_before = entries_.size(), counters_before = executor_.counters.data.size();
    const std::size_t groups_before = group_sizes_.size(), outputs_before = memory_.size();
    const Commit commit(pairs);
    try {
        for (const py::handle name : names) names_.append(name);
        std::vector<arrays::LabelledArray> outputs;
        const std::vector<Py_ssize_t> sizes = add_params(groups, states, outputs);
        counters_.add(counters, entries_.size() - params_before, roles_.counter, names_, outputs);
        group_options_.add_groups(sizes, group_index);
        group_sizes_.insert(group_sizes_.end(), sizes.begin(), sizes.end());
        memory_.add_outputs(outputs);
        // A gradient of an earlier step may lie in them.
        for (Entry &entry : entries_) entry.grad_seen.forget_address();
        commit.write();
    } catch (...) {
        memory_.resize(outputs_before);
        resize(params_before, counters_before, groups_before);
        throw;
    }
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
    truncate(names_.ptr(), static_cast<Py_ssize_t>(params));
    executor_.tensors.resize(params);
    counters_.resize(counters);
    group_options_.resize(params, groups);
    group_sizes_.resize(groups);
    // To release an entry may run other code, and the garbage collector, which visits the others. Nothing is allocated
    // here, as memory may just have run out.
    while (entries_.size() > params) {
        const Entry released = std::move(entries_.back());
        entries_.pop_back();
    }
}

int Plan::traverse(visitproc visit, void *arg) const {
    for (const Entry &entry : entries_) {
        Py_VISIT(entry.param.ptr());
        Py_VISIT(entry.state.ptr());
    }
    return group_options_.traverse(visit, arg);
}

void Plan::clear() {
    memory_.resize(0);
    resize(0, 0, 0);
    group_options_.clear();
}

void Plan::add_param(const py::object &param_object, const py::object &state_object,
                     std::vector<arrays::LabelledArray> &params, std::vector<arrays::LabelledArray> &states) {
    const arrays::Label param_label = label(roles_.param, entries_.size());
    const arrays::Label state_label = label(roles_.state, entries_.size());
    PyArrayObject *const param = checked_param(rule_, param_object, param_label);
    PyArrayObject *const state = checked_state(rule_, state_object, param, state_label);
    Tensor tensor;
    tensor.count = PyArray_SIZE(param) * (arrays::is_complex(arrays::dtype_of(param)) ? 2 : 1);
    tensor.row_length = rule_.row_length(PyArray_NDIM(param), PyArray_DIMS(param));
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

bool Plan::has_sizes(const py::list &groups) const {
    if (groups.size() != group_sizes_.size()) return false;
    for (std::size_t i = 0; i < group_sizes_.size(); ++i) {
        const py::object group = list_item(groups, static_cast<Py_ssize_t>(i)), params = params_of(group, params_key_);
        if (!params || PySequence_Fast_GET_SIZE(params.ptr()) != group_sizes_[i]) return false;
    }
    return true;
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

}  // namespace adagrad
