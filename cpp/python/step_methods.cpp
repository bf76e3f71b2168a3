#include "python/step_methods.hpp"

#include "python/instances.hpp"
#include "python/plan.hpp"

namespace adagrad {
namespace {

enum : Py_ssize_t { FIRST_OPTION = 3, MAX_OPTIONS = 6 };

// Arguments by position: the groups, the gradients, the optimizer, and options.
struct Arguments {
    PyObject *const *given;
    Py_ssize_t count;

    py::list groups() const { return py::reinterpret_borrow<py::list>(given[0]); }
    py::object grads() const { return py::reinterpret_borrow<py::object>(given[1]); }
    py::object optimizer() const { return py::reinterpret_borrow<py::object>(given[2]); }

    // The number of an option; without it, or if it is None, nothing.
    std::optional<double> option(Py_ssize_t index) const {
        if (FIRST_OPTION + index >= count || given[FIRST_OPTION + index] == Py_None) return std::nullopt;
        const double value = PyFloat_AsDouble(given[FIRST_OPTION + index]);
        if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
        return value;
    }
    bool flag(Py_ssize_t index) const { return FIRST_OPTION + index < count && given[FIRST_OPTION + index] == Py_True; }
    StepOptions options() const {
        StepOptions options;
        options.grad_scale = option(0).value_or(options.grad_scale);
        options.max_norm = option(1);
        options.norm_divisor = option(2).value_or(options.norm_divisor);
        options.skip_nonfinite = flag(3);
        options.total_norm = option(4);
        options.only_norm = flag(5);
        return options;
    }
};

int try_step(Plan &plan, const Arguments &arguments) {
    return plan.try_step(arguments.groups(), arguments.grads(), arguments.optimizer());
}

int step(Plan &plan, const Arguments &arguments) {
    return plan.step(arguments.groups(), arguments.grads(), arguments.optimizer(), arguments.options());
}

int check_step(Plan &plan, const Arguments &arguments) {
    StepOptions options = arguments.options();
    options.only_check = true;
    return plan.step(arguments.groups(), arguments.grads(), arguments.optimizer(), options);
}

template <int (*METHOD)(Plan &, const Arguments &), Py_ssize_t OPTIONS>
PyObject *call(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    auto *const plan = adagrad::value_of<Plan>(self);
    if (plan == nullptr || count < FIRST_OPTION || count > FIRST_OPTION + OPTIONS || !PyList_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "Plan: expected a list of groups, gradients, an optimizer and options");
        return nullptr;
    }
    try {
        return PyLong_FromLong(METHOD(*plan, {given, count}));
#ifdef __GLIBCXX__
    } catch (abi::__forced_unwind &) {  // see without_gil.hpp
        throw;
#endif
    } catch (...) {
        py::detail::try_translate_exceptions();
        return nullptr;
    }
}

template <int (*METHOD)(Plan &, const Arguments &), Py_ssize_t OPTIONS> PyMethodDef definition(const char *name) {
    return {name, PyCFunction(reinterpret_cast<void (*)()>(call<METHOD, OPTIONS>)), METH_FASTCALL, nullptr};
}

}  // namespace

void add_step_methods(const py::handle &plan_class) {
    static PyMethodDef methods[] = {definition<try_step, 0>("try_step"), definition<step, MAX_OPTIONS>("step"),
                                    definition<check_step, MAX_OPTIONS>("check_step")};
    for (PyMethodDef &method : methods) {
        PyObject *const function = PyDescr_NewMethod(reinterpret_cast<PyTypeObject *>(plan_class.ptr()), &method);
        if (function == nullptr) throw py::error_already_set();
        plan_class.attr(method.ml_name) = py::reinterpret_steal<py::object>(function);
    }
}

}  // namespace adagrad
