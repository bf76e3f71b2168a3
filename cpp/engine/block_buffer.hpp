// One block of an array as contiguous memory.
#pragma once
#include <cstddef>

#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// One thread's memory for copies of blocks. It lies on the heap: a thread's stack may be as small as 64 KiB.
struct Scratch {
    struct alignas(CACHE_LINE) Block {
        char bytes[SUM_BLOCK * sizeof(double)];
    };
    Block param, state, grad;
    Block sum;  // of equal rows
};

// At most SUM_BLOCK elements of a view: the array's own memory where it is contiguous, otherwise a copy in a block of
// `scratch`, which may be null where no copy is made.
class BlockBuffer {
  public:
    BlockBuffer(const StridedView &view, std::ptrdiff_t begin, std::ptrdiff_t count, Scratch *scratch,
                Scratch::Block Scratch::*block)
        : view_(view), begin_(begin), count_(count) {
        if (view.contiguous())
            data_ = view.data + begin * view.itemsize;
        else
            view.gather(begin, count, data_ = (scratch->*block).bytes);
    }
    void *data() const { return data_; }
    void write_back() const {
        if (!view_.contiguous()) view_.scatter(begin_, count_, data_);
    }

  private:
    const StridedView &view_;
    std::ptrdiff_t begin_, count_;
    char *data_;
};

// The loop that these arguments need.
inline int variant_for(const KernelArgs &args, bool preprocesses) {
    return (preprocesses ? PREPROCESSED : PLAIN) | (args.grad_scale != 1 ? DIVIDED : args.clip != 1 ? CLIPPED : PLAIN);
}

inline Reduce square_sum_for(const Kernels &kernels, const KernelArgs &args) {
    return args.grad_scale == 1 ? kernels.square_sum : kernels.divided_square_sum;
}

}  // namespace adagrad
