#include "engine/executor.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/dense_update.hpp"
#include "engine/parallel.hpp"

namespace adagrad {
namespace {

std::ptrdiff_t elements_of(const Tensor &tensor) {
    return tensor.has_sparse_grad ? tensor.sparse->elements() : tensor.count;
}

// The number of parts of each kind in a tensor.
std::ptrdiff_t dense_elements(const Tensor &tensor) { return tensor.has_sparse_grad ? 0 : tensor.count; }
std::ptrdiff_t dense_blocks(const Tensor &tensor) { return (dense_elements(tensor) + SUM_BLOCK - 1) / SUM_BLOCK; }
std::ptrdiff_t dense_means(const Tensor &tensor) {
    return tensor.mean_length == 0 ? 0 : dense_elements(tensor) / tensor.mean_length;
}
std::ptrdiff_t sparse_entries(const Tensor &tensor) {
    return tensor.has_sparse_grad ? tensor.sparse->groups.size() : 0;
}

std::ptrdiff_t frequent_parts(const Tensor &tensor) {
    return tensor.has_sparse_grad ? tensor.sparse->frequent.parts() : 0;
}

// Whether a step may copy blocks of the tensor.
bool needs_scratch(const Tensor &tensor) {
    return tensor.has_sparse_grad || !(tensor.param.contiguous() && tensor.state.contiguous() &&
                                       tensor.grad.contiguous() && tensor.ordered_grad.contiguous());
}

}  // namespace

bool Executor::has_elements(std::ptrdiff_t least) const {
    std::ptrdiff_t elements = 0;
    for (auto index = active.begin(); elements < least && index != active.end(); ++index)
        elements += elements_of(tensors[*index]);
    return elements >= least;
}

void Executor::prepare(const std::vector<Hyperparameters> &hyperparameters,
                       const std::vector<std::int32_t> &group_index, const StepOptions &options) {
    args_.clear();
    elements_ = 0;
    std::ptrdiff_t blocks = 0, means = 0;
    bool copies = false;
    const bool takes_norm = options.takes_norm();
    const Hyperparameters *last_group = nullptr;
    double last_steps = 0;
    for (const std::size_t index : active) {
        Tensor &tensor = tensors[index];
        if (tensor.has_sparse_grad) copy_indices(index);
        const Hyperparameters &group = hyperparameters[group_index[index]];
        const double steps = counters.steps(index);
        // Tensors of one group have usually taken the same number of steps, and then share their arguments.
        if (&group != last_group || steps != last_steps || tensor.has_sparse_grad) {
            const bool is_sparse = tensor.has_sparse_grad;
            const Context now = {steps, is_sparse, is_sparse && tensor.sparse->is_single_element()};
            args_.push_back({options.grad_scale, 1, 0, rule->scalars(group.options, now)});
        }
        last_group = tensor.has_sparse_grad ? nullptr : &group;
        last_steps = steps;
        tensor.args = args_.size() - 1;
        tensor.mean_length = group.takes_row_mean ? tensor.row_length : 0;
        tensor.preprocesses = group.preprocesses || tensor.mean_length != 0;
        elements_ += elements_of(tensor);
        blocks += dense_blocks(tensor);
        means += dense_means(tensor);
        copies = copies || needs_scratch(tensor);
        if (takes_norm && tensor.has_sparse_grad)
            tensor.sparse->square_sums.reserve(static_cast<std::size_t>(tensor.sparse->groups.count()));
    }
    const int threads = threads_for(elements_);
    for (const std::size_t index : active)
        if (tensors[index].has_sparse_grad) tensors[index].sparse->reserve(threads);
    starts_.reserve(active.size() + 1);
    sums_.reserve(static_cast<std::size_t>(std::max(takes_norm ? blocks : 0, means)));
    if (copies) reserve_scratch(threads);
}

void Executor::copy_indices(std::size_t index) {
    RowGroups &groups = tensors[index].sparse->groups;
    const std::ptrdiff_t position = groups.copy();
    if (position != groups.count()) throw IndexOutOfRange{index, position, groups.rows(), groups.copied(position)};
}

void Executor::reserve_scratch(int threads) {
    if (threads <= scratches_) return;
    scratch_.reset(new Scratch[static_cast<std::size_t>(threads)]);
    scratches_ = threads;
}

// Lays the active tensors end to end, each as long as `size` says.
template <class Size> void Executor::concatenate(Size size) {
    starts_.assign(1, 0);
    for (const std::size_t index : active) starts_.push_back(starts_.back() + size(tensors[index]));
}

// Divides the concatenation among the threads: body(slot, begin, end, scratch) for each part within one tensor.
template <class Body> void Executor::for_each_part(Body body) { for_each_part(0, starts_.back(), body); }

// The same for a range of it.
template <class Body> void Executor::for_each_part(std::ptrdiff_t first, std::ptrdiff_t last, Body body) {
    if (first == last) return;
    parallel_for(last - first, elements_, [&](int thread, std::ptrdiff_t begin, std::ptrdiff_t end) {
        Scratch *const scratch = scratch_ == nullptr ? nullptr : &scratch_[static_cast<std::size_t>(thread)];
        begin += first;
        end += first;
        std::size_t slot = std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin() - 1;
        for (; begin < end; ++slot) {
            const std::ptrdiff_t start = starts_[slot], stop = std::min(end, starts_[slot + 1]);
            if (begin < stop) body(slot, begin - start, stop - start, scratch);
            begin = stop;
        }
    });
}

// Divides the entries of the sparse gradients among the threads: body(tensor, begin, end, scratch).
template <class Body> void Executor::for_each_sparse_part(Body body) {
    concatenate(sparse_entries);
    for_each_part([&](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        body(tensors[active[slot]], begin, end, scratch);
    });
}

bool Executor::step(const StepOptions &options) noexcept {
    if (options.only_check) return false;
    norm = options.total_norm;
    order_rows(options.takes_norm());
    if (options.takes_norm()) norm = grad_norm() / options.norm_divisor;
    if (options.only_norm) return false;
    if (options.skip_nonfinite && !std::isfinite(*norm)) return false;
    if (options.max_norm) {
        const double factor = *options.max_norm / (*norm + 1e-6);
        // A norm that is NaN makes the gradients NaN, as clip_grad_norm_ does.
        if (!(factor >= 1))
            for (KernelArgs &args : args_) args.clip = factor;
    }
    update(options.range);
    return true;
}

// Makes the sparse gradients ready to be summed and updated.
void Executor::order_rows(bool sorts) {
    std::ptrdiff_t values = 0;  // of all sparse gradients
    for (const std::size_t index : active)
        if (tensors[index].has_sparse_grad) values += elements_of(tensors[index]);
    for (const std::size_t index : active) {
        const Tensor &tensor = tensors[index];
        if (!tensor.has_sparse_grad) continue;
        // Below, each thread adds the rows of other gradients. One that has most of the values would leave the rest of
        // the threads without work.
        const bool adds = 2 * elements_of(tensor) > values;
        tensor.sparse->order(sorts, adds, args_[tensor.args]);
    }
    concatenate(frequent_parts);
    for_each_part([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *) {
        const Tensor &tensor = tensors[active[slot]];
        for (; begin < end; ++begin) tensor.sparse->add_frequent(begin, args_[tensor.args]);
    });
}

// The norm of all gradients, divided by grad_scale.
double Executor::grad_norm() {
    for (const std::size_t index : active)
        if (tensors[index].has_sparse_grad) tensors[index].sparse->clear_square_sums();
    for_each_sparse_part([this](const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        tensor.sparse->sum_squares(begin, end, args_[tensor.args], scratch);
    });
    concatenate(dense_blocks);
    sums_.resize(starts_.back());
    for_each_part([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        const Tensor &tensor = tensors[active[slot]];
        for (std::ptrdiff_t block = begin; block < end; ++block)
            sums_[starts_[slot] + block] = square_sum(tensor, block, args_[tensor.args], scratch);
    });
    double total = 0;
    for (std::size_t slot = 0; slot < active.size(); ++slot) {
        const Tensor &tensor = tensors[active[slot]];
        total += tensor.has_sparse_grad
                     ? tensor.sparse->total_square_sum()
                     : std::accumulate(sums_.begin() + starts_[slot], sums_.begin() + starts_[slot + 1], 0.0);
    }
    return std::sqrt(total);
}

void Executor::take_row_means() {
    concatenate(dense_means);
    sums_.resize(starts_.back());
    for (std::size_t slot = 0; slot < active.size(); ++slot) tensors[active[slot]].means = sums_.data() + starts_[slot];
    for_each_part([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        const Tensor &tensor = tensors[active[slot]];
        for (std::ptrdiff_t row = begin; row < end; ++row)
            sums_[starts_[slot] + row] = row_mean(tensor, row, args_[tensor.args], scratch);
    });
}

void Executor::update(const std::optional<ElementRange> &range) {
    take_row_means();
    for_each_sparse_part([this](const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        tensor.sparse->update(begin, end, args_[tensor.args], tensor.mean_length != 0, tensor.preprocesses, scratch);
    });
    concatenate(dense_elements);
    const std::ptrdiff_t last = range ? std::clamp<std::ptrdiff_t>(range->end, 0, starts_.back()) : starts_.back();
    const std::ptrdiff_t first = range ? std::clamp<std::ptrdiff_t>(range->begin, 0, last) : 0;
    if (range) elements_ = last - first;
    for_each_part(first, last, [this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        const Tensor &tensor = tensors[active[slot]];
        update_dense(tensor, begin, end, args_[tensor.args], scratch);
    });
    if (!range || range->is_last) counters.advance(active);
}

}  // namespace adagrad
