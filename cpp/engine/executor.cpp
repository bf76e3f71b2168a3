#include "engine/executor.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/block_buffer.hpp"
#include "engine/parallel.hpp"
#include "rules/rules.hpp"

namespace adagrad {
namespace {

constexpr std::ptrdiff_t CACHE_LINE = 64;

Scalars scalars_for(Rule rule, const Hyper &hyper, float counter, double grad_scale) {
    Scalars x;
    const bool torch = rule == TORCH;
    x.eps = hyper.eps;
    // MindSpore holds its numbers in float32, whatever the parameter's dtype.
    x.rate = torch ? torch_rate(hyper.lr, hyper.lr_decay, counter + 1) : float(hyper.lr);
    x.decay = torch ? hyper.weight_decay : float(hyper.weight_decay);
    x.decays = hyper.decays;
    x.maximize = hyper.maximize;
    x.update_slots = hyper.update_slots;
    x.unscale = float(hyper.unscale);
    x.grad_scale = grad_scale;
    return x;
}

// The sum of block(begin, count) over [begin, end), one block after another.
template <class Block> double sum_blocks(std::ptrdiff_t begin, std::ptrdiff_t end, Block block) {
    double sum = 0;
    for (; begin < end; begin += SUM_BLOCK) sum += block(begin, std::min<std::ptrdiff_t>(SUM_BLOCK, end - begin));
    return sum;
}

void update_span(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, const Scalars &scalars) {
    const Update update = tensor.kernels->update[path_of(scalars, tensor.row != 0)];
    const View &param = tensor.param, &state = tensor.state, &grad = tensor.grad;
    if (param.contiguous() && state.contiguous() && grad.contiguous()) {
        update(param.data + begin * param.itemsize, state.data + begin * state.itemsize,
               grad.data + begin * grad.itemsize, end - begin, scalars);
        return;
    }
    for (; begin < end; begin += SUM_BLOCK) {
        const std::ptrdiff_t count = std::min<std::ptrdiff_t>(SUM_BLOCK, end - begin);
        const Stage params(param, begin, count), states(state, begin, count), grads(grad, begin, count);
        update(params.data(), states.data(), grads.data(), count, scalars);
        params.write_back();
        states.write_back();
    }
}

double square_sum(const Tensor &tensor, std::ptrdiff_t block, const Scalars &scalars) {
    const std::ptrdiff_t first = block * SUM_BLOCK, count = std::min<std::ptrdiff_t>(SUM_BLOCK, tensor.count - first);
    const Stage grads(tensor.ordered_grad, first, count);
    return square_sum_of(*tensor.kernels, scalars)(nullptr, grads.data(), count, scalars);
}

// Moves a boundary between two threads down to a cache line of the parameter.
std::ptrdiff_t at_line(const Tensor &tensor, std::ptrdiff_t index) {
    if (index == tensor.count) return index;
    const std::ptrdiff_t line = CACHE_LINE / tensor.param.itemsize;
    const auto address = reinterpret_cast<std::ptrdiff_t>(tensor.param.data) / tensor.param.itemsize;
    return std::max<std::ptrdiff_t>(0, index - (address + index) % line);
}

// How many parts of each kind a tensor has.
std::ptrdiff_t dense_elements(const Tensor &tensor) { return tensor.sparse ? 0 : tensor.count; }
std::ptrdiff_t buckets_of(const Tensor &tensor) { return tensor.sparse ? tensor.rows->grouping.buckets() : 0; }
std::ptrdiff_t dense_blocks(const Tensor &tensor) { return (dense_elements(tensor) + SUM_BLOCK - 1) / SUM_BLOCK; }
std::ptrdiff_t means_of(const Tensor &tensor) {
    return tensor.row == 0 || tensor.sparse ? 0 : tensor.count / tensor.row;
}

}  // namespace

void Plan::prepare(const std::vector<Hyper> &hypers, const std::vector<std::int32_t> &which, const Options &options) {
    const threads::IeeeMode ieee;
    scalars_.clear();
    elements_ = 0;
    std::int32_t last_hyper = -1;
    float last_counter = 0;
    for (const std::size_t index : active) {
        Tensor &tensor = tensors[index];
        const float counter = tensor.step == nullptr ? 0 : *tensor.step;
        // Tensors of one group have usually taken the same number of steps.
        if (which[index] != last_hyper || counter != last_counter || tensor.sparse)
            scalars_.push_back(scalars_for(rule, hypers[which[index]], counter, options.grad_scale));
        last_hyper = tensor.sparse ? -1 : which[index];
        last_counter = counter;
        tensor.scalars = scalars_.size() - 1;
        tensor.row = hypers[which[index]].centralize ? tensor.row_length : 0;
        if (tensor.sparse) scalars_.back().lone = tensor.rows->is_lone();
        elements_ += tensor.sparse ? tensor.rows->elements() : tensor.count;
    }
}

// Lays the active tensors end to end, each as long as `size` says.
template <class Size> void Plan::concatenate(Size size) {
    starts_.assign(1, 0);
    for (const std::size_t index : active) starts_.push_back(starts_.back() + size(tensors[index]));
}

// Shares the concatenation among the threads: body(slot, begin, end) for each stretch within one tensor.
template <class Body> void Plan::share(Body body) {
    if (starts_.back() == 0) return;
    threads::share(starts_.back(), elements_, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        std::size_t slot = std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin() - 1;
        for (; begin < end; ++slot) {
            const std::ptrdiff_t start = starts_[slot], stop = std::min(end, starts_[slot + 1]);
            if (begin < stop) body(slot, begin - start, stop - start);
            begin = stop;
        }
    });
}

// Shares the sparse gradients among the threads: body(rows, bucket, tensor).
template <class Body> void Plan::share_rows(Body body) {
    concatenate(buckets_of);
    share([&](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const Tensor &tensor = tensors[active[slot]];
        for (std::ptrdiff_t bucket = begin; bucket < end; ++bucket) body(*tensor.rows, bucket, tensor);
    });
}

bool Plan::step(const Options &options) {
    const threads::IeeeMode ieee;
    norm.reset();
    if (options.max_norm || options.finite_only) norm = grad_norm() / options.norm_divisor;
    if (options.finite_only && !std::isfinite(*norm)) return false;
    if (options.max_norm) {
        const double factor = *options.max_norm / (*norm + 1e-6);
        // A norm that is not a number makes the gradients so, as in torch.
        if (!(factor >= 1))
            for (Scalars &scalars : scalars_) scalars.clip = factor;
    }
    update();
    return true;
}

// Of all gradients, divided by grad_scale.
double Plan::grad_norm() {
    for (const std::size_t index : active)
        if (tensors[index].sparse) tensors[index].rows->clear_sums();
    share_rows([this](Rows &rows, std::ptrdiff_t bucket, const Tensor &tensor) {
        rows.sum_squares(bucket, scalars_[tensor.scalars]);
    });
    concatenate(dense_blocks);
    sums_.resize(starts_.back());
    share([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const Tensor &tensor = tensors[active[slot]];
        for (std::ptrdiff_t block = begin; block < end; ++block)
            sums_[starts_[slot] + block] = square_sum(tensor, block, scalars_[tensor.scalars]);
    });
    double total = 0;
    for (std::size_t slot = 0; slot < active.size(); ++slot) {
        const Tensor &tensor = tensors[active[slot]];
        total += tensor.sparse ? tensor.rows->square_sum()
                               : std::accumulate(sums_.begin() + starts_[slot], sums_.begin() + starts_[slot + 1], 0.0);
    }
    return std::sqrt(total);
}

void Plan::row_means() {
    concatenate(means_of);
    sums_.resize(starts_.back());
    for (std::size_t slot = 0; slot < active.size(); ++slot) tensors[active[slot]].means = sums_.data() + starts_[slot];
    share([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const Tensor &tensor = tensors[active[slot]];
        for (std::ptrdiff_t row = begin; row < end; ++row) {
            const double sum =
                sum_blocks(row * tensor.row, (row + 1) * tensor.row, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                    const Stage params(tensor.param, first, count), grads(tensor.grad, first, count);
                    return tensor.kernels->decayed_sum(params.data(), grads.data(), count, scalars_[tensor.scalars]);
                });
            sums_[starts_[slot] + row] = sum / static_cast<double>(tensor.row);
        }
    });
}

void Plan::update_range(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end) const {
    const Scalars &scalars = scalars_[tensor.scalars];
    if (tensor.row == 0) return update_span(tensor, begin, end, scalars);
    while (begin < end) {
        const std::ptrdiff_t row = begin / tensor.row, stop = std::min(end, (row + 1) * tensor.row);
        Scalars centred = scalars;
        centred.mean = tensor.means[row];
        update_span(tensor, begin, stop, centred);
        begin = stop;
    }
}

void Plan::update() {
    row_means();
    share_rows([this](const Rows &rows, std::ptrdiff_t bucket, const Tensor &tensor) {
        rows.update(bucket, scalars_[tensor.scalars], tensor.row != 0);
    });
    concatenate(dense_elements);
    share([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const Tensor &tensor = tensors[active[slot]];
        update_range(tensor, at_line(tensor, begin), at_line(tensor, end));
    });
    for (const std::size_t index : active)
        if (tensors[index].step != nullptr) *tensors[index].step += 1;
    if (global_step != nullptr) *global_step += 1;
}

}  // namespace adagrad
