#include "python/tensor_memory.hpp"

#include "python/array_checks.hpp"

namespace adagrad {
namespace {

constexpr int MAX_NDIM = 32;  // of NumPy 1

// NumPy's number of a tensor's dtype, or -1.
int type_number(const dlpack::DataType &dtype) {
    if (dtype.lanes != 1) return -1;
    const auto one_of = [&](std::uint8_t bits, int number, int larger) {
        return dtype.bits == bits ? number : dtype.bits == 2 * bits ? larger : -1;
    };
    switch (dtype.code) {
    case dlpack::INT: return one_of(32, NPY_INT32, NPY_INT64);
    case dlpack::FLOAT: return dtype.bits == 16 ? NPY_HALF : one_of(32, NPY_FLOAT, NPY_DOUBLE);
    case dlpack::BFLOAT: return dtype.bits == 16 ? arrays::bfloat16_number() : -1;
    case dlpack::COMPLEX: return one_of(64, NPY_CFLOAT, NPY_CDOUBLE);
    default: return -1;
    }
}

bool calls_true(const py::handle &object, const char *method) { return object.attr(method)().cast<bool>(); }

}  // namespace

TensorReader::TensorReader(const py::type &tensor_type) : type_(tensor_type) {
    const py::object capsule = tensor_type.attr("__dlpack_c_exchange_api__");
    void *const table = PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api");
    if (table == nullptr) throw py::error_already_set();
    api_ = static_cast<const dlpack::ExchangeApi *>(table);
    while (api_ != nullptr && api_->major_version != dlpack::MAJOR_VERSION) api_ = api_->older;
    if (api_ == nullptr)
        throw py::import_error("tensor_type: expected version 1 of DLPack's exchange API, got another");
}

py::object TensorReader::array_over(const py::object &tensor, bool keep) const {
    dlpack::Tensor memory;
    if (!read(tensor, memory) || memory.data == nullptr || memory.ndim > MAX_NDIM) return py::none();
    const int number = type_number(memory.dtype);
    if (number < 0 || is_lazy(tensor, memory)) return py::none();
    std::vector<npy_intp> strides(memory.strides, memory.strides + memory.ndim);
    PyArray_Descr *const descr = PyArray_DescrFromType(number);
    if (descr == nullptr) throw py::error_already_set();
    for (npy_intp &stride : strides) stride *= PyDataType_ELSIZE(descr);
    auto array = py::reinterpret_steal<py::object>(PyArray_NewFromDescr(
        &PyArray_Type, descr, memory.ndim, memory.shape, strides.data(), memory.data, NPY_ARRAY_WRITEABLE, nullptr));
    if (!array || (keep && PyArray_SetBaseObject(arrays::array_of(array), py::object(tensor).release().ptr()) != 0))
        throw py::error_already_set();
    return array;
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
    if (tensor.dtype.code == dlpack::COMPLEX) return true;
    for (int i = 0; i < tensor.ndim; ++i)
        if (tensor.shape[i] > 1 && tensor.strides[i] % 2 != 0) return false;
    return true;
}

bool is_lazy(const py::handle &tensor, const dlpack::Tensor &memory) {
    return may_be_lazy(memory) && (calls_true(tensor, "is_neg") || calls_true(tensor, "is_conj"));
}

}  // namespace adagrad
