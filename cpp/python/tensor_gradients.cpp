// The gradients of tensors. One like the last is bound by its address, any other is converted and checked.
#include "python/items.hpp"
#include "python/tensor_plan.hpp"

namespace adagrad {

using arrays::array_of;

bool TensorPlan::find_grads() {
    executor_.active.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        prefetch_after(i);
        auto grad = py::reinterpret_steal<py::object>(PyObject_GetAttr(slots_[i].param.ptr(), grad_key_.ptr()));
        if (!grad) throw py::error_already_set();
        if (grad.is_none()) continue;
        if (!slots_[i].sum || !slots_[i].counter) return false;
        executor_.active.push_back(i);
        Grad &added = grads_.emplace_back();
        added.tensor = std::move(grad);
    }
    return true;
}

// A sparse gradient has no memory to read; to try takes its framework a millisecond for the error.
void TensorPlan::read_grads() {
    for (std::size_t j = 0; j < grads_.size(); ++j) {
        Grad &grad = grads_[j];
        const bool was_dense = slots_[executor_.active[j]].grad_seen.layout != nullptr;
        grad.readable = reader_.is_plain(grad.tensor) && (was_dense || !grad.tensor.attr("is_sparse").cast<bool>()) &&
                        reader_.read(grad.tensor, grad.memory);
    }
}

// Whether a gradient needs no check but where it lies, and lies clear of all that the step writes.
bool TensorPlan::is_like_last(const Slot &slot, const Grad &grad) {
    if (!grad.readable || !slot.grad_seen.matches_layout(grad.memory)) return false;
    if (is_lazy(grad.tensor, grad.memory)) return false;
    if (grad.memory.data == slot.grad_seen.data) return true;
    if (!is_aligned(grad.memory)) return false;
    const auto *const data = static_cast<const char *>(grad.memory.data);
    return memory_.is_clear({data, data + slot.grad_bytes});
}

bool TensorPlan::convert_grads(const py::list &groups, const py::object &optimizer) {
    bool any = false;
    for (std::size_t j = 0; j < grads_.size(); ++j) {
        const std::size_t index = executor_.active[j];
        const Slot &slot = slots_[index];
        if (is_like_last(slot, grads_[j])) {
            any |= may_be_lazy(grads_[j].memory);
            bind_like_last(index, grads_[j]);
            continue;
        }
        any = true;
        const py::object group = list_item(groups, static_cast<Py_ssize_t>(slot.group));
        grads_[j].converted = optimizer.attr("_read_grad")(index, group, slot.param, grads_[j].tensor);
    }
    return any;
}

void TensorPlan::bind_like_last(std::size_t index, const Grad &grad) {
    Tensor &tensor = executor_.tensors[index];
    tensor.has_sparse_grad = false;
    tensor.grad.data = tensor.ordered_grad.data = static_cast<char *>(grad.memory.data);
    slots_[index].grad_seen.data = grad.memory.data;
}

void TensorPlan::bind_converted(std::size_t index, const Grad &grad) {
    Slot &slot = slots_[index];
    executor_.tensors[index].has_sparse_grad = false;
    slot.grad_seen = {};
    if (PyTuple_Check(grad.converted.ptr())) return bind_sparse(index, py::tuple(grad.converted));
    bind_dense(index, grad.converted);
    PyArrayObject *const array = array_of(grad.converted);
    if (!grad.readable || PyArray_DATA(array) != grad.memory.data) return;  // a copy
    slot.grad_bytes = arrays::bounds_of(array).high - static_cast<const char *>(grad.memory.data);
    slot.grad_seen = seen(grad.memory);
}

// Whether each gradient that is not a copy still lies where its check found it.
bool TensorPlan::grads_are_unmoved() {
    read_grads();
    for (std::size_t j = 0; j < grads_.size(); ++j) {
        const TensorMemory &seen = slots_[executor_.active[j]].grad_seen;
        if (seen.layout != nullptr && !(grads_[j].readable && seen.matches(grads_[j].memory))) return false;
    }
    return true;
}

}  // namespace adagrad
