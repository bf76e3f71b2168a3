#include "python/group_options.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "engine/fp_env.hpp"
#include "python/array_checks.hpp"
#include "python/items.hpp"
#include "python/without_gil.hpp"

namespace adagrad {
namespace {

bool is_plain_number(PyObject *value) {
    return PyFloat_CheckExact(value) || PyLong_CheckExact(value) || PyBool_Check(value) ||
           Py_IS_TYPE(value, &PyDoubleArrType_Type) || Py_IS_TYPE(value, &PyFloatArrType_Type);
}

// The name of an option in messages.
struct OptionLabel {
    const char *name;
    std::ptrdiff_t group = -1;  // in whose dict the option stands; -1 for one that the optimizer gives

    std::string text() const {
        return group < 0 ? name : "param_groups[" + std::to_string(group) + "]['" + name + "']";
    }
};

double number(const py::object &value, const OptionLabel &label) {
    if (is_plain_number(value.ptr())) {
        const double result = PyFloat_AsDouble(value.ptr());
        if (result != -1 || PyErr_Occurred() == nullptr) return result;
        PyErr_Clear();
    }
    return py::module_::import("numpy_adagrad.inputs.validation").attr("number")(value, label.text()).cast<double>();
}

bool flag(const py::object &value, const OptionLabel &label) {
    if (PyBool_Check(value.ptr())) return value.ptr() == Py_True;
    return py::module_::import("numpy_adagrad.inputs.validation").attr("flag")(value, label.text()).cast<bool>();
}

std::vector<std::int32_t> indices_of(const py::object &object) {
    PyArrayObject *const array = arrays::array_of(object);
    if (!PyArray_Check(object.ptr()) || PyArray_TYPE(array) != NPY_INT32 || !PyArray_ISCARRAY_RO(array))
        throw py::type_error("group_index: expected a contiguous int32 array");
    const auto *const values = static_cast<const std::int32_t *>(PyArray_DATA(array));
    return {values, values + PyArray_SIZE(array)};
}

py::object value_of(const py::handle &group, const py::handle &key) {
    return group && PyDict_Check(group.ptr()) ? dict_item(group, key) : py::object();
}

// Calls the method _hyperparameters(index) of the optimizer.
py::dict options_of(const py::object &optimizer, const py::str &method, std::int32_t index) {
    const py::int_ python_index(index);
    auto result = py::reinterpret_steal<py::object>(unless_python_exits([&] {
        PyObject *const arguments[] = {optimizer.ptr(), python_index.ptr()};
        return PyObject_VectorcallMethod(method.ptr(), arguments, 2, nullptr);
    }));
    if (!result) throw py::error_already_set();
    if (!PyDict_Check(result.ptr())) throw py::type_error("_hyperparameters: expected a dict");
    return result;
}

double value_after(const py::object &steps, const py::object &schedule, const py::object &optimizer, const char *name) {
    const auto value = py::reinterpret_steal<py::object>(unless_python_exits([&] {
        PyObject *const arguments[] = {optimizer.ptr(), steps.ptr()};
        return PyObject_Vectorcall(schedule.ptr(), arguments, 2, nullptr);
    }));
    if (!value) throw py::error_already_set();
    return number(value, {name});
}

}  // namespace

GroupOptions::GroupOptions(const RuleInfo &rule, const py::tuple &watched_keys)
    : rule_(rule), watched_keys_(watched_keys) {
    for (const OptionInfo &option : rule.options) names_.push_back(interned(option.name));
}

void GroupOptions::add_groups(const std::vector<Py_ssize_t> &sizes, const py::object &group_index) {
    const std::vector<std::int32_t> indices = indices_of(group_index);
    if (static_cast<Py_ssize_t>(indices.size()) != std::accumulate(sizes.begin(), sizes.end(), Py_ssize_t{0}))
        throw py::value_error("group_index: expected an index for each parameter");
    constant_ = false;
    given_index_.insert(given_index_.end(), indices.begin(), indices.end());
    for (const Py_ssize_t size : sizes) group_of_.insert(group_of_.end(), static_cast<std::size_t>(size), groups_++);
}

void GroupOptions::resize(std::size_t params, std::size_t groups) {
    given_index_.resize(params);
    group_of_.resize(params);
    groups_ = groups;
}

void GroupOptions::read_given(std::size_t param, const py::list &groups, const py::object &optimizer) {
    const std::int32_t index = given_index_[param];
    if (!given_.contains(index)) given_.emplace(index, given_for(param, groups, optimizer));
}

GroupOptions::Given GroupOptions::given_for(std::size_t param, const py::list &groups,
                                            const py::object &optimizer) const {
    const py::dict options = optimizer.is_none() ? py::dict() : options_of(optimizer, method_, given_index_[param]);
    const py::object group = list_item(groups, static_cast<Py_ssize_t>(group_of_[param]));
    if (!group) throw py::index_error("param_groups: expected the same groups throughout a step");
    Given given;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const OptionInfo &option = rule_.options[i];
        py::object value = dict_item(options, names_[i]);
        if (value && !option.is_flag && PyCallable_Check(value.ptr()) != 0) {
            given.schedules.emplace_back(i, std::move(value));
            continue;
        }
        OptionLabel label{option.name};
        if (!value) {
            value = value_of(group, names_[i]);
            label.group = static_cast<std::ptrdiff_t>(group_of_[param]);
        }
        if (!value) throw py::key_error(option.name);
        given.values[i] = option.is_flag ? flag(value, label) : number(value, label);
    }
    return given;
}

Hyperparameters GroupOptions::after(double steps, const Given &given, const py::object &optimizer) const {
    auto values = given.values;
    if (!given.schedules.empty()) {
        const auto python_steps = py::reinterpret_steal<py::object>(PyLong_FromDouble(steps));
        if (!python_steps) throw py::error_already_set();
        for (const auto &[i, schedule] : given.schedules)
            values[i] = value_after(python_steps, schedule, optimizer, rule_.options[i].name);
    }
    const Packed packed = rule_.pack_options(values.data());
    return {packed, rule_.preprocesses(packed), rule_.takes_row_mean(packed), rule_.sparse_error(packed)};
}

// Keeps the watched values up to the first that is neither a plain number nor a callable.
void GroupOptions::watch(const py::list &groups) {
    all_numbers_ = false;
    bool has_callables = false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(groups.ptr()); ++i) {
        const py::object group = list_item(groups, i);
        for (const py::handle key : watched_keys_) {
            py::object value = value_of(group, key);
            if (!value) return;
            if (!is_plain_number(value.ptr())) {
                if (PyCallable_Check(value.ptr()) == 0) return;
                has_callables = true;
            }
            watched_.push_back(std::move(value));
        }
    }
    all_numbers_ = !has_callables;
}

void GroupOptions::read(const py::list &groups, const py::object &optimizer, const StepCounters &counters,
                        const std::vector<std::size_t> &active) {
    const FpEnvGuard guard;  // Python rounds numbers, too
    constant_ = false;
    std::vector<py::object> watched;  // released at the end, as that may run other code
    std::map<std::int32_t, Given> given;
    if (!is_watched(groups)) {
        watched.swap(watched_);
        given.swap(given_);
        watch(groups);
    }
    const bool constant = all_numbers_, same_steps = constant || !counters.per_parameter();
    hyperparameters.clear();
    group_index.assign(given_index_.size(), 0);
    using Key = std::pair<std::int32_t, double>;  // index and number of steps
    Key first;                                    // all parameters often share one, which then needs no map
    std::map<Key, std::int32_t> others;
    const std::size_t count = same_steps ? given_index_.size() : active.size();
    // All before a schedule is called, which may change an option and change it back.
    for (std::size_t i = 0; i < count; ++i) read_given(same_steps ? i : active[i], groups, optimizer);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t param = same_steps ? i : active[i];
        const double steps = counters.steps(param);
        const Key key = {given_index_[param], same_steps ? 0 : steps};
        const auto next = static_cast<std::int32_t>(hyperparameters.size());
        if (next == 0) first = key;
        const std::int32_t found = key == first ? 0 : others.try_emplace(key, next).first->second;
        if (found == next) hyperparameters.push_back(after(steps, given_.at(key.first), optimizer));
        group_index[param] = found;
    }
    constant_ = constant;
}

bool GroupOptions::unchanged(const py::list &groups) const { return constant_ && is_watched(groups); }

bool GroupOptions::is_watched(const py::list &groups) const {
    if (watched_.size() != groups.size() * watched_keys_.size()) return false;
    auto watched = watched_.begin();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(groups.ptr()); ++i) {
        const py::object group = list_item(groups, i);
        for (const py::handle key : watched_keys_)
            if (watched == watched_.end() || !value_of(group, key).is(*watched++)) return false;
    }
    return watched == watched_.end();
}

int GroupOptions::traverse(visitproc visit, void *arg) const {
    for (const py::object &value : watched_) Py_VISIT(value.ptr());
    for (const auto &[index, given] : given_)
        for (const auto &[option, schedule] : given.schedules) Py_VISIT(schedule.ptr());
    return 0;
}

void GroupOptions::clear() {
    const std::vector<py::object> watched = std::move(watched_);  // released at the end, when nothing is left here
    const std::map<std::int32_t, Given> given = std::move(given_);
    constant_ = false;
    watched_.clear();
    given_.clear();
}

}  // namespace adagrad
