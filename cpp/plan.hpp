// A checked step: pointers, lengths, scalars and kernels. Knows no Python; nothing is checked here any more.
#pragma once
#include <cstdint>
#include <vector>

#include "kernel.hpp"
#include "view.hpp"

namespace adagrad {

// What a group asks of one step. torch's and MindSpore's arguments side by side; each rule reads its own.
struct Hyper {
    double lr = 0, lr_decay = 0, eps = 0, weight_decay = 0, unscale = 1;
    bool decays = false, maximize = false, update_slots = true, centralize = false;
};

struct Tensor {
    const Kernels *kernels = nullptr;
    std::ptrdiff_t count = 0;
    View param, state, grad;        // in the order of the update
    View ordered_grad;              // in C order, in which sums are taken
    float *step = nullptr;          // torch's counter
    std::ptrdiff_t row_length = 0;  // of the rows that MindSpore would centralise, 0 where it would not
    // Set for each step:
    std::size_t scalars = 0;
    std::ptrdiff_t row = 0;  // row_length where gradients are centralised, else 0
    const double *means = nullptr;
};

class Plan {
  public:
    Rule rule = TORCH;
    std::vector<Tensor> tensors;
    std::vector<std::size_t> active;      // the tensors that have a gradient, in order
    std::int32_t *global_step = nullptr;  // MindSpore's counter

    // Sets the scalars of every active tensor. `which` tells the tensor's hyper-parameters.
    void prepare(const std::vector<Hyper> &hypers, const std::int32_t *which, double grad_scale);

    // The norm of all scaled gradients.
    double grad_norm();
    void clip(double factor);

    // Moves parameters, accumulators and counters.
    void update();

  private:
    std::vector<Scalars> scalars_;
    std::ptrdiff_t elements_ = 0;
    std::vector<std::ptrdiff_t> starts_;
    std::vector<double> sums_;  // of blocks, or the means of rows

    template <class Size> void concatenate(Size size);
    template <class Body> void share(Body body);
    void row_means();
    void update_range(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end) const;
};

}  // namespace adagrad
