// A step whose arrays and options have been checked: pointers, lengths, scalars and kernels. It knows no Python.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/block_buffer.hpp"
#include "engine/rule_info.hpp"
#include "engine/step_counters.hpp"
#include "engine/tensor.hpp"

namespace adagrad {

// What one of several calls updates in a step with dense gradients and without row means: a range of their elements,
// laid end to end, whose ends are moved down to cache lines of the parameters.
struct ElementRange {
    std::ptrdiff_t begin, end;
    bool is_first, is_last;  // the last one counts the step
};

// The options of a step, the same for every rule.
struct StepOptions {
    double grad_scale = 1;
    std::optional<double> max_norm;
    double norm_divisor = 1;
    bool skip_nonfinite = false;  // take no step if a gradient is not finite
    // Where this process has a part of the gradients: the norm of all, divided by the norm_divisor.
    std::optional<double> total_norm = std::nullopt;
    bool only_norm = false;   // take the norm, and no step
    bool only_check = false;  // neither
    std::optional<ElementRange> range = std::nullopt;

    bool takes_norm() const { return !total_norm && (max_norm || skip_nonfinite || only_norm); }
};

// The options of a parameter group for one step, and what the rule derives from them.
struct Hyperparameters {
    Packed options;
    bool preprocesses, takes_row_mean;
    const char *sparse_error;  // null if sparse gradients are allowed
};

// An index of a sparse gradient beyond its table.
struct IndexOutOfRange {
    std::size_t tensor;
    std::ptrdiff_t position, rows;
    std::int64_t index;
};

class Executor {
  public:
    const RuleInfo *rule = nullptr;
    std::vector<Tensor> tensors;
    StepCounters counters;
    std::vector<std::size_t> active;  // the tensors with a gradient, in order

    std::optional<double> norm;  // of the gradients of the last step, if that step took it

    // Whether the active tensors have at least `least` elements.
    bool has_elements(std::ptrdiff_t least) const;

    // The caller of these two holds an FpEnvGuard.
    //
    // Copies the indices of sparse gradients, and computes the kernel arguments of each active tensor. `group_index`
    // gives the hyperparameters of each tensor. All memory of the step is allocated here. Throws IndexOutOfRange.
    void prepare(const std::vector<Hyperparameters> &hyperparameters, const std::vector<std::int32_t> &group_index,
                 const StepOptions &options);

    // Updates parameters, accumulators and counters; returns false if it takes no step.
    bool step(const StepOptions &options) noexcept;

  private:
    std::vector<KernelArgs> args_;
    std::ptrdiff_t elements_ = 0;
    std::vector<std::ptrdiff_t> starts_;
    std::vector<double> sums_;            // of blocks, or the means of rows
    std::unique_ptr<Scratch[]> scratch_;  // one for each thread
    int scratches_ = 0;

    void copy_indices(std::size_t index);
    void reserve_scratch(int threads);
    template <class Size> void concatenate(Size size);
    template <class Body> void for_each_part(Body body);
    template <class Body> void for_each_part(std::ptrdiff_t first, std::ptrdiff_t last, Body body);
    template <class Body> void for_each_sparse_part(Body body);
    void order_rows(bool sorts);
    double grad_norm();
    void take_row_means();
    void update(const std::optional<ElementRange> &range);
};

}  // namespace adagrad
