// What the walks over dense and sparse gradients have in common.
#pragma once
#include <cstddef>

#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// A stretch of at most one block: the array's own memory where it is contiguous, otherwise a copy.
class Stage {
  public:
    Stage(const View &view, std::ptrdiff_t begin, std::ptrdiff_t count) : view_(view), begin_(begin), count_(count) {
        if (view.contiguous())
            data_ = view.data + begin * view.itemsize;
        else
            view.gather(begin, count, data_ = buffer_);
    }
    void *data() const { return data_; }
    void write_back() const {
        if (!view_.contiguous()) view_.scatter(begin_, count_, buffer_);
    }

  private:
    const View &view_;
    std::ptrdiff_t begin_, count_;
    char *data_;
    alignas(64) char buffer_[SUM_BLOCK * sizeof(double)];
};

// The loop that these scalars need, among the update loops.
inline int path_of(const Scalars &x, bool centralizes) {
    const bool prepared = x.decays || x.maximize || x.unscale != 1 || centralizes;
    return (prepared ? PREPARED : 0) | (x.clip != 1 ? CLIPPED : 0) | (x.grad_scale != 1 ? DIVIDED : 0);
}

inline Reduce square_sum_of(const Kernels &kernels, const Scalars &x) {
    return x.grad_scale == 1 ? kernels.square_sum : kernels.divided_square_sum;
}

}  // namespace adagrad
