// Prefetches for the reads of many tensors. A backward pass fills the processor's caches with other memory. Each read
// of a tensor then waits for its Python object, for its C++ object and for its storage, one after the other.
//
// torch's headers show where these objects lie; no interface promises it. The addresses only serve as hints to the
// processor: a wrong hint costs time and has no other effect.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>

#include "python/dlpack.hpp"

namespace adagrad {

namespace py = pybind11;

constexpr std::size_t PREFETCH_AHEAD = 4;  // tensors

inline void prefetch_lines(const void *object, int bytes) {
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char *>(object) + i);
}

// The start of a c10::TensorImpl, whose address follows the header of the Python object.
struct TensorImpl {
    static constexpr int BYTES = 256;  // at least its size
    const void *vtable;
    std::uint64_t counts;
    const void *storage, *autograd;

    static const TensorImpl *of(const py::handle &tensor) {
        return *reinterpret_cast<const TensorImpl *const *>(tensor.ptr() + 1);
    }
    // Whether a tensor of torch.Tensor is such an object: its dimensions lie in it. Otherwise it must not be read.
    static bool holds(const py::handle &tensor, const dlpack::Tensor &memory) {
        const auto offset =
            reinterpret_cast<std::uintptr_t>(memory.shape) - reinterpret_cast<std::uintptr_t>(of(tensor));
        return offset >= sizeof(TensorImpl) && offset < BYTES;
    }
};

// What a step reads of a tensor that it has read before.
struct TensorPlaces {
    const PyObject *object = nullptr;
    const TensorImpl *impl = nullptr;
    const void *storage = nullptr, *autograd = nullptr;

    void prefetch() const {
        prefetch_lines(object, 128);
        prefetch_lines(impl, TensorImpl::BYTES);
        prefetch_lines(storage, 128);
    }
};

}  // namespace adagrad
