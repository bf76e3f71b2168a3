// Where a framework's tensor lies in memory, read by one call of C and without a new object of the framework.
#pragma once
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

#include "engine/prefetch.hpp"
#include "python/dlpack.hpp"

namespace adagrad {

namespace py = pybind11;

class TensorReader {
  public:
    // Throws AttributeError or ImportError for a type that does not offer DLPack's table of functions.
    explicit TensorReader(const py::type &tensor_type);

    // Reads an instance of the type or of a subclass. Returns false for a tensor without strided memory on the CPU.
    bool read(const py::handle &tensor, dlpack::Tensor &out) const {
        if (api_->read(tensor.ptr(), &out) == 0)
            return out.device.type == dlpack::CPU && out.byte_offset == 0 && has_memory(out);
        PyErr_Clear();
        return false;
    }
    // An array over the memory that a tensor has now; None if it cannot be read, or not as an array. Refers to the
    // tensor if `keep`. The garbage collector cannot see this reference, as NumPy does not show it.
    py::object array_over(const py::object &tensor, bool keep) const;
    // A subclass may compute its elements elsewhere.
    bool is_plain(const py::handle &object) const {
        return reinterpret_cast<PyObject *>(Py_TYPE(object.ptr())) == type_.ptr();
    }
    const py::type &type() const { return type_; }

  private:
    // A storage may have been freed, and a tensor of zeros may have none.
    static bool has_memory(const dlpack::Tensor &tensor) {
        return tensor.data != nullptr || std::count(tensor.shape, tensor.shape + tensor.ndim, 0) > 0;
    }

    py::type type_;
    const dlpack::ExchangeApi *api_;
};

// The dtype, dimensions and strides of a tensor.
class TensorLayout {
  public:
    explicit TensorLayout(const dlpack::Tensor &tensor);
    bool matches(const dlpack::Tensor &tensor) const {
        if (tensor.ndim != ndim_ || !(tensor.dtype == dtype_)) return false;
        for (int i = 0; i < ndim_; ++i)
            if (tensor.shape[i] != sizes_[i] || (tensor.strides[i] != sizes_[ndim_ + i] && sizes_[i] != 1))
                return false;
        return true;
    }

  private:
    int ndim_;
    dlpack::DataType dtype_;
    std::vector<std::int64_t> sizes_;  // dimensions, then strides
};

// Each layout once, so that the layouts of many tensors stay in the processor's cache.
class TensorLayouts {
  public:
    const TensorLayout *find_or_add(const dlpack::Tensor &tensor);
    std::size_t size() const { return layouts_.size(); }

  private:
    std::deque<TensorLayout> layouts_;
};

// The memory of a tensor when it was last read.
struct TensorMemory {
    const void *data = nullptr;
    const TensorLayout *layout = nullptr;  // null: matches no tensor
    const std::int64_t *shape = nullptr;   // lies in the framework's own object for the tensor

    bool matches(const dlpack::Tensor &tensor) const { return tensor.data == data && matches_layout(tensor); }
    bool matches_layout(const dlpack::Tensor &tensor) const { return layout != nullptr && layout->matches(tensor); }

    // Asks for the memory that a read of the tensor goes through: its Python object, and the framework's around
    // `shape`.
    void prefetch(const py::handle &object) const {
        if (layout == nullptr) return;
        const auto *const python = reinterpret_cast<const char *>(object.ptr());
        const auto *const framework = reinterpret_cast<const char *>(shape);
        for (int line : {0, 1}) adagrad::prefetch(python + CACHE_LINE * line);
        for (int line : {-2, -1, 0, 1}) adagrad::prefetch(framework + CACHE_LINE * line);
    }
};

// Whether the elements of a tensor, or their parts, lie at multiples of their size.
bool is_aligned(const dlpack::Tensor &tensor);

// Whether a tensor may be conjugated or negated lazily, which its memory does not show. A tensor is negated where it is
// the imaginary part of a conjugated one, so that all its strides are even.
bool may_be_lazy(const dlpack::Tensor &tensor);
// Asks the tensor, which may run other code.
bool is_lazy(const py::handle &tensor, const dlpack::Tensor &memory);

}  // namespace adagrad
