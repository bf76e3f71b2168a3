#include "engine/dense_update.hpp"

#include <algorithm>

namespace adagrad {
namespace {

// Fewer elements than this are updated in one loop, wherever they begin.
constexpr std::ptrdiff_t ALIGN_FROM = 2048;

// The number of elements between the start of the cache line in which an element of the parameter lies and that
// element.
std::ptrdiff_t place_in_line(const Tensor &tensor, std::ptrdiff_t index) {
    const auto address = reinterpret_cast<std::ptrdiff_t>(tensor.param.data) / tensor.param.itemsize;
    return (address + index) % (CACHE_LINE / tensor.param.itemsize);
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

// Moves a boundary between two threads down to a cache line of the parameter.
std::ptrdiff_t at_line(const Tensor &tensor, std::ptrdiff_t index) {
    return index == tensor.count ? index : std::max<std::ptrdiff_t>(0, index - place_in_line(tensor, index));
}

}  // namespace

double square_sum(const Tensor &tensor, std::ptrdiff_t block, const KernelArgs &args, Scratch *scratch) {
    const std::ptrdiff_t first = block * SUM_BLOCK, count = std::min<std::ptrdiff_t>(SUM_BLOCK, tensor.count - first);
    const BlockBuffer grads(tensor.ordered_grad, first, count, scratch, &Scratch::grad);
    return square_sum_for(*tensor.kernels, args)(nullptr, grads.data(), count, args);
}

double row_mean(const Tensor &tensor, std::ptrdiff_t row, const KernelArgs &args, Scratch *scratch) {
    const std::ptrdiff_t length = tensor.mean_length, stop = (row + 1) * length;
    double sum = 0;
    for (std::ptrdiff_t first = row * length; first < stop; first += SUM_BLOCK) {
        const std::ptrdiff_t count = std::min<std::ptrdiff_t>(SUM_BLOCK, stop - first);
        const BlockBuffer params(tensor.param, first, count, scratch, &Scratch::param);
        const BlockBuffer grads(tensor.grad, first, count, scratch, &Scratch::grad);
        sum += tensor.kernels->row_sum(params.data(), grads.data(), count, args);
    }
    return sum / static_cast<double>(length);
}

void update_dense(const Tensor &tensor, std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args,
                  Scratch *scratch) {
    begin = at_line(tensor, begin);
    end = at_line(tensor, end);
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

}  // namespace adagrad
