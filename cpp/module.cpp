#define NUMPY_ADAGRAD_IMPORTS_ARRAY_API
#include <pybind11/stl.h>

#include "engine/dispatch.hpp"
#include "engine/fp_env.hpp"
#include "engine/parallel.hpp"
#include "python/commit.hpp"
#include "python/fill.hpp"
#include "python/instances.hpp"
#include "python/plan.hpp"
#include "python/step_methods.hpp"
#include "python/stored_elements.hpp"
#include "python/tensor_plan.hpp"

namespace py = pybind11;
using namespace py::literals;

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

// The names of each rule's options.
py::dict option_names() {
    py::dict rules;
    for (const adagrad::RuleInfo &rule : adagrad::all_rules()) {
        py::list names;
        for (const adagrad::OptionInfo &option : rule.options) names.append(option.name);
        rules[rule.name] = py::tuple(names);
    }
    return rules;
}

adagrad::Roles as_roles(const py::tuple &roles, bool indexed) {
    const auto role = [&](std::size_t i) { return roles[i].cast<std::string>(); };
    return {role(0), role(1), role(2), role(3), indexed};
}

std::unique_ptr<adagrad::Plan> make_plan(const std::string &rule, const py::tuple &roles, const py::tuple &watched_keys,
                                         bool indexed) {
    return std::make_unique<adagrad::Plan>(rule, as_roles(roles, indexed), watched_keys);
}

std::unique_ptr<adagrad::TensorPlan> make_tensor_plan(const std::string &rule, const py::tuple &roles,
                                                      const py::tuple &watched_keys,
                                                      const adagrad::TensorReader &reader) {
    return std::make_unique<adagrad::TensorPlan>(rule, as_roles(roles, true), watched_keys, reader);
}

std::unique_ptr<adagrad::TensorReader> make_reader(const py::type &tensor_type) {
    return std::make_unique<adagrad::TensorReader>(tensor_type);
}

int step_range(adagrad::Plan &plan, const py::list &groups, const py::object &grads, const py::object &optimizer,
               double grad_scale, std::ptrdiff_t begin, std::ptrdiff_t end, bool is_first, bool is_last) {
    adagrad::StepOptions options;
    options.grad_scale = grad_scale;
    options.range = {begin, end, is_first, is_last};
    return plan.step(groups, grads, optimizer, options);
}

// A block in Python with IEEE arithmetic.
class IeeeBlock {
  public:
    void enter() { guard_.emplace(); }
    void exit(const py::args &) { guard_.reset(); }

  private:
    std::optional<adagrad::FpEnvGuard> guard_;
};

std::unique_ptr<IeeeBlock> make_block() { return std::make_unique<IeeeBlock>(); }

}  // namespace

// python/numpy_adagrad/_core.pyi has the signatures, with comments.
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
    m.attr("rules") = option_names();
    adagrad::install_fork_handler();

    m.def("mapping_of", &adagrad::arrays::mapping_of, "array"_a);
    m.def("max_threads", &adagrad::max_threads);
    m.def("is_flat", &adagrad::is_flat, "grads"_a);
    m.def(
        "check_array",
        [](const py::object &array, const std::string &label) { adagrad::arrays::checked_array(array, {label}); },
        "array"_a, "label"_a);
    m.def("check_params", &adagrad::check_params, "rule"_a, "params"_a, "names"_a, "first"_a = 0);
    m.def("coordinate_elements", &adagrad::coordinate_elements, "shape"_a, "coords"_a, "count"_a);
    m.def("compressed_elements", &adagrad::compressed_elements, "indptr"_a, "indices"_a, "lines"_a, "size"_a, "count"_a,
          "by_column"_a);
    m.def("commit", [](const py::list &pairs) { adagrad::Commit(pairs).write(); }, "pairs"_a);
    m.def("fill", &adagrad::arrays::fill, "array"_a, "value"_a);

    adagrad::def_init(py::class_<IeeeBlock>(m, "IeeeBlock", adagrad::checks_memory()), make_block)
        .def("__enter__", &IeeeBlock::enter)
        .def("__exit__", &IeeeBlock::exit);

    using adagrad::Plan;
    m.attr("DONE") = py::int_(static_cast<int>(Plan::DONE));
    m.attr("SKIPPED") = py::int_(static_cast<int>(Plan::SKIPPED));
    m.attr("STALE") = py::int_(static_cast<int>(Plan::STALE));
    adagrad::def_init(py::class_<Plan>(m, "Plan", adagrad::is_collectable<Plan>()), make_plan, "rule"_a, "roles"_a,
                      "watched_keys"_a = py::tuple(), "indexed"_a = true)
        .def("add_groups", &Plan::add_groups, "groups"_a, "states"_a, "counters"_a, "names"_a, "group_index"_a,
             "pairs"_a = py::list())
        .def("is_current", &Plan::is_current, "groups"_a)
        .def("step_range", &step_range, "groups"_a, "grads"_a, "optimizer"_a, "grad_scale"_a, "begin"_a, "end"_a,
             "is_first"_a, "is_last"_a)
        .def("call_as_step", &Plan::call_as_step, "function"_a)
        .def("has_sizes", &Plan::has_sizes, "groups"_a)
        .def_property_readonly("is_stepping", &Plan::is_stepping)
        .def_property_readonly("has_counters", &Plan::has_counters)
        .def_property("grad_norm", &Plan::grad_norm, &Plan::set_grad_norm);
    adagrad::add_step_methods(m.attr("Plan"));

    using adagrad::TensorReader;
    adagrad::def_init(py::class_<TensorReader>(m, "TensorReader", adagrad::checks_memory()), make_reader,
                      "tensor_type"_a)
        .def("array_over", &TensorReader::array_over, "tensor"_a, "keep"_a);

    using adagrad::TensorPlan;
    adagrad::def_init(py::class_<TensorPlan, Plan>(m, "TensorPlan", adagrad::is_collectable<TensorPlan>()),
                      make_tensor_plan, "rule"_a, "roles"_a, "watched_keys"_a, "reader"_a)
        .def("add_tensors", &TensorPlan::add_tensors, "params"_a, "param_states"_a, "states"_a)
        .def("step_tensors", &TensorPlan::step_tensors, "groups"_a, "states"_a, "optimizer"_a, "grad_scale"_a = 1.0)
        .def_property_readonly("updated", &TensorPlan::updated);
}
