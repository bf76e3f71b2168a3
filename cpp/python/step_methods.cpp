#include "python/step_methods.hpp"

#include "python/instances.hpp"
#include "python/plan.hpp"

namespace adagrad {
namespace {

enum : Py_ssize_t { MAX_OPTIONS = 6 };

// Arguments by position: the groups, the gradients, the optimizer, and a tuple of options or nothing.
struct Arguments {
    PyObject *const *given;
    Py_ssize_t count;

    bool fit() const {
        if (count < 3 || !PyList_Check(given[0])) return false;
        return count == 3 || (count == 4 && PyTuple_Check(given[3]) && PyTuple_GET_SIZE(given[3]) <= MAX_OPTIONS);
    }
    py::list groups() const { return py::reinterpret_borrow<py::list>(given[0]); }
    py::object grads() const { return py::reinterpret_borrow<py::object>(given[1]); }
    py::object optimizer() const { return py::reinterpret_borrow<py::object>(given[2]); }

    // An option, or None if it is not given.
    PyObject *option(Py_ssize_t index) const {
        return count == 4 && index < PyTuple_GET_SIZE(given[3]) ? PyTuple_GET_ITEM(given[3], index) : Py_None;
    }
    std::optional<double> number(Py_ssize_t index) const {
        if (option(index) == Py_None) return std::nullopt;
        const double value = PyFloat_AsDouble(option(index));
        if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
        return value;
    }
    StepOptions options() const {
        StepOptions options;
        options.grad_scale = number(0).value_or(options.grad_scale);
        options.max_norm = number(1);
        options.norm_divisor = number(2).value_or(options.norm_divisor);
        options.skip_nonfinite = option(3) == Py_True;
        options.total_norm = number(4);
        options.only_norm = option(5) == Py_True;
        return options;
    }
};

int try_step(Plan &plan, const Arguments &arguments) {
    return plan.try_step(arguments.groups(), arguments.grads(), arguments.optimizer(), arguments.options());
}

int step(Plan &plan, const Arguments &arguments) {
    return plan.step(arguments.groups(), arguments.grads(), arguments.optimizer(), arguments.options());
}

int check_step(Plan &plan, const Arguments &arguments) {
    StepOptions options = arguments.options();
    options.only_check = true;
    return plan.step(arguments.groups(), arguments.grads(), arguments.optimizer(), options);
}

template <int (*METHOD)(Plan &, const Arguments &)>
PyObject *call(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    auto *const plan = adagrad::value_of<Plan>(self);
    const Arguments arguments{given, count};
    if (plan == nullptr || !arguments.fit()) {
        PyErr_SetString(PyExc_TypeError,
                        "Plan: expected a list of groups, gradients, an optimizer, and a tuple of up to 6 options");
        return nullptr;
    }
    try {
        return PyLong_FromLong(METHOD(*plan, arguments));
#ifdef __GLIBCXX__
    } catch (abi::__forced_unwind &) {  // see without_gil.hpp
        throw;
#endif
    } catch (...) {
        py::detail::try_translate_exceptions();
        return nullptr;
    }
}

template <int (*METHOD)(Plan &, const Arguments &)> PyMethodDef definition(const char *name) {
    return {name, PyCFunction(reinterpret_cast<void (*)()>(call<METHOD>)), METH_FASTCALL, nullptr};
}

}  // namespace

void add_step_methods(const py::handle &plan_class) {
    static PyMethodDef methods[] = {definition<try_step>("try_step"), definition<step>("step"),
                                    definition<check_step>("check_step")};
    for (PyMethodDef &method : methods) {
        PyObject *const function = PyDescr_NewMethod(reinterpret_cast<PyTypeObject *>(plan_class.ptr()), &method);
        if (function == nullptr) throw py::error_already_set();
        plan_class.attr(method.ml_name) = py::reinterpret_steal<py::object>(function);
    }
}

}  // namespace adagrad
