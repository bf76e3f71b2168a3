// A checked step: pointers, lengths, scalars and kernels. Knows no Python; nothing is checked here any more.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/sparse_update.hpp"
#include "engine/strided_view.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {

// What a group asks of one step. torch's and MindSpore's arguments side by side; each rule reads its own.
struct Hyper {
    double lr = 0, lr_decay = 0, eps = 0, weight_decay = 0, unscale = 1;
    bool decays = false, maximize = false, update_slots = true, centralize = false;
    bool decays_rows = true;  // a sparse gradient decays the rows that it touches, otherwise it is refused
};

// What a step asks of all its gradients.
struct Options {
    double grad_scale = 1;
    std::optional<double> max_norm;
    double norm_divisor = 1;
    bool finite_only = false;  // take no step where a gradient is not finite
};

struct Tensor {
    const Kernels *kernels = nullptr;
    std::ptrdiff_t count = 0;
    View param, state, grad;        // in the order of the update
    View ordered_grad;              // in C order, in which sums are taken
    float *step = nullptr;          // torch's counter
    std::ptrdiff_t row_length = 0;  // of the rows that MindSpore would centralise, 0 where it would not
    std::unique_ptr<Rows> rows;     // workspace of sparse gradients
    bool sparse = false;            // the gradient is `rows`, otherwise `grad`
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

    std::optional<double> norm;  // of the gradients of the last step, if that asked for it

    // Sets the scalars of every active tensor. `which` tells the tensor's hyper-parameters.
    void prepare(const std::vector<Hyper> &hypers, const std::vector<std::int32_t> &which, const Options &options);
    std::ptrdiff_t elements() const { return elements_; }  // of the active tensors

    // Moves parameters, accumulators and counters; false if they stay where they are.
    bool step(const Options &options);

  private:
    std::vector<Scalars> scalars_;
    std::ptrdiff_t elements_ = 0;
    std::vector<std::ptrdiff_t> starts_;
    std::vector<double> sums_;  // of blocks, or the means of rows

    template <class Size> void concatenate(Size size);
    template <class Body> void share(Body body);
    template <class Body> void share_rows(Body body);
    double grad_norm();
    void row_means();
    void update();
    void update_range(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end) const;
};

}  // namespace adagrad
