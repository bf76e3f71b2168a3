#include "engine/executor.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

constexpr std::ptrdiff_t CACHE_LINE = 64;
// Fewer elements than this are updated in one loop, wherever they begin.
constexpr std::ptrdiff_t ALIGN_FROM = 2048;

// The number of elements between the start of the cache line in which an element of the parameter lies and that
// element.
std::ptrdiff_t place_in_line(const Tensor &tensor, std::ptrdiff_t index) {
    const auto address = reinterpret_cast<std::ptrdiff_t>(tensor.param.data) / tensor.param.itemsize;
    return (address + index) % (CACHE_LINE / tensor.param.itemsize);
}

// The sum of block(begin, count) over [begin, end), one block after another.
template <class Block> double sum_blocks(std::ptrdiff_t begin, std::ptrdiff_t end, Block block) {
    double sum = 0;
    for (; begin < end; begin += SUM_BLOCK) sum += block(begin, std::min<std::ptrdiff_t>(SUM_BLOCK, end - begin));
    return sum;
}

void update_span(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args,
                 Scratch *scratch) {
    const Update update = tensor.kernels->update[variant_for(args, tensor.preprocesses)];
    const StridedView &param = tensor.param, &state = tensor.state, &grad = tensor.grad;
    if (param.contiguous() && state.contiguous() && grad.contiguous()) {
        const auto update_from = [&](std::ptrdiff_t first, std::ptrdiff_t count) {
            update(param.data + first * param.itemsize, state.data + first * state.itemsize,
                   grad.data + first * grad.itemsize, count, args);
        };
        const std::ptrdiff_t place = place_in_line(tensor, begin);
        if (place != 0 && end - begin >= ALIGN_FROM) {
            // Every vector of the loop would cross a line otherwise.
            const std::ptrdiff_t head = CACHE_LINE / param.itemsize - place;
            update_from(begin, head);
            begin += head;
        }
        return update_from(begin, end - begin);
    }
    for (; begin < end; begin += SUM_BLOCK) {
        const std::ptrdiff_t count = std::min<std::ptrdiff_t>(SUM_BLOCK, end - begin);
        const BlockBuffer params(param, begin, count, scratch, &Scratch::param);
        const BlockBuffer states(state, begin, count, scratch, &Scratch::state);
        const BlockBuffer grads(grad, begin, count, scratch, &Scratch::grad);
        update(params.data(), states.data(), grads.data(), count, args);
        params.write_back();
        states.write_back();
    }
}

double square_sum(const Tensor &tensor, std::ptrdiff_t block, const KernelArgs &args, Scratch *scratch) {
    const std::ptrdiff_t first = block * SUM_BLOCK, count = std::min<std::ptrdiff_t>(SUM_BLOCK, tensor.count - first);
    const BlockBuffer grads(tensor.ordered_grad, first, count, scratch, &Scratch::grad);
    return square_sum_for(*tensor.kernels, args)(nullptr, grads.data(), count, args);
}

// Moves a boundary between two threads down to a cache line of the parameter.
std::ptrdiff_t at_line(const Tensor &tensor, std::ptrdiff_t index) {
    return index == tensor.count ? index : std::max<std::ptrdiff_t>(0, index - place_in_line(tensor, index));
}

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
            const bool single_element = tensor.has_sparse_grad && tensor.sparse->is_single_element();
            args_.push_back({options.grad_scale, 1, 0, rule->scalars(group.options, {steps, single_element})});
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
    scratches_ = 0;
    scratch_.reset(new Scratch[static_cast<std::size_t>(threads)]);
    scratches_ = threads;
}

// Lays the active tensors end to end, each as long as `size` says.
template <class Size> void Executor::concatenate(Size size) {
    starts_.assign(1, 0);
    for (const std::size_t index : active) starts_.push_back(starts_.back() + size(tensors[index]));
}

// Divides the concatenation among the threads: body(slot, begin, end, scratch) for each part within one tensor.
template <class Body> void Executor::for_each_part(Body body) {
    if (starts_.back() == 0) return;
    parallel_for(starts_.back(), elements_, [&](int thread, std::ptrdiff_t begin, std::ptrdiff_t end) {
        Scratch *const scratch = scratch_ == nullptr ? nullptr : &scratch_[static_cast<std::size_t>(thread)];
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
    norm = options.total_norm;
    order_rows();
    if (options.takes_norm()) norm = grad_norm() / options.norm_divisor;
    if (options.only_norm) return false;
    if (options.skip_nonfinite && !std::isfinite(*norm)) return false;
    if (options.max_norm) {
        const double factor = *options.max_norm / (*norm + 1e-6);
        // A norm that is NaN makes the gradients NaN, as clip_grad_norm_ does.
        if (!(factor >= 1))
            for (KernelArgs &args : args_) args.clip = factor;
    }
    update();
    return true;
}

// Makes the sparse gradients ready to be summed and updated.
void Executor::order_rows() {
    for (const std::size_t index : active)
        if (tensors[index].has_sparse_grad) tensors[index].sparse->order();
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
        const std::ptrdiff_t length = tensor.mean_length;
        for (std::ptrdiff_t row = begin; row < end; ++row) {
            const double sum =
                sum_blocks(row * length, (row + 1) * length, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                    const BlockBuffer params(tensor.param, first, count, scratch, &Scratch::param);
                    const BlockBuffer grads(tensor.grad, first, count, scratch, &Scratch::grad);
                    return tensor.kernels->row_sum(params.data(), grads.data(), count, args_[tensor.args]);
                });
            sums_[starts_[slot] + row] = sum / static_cast<double>(length);
        }
    });
}

void Executor::update_range(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) const {
    const KernelArgs &args = args_[tensor.args];
    const std::ptrdiff_t length = tensor.mean_length;
    if (length == 0) return update_span(tensor, begin, end, args, scratch);
    while (begin < end) {
        const std::ptrdiff_t row = begin / length, stop = std::min(end, (row + 1) * length);
        KernelArgs row_args = args;
        row_args.row_mean = tensor.means[row];
        update_span(tensor, begin, stop, row_args, scratch);
        begin = stop;
    }
}

void Executor::update() {
    take_row_means();
    for_each_sparse_part([this](const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        tensor.sparse->update(begin, end, args_[tensor.args], tensor.mean_length != 0, tensor.preprocesses, scratch);
    });
    concatenate(dense_elements);
    for_each_part([this](std::size_t slot, std::ptrdiff_t begin, std::ptrdiff_t end, Scratch *scratch) {
        const Tensor &tensor = tensors[active[slot]];
        update_range(tensor, at_line(tensor, begin), at_line(tensor, end), scratch);
    });
    counters.advance(active);
}

}  // namespace adagrad
