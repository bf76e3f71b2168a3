// The checks of gradients that are arrays. A gradient like the last one is compared instead of checked.
#include "engine/dispatch.hpp"
#include "python/mapped_arrays.hpp"
#include "python/plan.hpp"

namespace adagrad {

using arrays::array_of;

void Plan::find_active(const py::tuple &grads) {
    if (grads.size() != entries_.size())
        throw py::value_error(roles_.grad + ": expected " + std::to_string(entries_.size()) +
                              ", one for each parameter, got " + std::to_string(grads.size()));
    executor_.active.clear();
    for (std::size_t i = 0; i < entries_.size(); ++i)
        if (PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(i)) != Py_None || !roles_.indexed)
            executor_.active.push_back(i);
}

bool Plan::check_files(const py::tuple &grads) {
    MappedArrays mapped;
    for (const std::size_t index : executor_.active)
        mapped.add(PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(index)),
                   [&] { return label(roles_.grad, index); });
    return mapped.check();
}

void Plan::bind_grads(const py::tuple &grads) {
    may_have_run_code_ = false;
    for (const std::size_t index : executor_.active)
        bind_grad(index, PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(index)));
}

// Whether the gradients are as they were when each of them was checked.
bool Plan::grads_are_current(const py::tuple &grads) const {
    for (const std::size_t index : executor_.active) {
        const py::handle grad = PyTuple_GET_ITEM(grads.ptr(), static_cast<Py_ssize_t>(index));
        const Entry &entry = entries_[index];
        if (executor_.tensors[index].has_sparse_grad) {
            const auto part = [&](Py_ssize_t i) {
                return array_of(py::handle(PyTuple_GET_ITEM(other_grads_[index].ptr(), i)));
            };
            if (!entry.indices_seen.matches(part(0)) || !entry.values_seen.matches(part(1))) return false;
        } else {
            const bool is_own = PyArray_Check(grad.ptr()) || other_grads_.empty();
            const py::handle array = is_own ? grad : other_grads_[index];
            if (PyArray_Check(array.ptr()) && !entry.grad_seen.matches(array_of(array))) return false;
        }
    }
    return true;
}

void Plan::bind_grad(std::size_t index, py::handle object) {
    Entry &entry = entries_[index];
    Tensor &tensor = executor_.tensors[index];
    tensor.has_sparse_grad = false;
    if (PyArray_CheckExact(object.ptr())) {
        PyArrayObject *const grad = array_of(object);
        if (entry.grad_seen.matches(grad)) return;
        if (entry.grad_seen.matches_layout(grad)) {
            may_have_run_code_ |= memory_.check_disjoint(grad, label(roles_.grad, index));
            tensor.grad.data = tensor.ordered_grad.data = static_cast<char *>(PyArray_DATA(grad));
            entry.grad_seen.set_address(grad);
            return;
        }
    }
    may_have_run_code_ = true;
    if (PyArray_IsScalar(object.ptr(), Generic)) {  // NumPy turns results of shape () into scalars
        converted_.push_back(py::reinterpret_steal<py::object>(PyArray_FromScalar(object.ptr(), nullptr)));
        object = converted_.back();
        if (!object) throw py::error_already_set();
    } else if (!PyArray_Check(object.ptr()) && !other_grads_[index].is_none()) {  // read before
        if (!PyArray_Check(other_grads_[index].ptr())) return bind_sparse(index, other_grads_[index]);
        object = other_grads_[index];
    }
    bind_dense(index, object);
}

void Plan::bind_dense(std::size_t index, py::handle object) {
    Entry &entry = entries_[index];
    Tensor &tensor = executor_.tensors[index];
    arrays::Label grad_label = label(roles_.grad, index);
    grad_label.is_foreign = !other_grads_.empty() && object.is(other_grads_[index]);
    if (rule_.has_row_accumulator && PyArray_Check(object.ptr()))
        throw py::type_error(grad_label.text() + ": expected a RowSparse, got an array");
    PyArrayObject *const grad = arrays::plain_array(object, grad_label);
    memory_.check_disjoint(grad, grad_label);  // first, as NumPy may run other code there
    const DtypeCombo combo = arrays::dtype_combo(array_of(entry.param), array_of(entry.state), grad, grad_label);
    arrays::check_memory(grad, grad_label);
    arrays::check_shape(grad, array_of(entry.param), grad_label);
    entry.grad_seen = {};  // first, so that a gradient counts as seen only with the kernels chosen for it
    tensor.kernels = &isa().table->of[rule_.index][DENSE][combo];
    tensor.grad = arrays::view_of(grad, entry.reversed);
    tensor.ordered_grad = entry.reversed ? arrays::view_of(grad, false) : tensor.grad;
    entry.grad_seen = arrays::Snapshot(grad);
}

}  // namespace adagrad
