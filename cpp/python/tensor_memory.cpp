#include "python/tensor_memory.hpp"

#include <algorithm>

namespace adagrad {

TensorReader::TensorReader(const py::type &tensor_type) : type_(tensor_type) {
    const py::object capsule = tensor_type.attr("__dlpack_c_exchange_api__");
    void *const table = PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api");
    if (table == nullptr) throw py::error_already_set();
    api_ = static_cast<const dlpack::ExchangeApi *>(table);
    while (api_ != nullptr && api_->major_version != dlpack::MAJOR_VERSION) api_ = api_->older;
    if (api_ == nullptr)
        throw py::import_error("tensor_type: expected version 1 of DLPack's exchange API, got another");
}

TensorLayout::TensorLayout(const dlpack::Tensor &tensor) : ndim_(tensor.ndim), dtype_(tensor.dtype) {
    sizes_.assign(tensor.shape, tensor.shape + tensor.ndim);
    sizes_.insert(sizes_.end(), tensor.strides, tensor.strides + tensor.ndim);
}

const TensorLayout *TensorLayouts::find_or_add(const dlpack::Tensor &tensor) {
    // From the end: neighbours often share their layout.
    const auto found = std::find_if(layouts_.rbegin(), layouts_.rend(),
                                    [&](const TensorLayout &layout) { return layout.matches(tensor); });
    return found != layouts_.rend() ? &*found : &layouts_.emplace_back(tensor);
}

bool is_aligned(const dlpack::Tensor &tensor) {
    const std::uintptr_t bytes = tensor.dtype.bits / (tensor.dtype.code == dlpack::COMPLEX ? 16 : 8);
    return reinterpret_cast<std::uintptr_t>(tensor.data) % bytes == 0;
}

bool may_be_lazy(const dlpack::Tensor &tensor) {
    if (tensor.dtype.code == dlpack::COMPLEX || tensor.ndim == 0) return true;
    std::int64_t adjacent = 1;
    for (int i = tensor.ndim; i-- > 0; adjacent *= tensor.shape[i])
        if (tensor.strides[i] != adjacent) return true;
    return false;
}

}  // namespace adagrad
