#define NUMPY_ADAGRAD_IMPORTS_ARRAY_API
#include <pybind11/stl.h>

#include "engine/dispatch.hpp"
#include "engine/parallel.hpp"
#include "python/commit.hpp"
#include "python/plan.hpp"

namespace py = pybind11;
using namespace py::literals;
using adagrad::Stepper;

namespace {

void load_array_api() {
    if (_import_array() < 0) throw py::error_already_set();
}

const char *isa_name() {
    try {
        return adagrad::isa().name;
    } catch (const std::runtime_error &error) {
        throw py::import_error(error.what());
    }
}

std::string stated(const py::arg &arg) { return arg.name; }
std::string stated(const py::arg_v &arg) { return arg.name + ("=" + std::string(py::repr(arg.value))); }

// The docstring that CPython takes for a signature; what pybind11 would write instead, inspect and stubtest cannot
// read.
template <class... Args> std::string signature(const char *name, bool method, const Args &...args) {
    std::string list = method ? "self" : "";
    ((list += (list.empty() ? "" : ", ") + stated(args)), ...);
    return name + ("(" + list + ")\n--\n\n");
}

template <class Owner, class Function, class... Args>
void define(Owner &owner, const char *name, Function function, const Args &...args) {
    constexpr bool method = !std::is_same_v<Owner, py::module_>;
    owner.def(name, function, args..., signature(name, method, args...).c_str());
}

template <class Class, class Init, class... Args> void define_init(Class &type, Init &&init, const Args &...args) {
    type.def(std::forward<Init>(init), args..., signature("__init__", true, args...).c_str());
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    load_array_api();
    m.attr("version") = NUMPY_ADAGRAD_VERSION;
    m.attr("isa") = isa_name();
    m.attr("compiler") = NUMPY_ADAGRAD_COMPILER;
#ifdef _OPENMP
    m.attr("openmp") = _OPENMP;
#else
    m.attr("openmp") = py::none();
#endif
    adagrad::threads::watch_forks();
    py::options plain;
    plain.disable_function_signatures();

    define(m, "thread_limit", &adagrad::threads::limit);
    define(m, "check_params", &adagrad::check_params, "rule"_a, "params"_a, "names"_a);
    define(m, "commit", &adagrad::commit, "pairs"_a);
    define(m, "fill", &adagrad::arrays::fill, "array"_a, "value"_a);

    py::class_<Stepper> plan(m, "Plan");
    py::class_<adagrad::Options> options(m, "Options");
    define_init(options, py::init<double, std::optional<double>, double, bool>(), "grad_scale"_a = 1.0,
                "max_norm"_a = py::none(), "norm_divisor"_a = 1.0, "finite_only"_a = false);
    m.attr("DONE") = py::int_(static_cast<int>(Stepper::DONE));
    m.attr("SKIPPED") = py::int_(static_cast<int>(Stepper::SKIPPED));
    m.attr("STALE") = py::int_(static_cast<int>(Stepper::STALE));
    const auto make = [](const std::string &rule, const py::list &params, const py::list &states,
                         const py::list &counters, const py::tuple &names, const py::tuple &roles,
                         const py::tuple &fields, bool indexed) {
        const auto role = [&](std::size_t i) { return roles[i].cast<std::string>(); };
        return std::make_unique<Stepper>(rule, params, states, counters, names,
                                         adagrad::Roles{role(0), role(1), role(2), indexed}, fields);
    };
    define_init(plan, py::init(make), "rule"_a, "params"_a, "states"_a, "counters"_a, "names"_a, "roles"_a,
                "fields"_a = py::tuple(), "indexed"_a = true);
    define(plan, "is_current", &Stepper::is_current, "groups"_a);
    define(plan, "step", &Stepper::step, "groups"_a, "grads"_a, "asked"_a, "options"_a);
    // As `step`, with neither asked nor options: fewer arguments are read sooner.
    const auto repeat = [](Stepper &self, const py::list &groups, const py::object &grads) {
        return self.step(groups, grads, std::nullopt, {}) == Stepper::DONE;
    };
    define(plan, "repeat", repeat, "groups"_a, "grads"_a);
    plan.def_property_readonly("grad_norm", &Stepper::grad_norm);
}
