#include "engine/sparse_update.hpp"

#include <algorithm>
#include <cstring>

namespace adagrad {
namespace {

// Rows of a table lie anywhere, so that the processor cannot predict the next one.
constexpr std::ptrdiff_t PREFETCH_DISTANCE = 16, CACHE_LINE = 64, MAX_PREFETCH_LINES = 16;

void prefetch_row(const StridedView &view, std::ptrdiff_t row, std::ptrdiff_t width) {
    if (!view.contiguous()) return;
    const char *const begin = view.data + row * width * view.itemsize;
    const char *const end = begin + std::min(width * view.itemsize, MAX_PREFETCH_LINES * CACHE_LINE);
    for (const char *line = begin; line < end; line += CACHE_LINE) __builtin_prefetch(line);
}

// Calls body(first, last) for the entries of each row in a bucket.
template <class Body> void for_each_row(const SparseUpdate &update, std::ptrdiff_t bucket, Body body) {
    const IndexedRow *first = update.groups.begin(bucket), *const end = update.groups.end(bucket);
    while (first != end) {
        const IndexedRow *const last =
            std::find_if(first, end, [=](const IndexedRow &entry) { return entry.row != first->row; });
        body(first, last);
        first = last;
    }
}

// Calls body(offset, count) for each block of a row.
template <class Body> void for_each_block(const SparseUpdate &update, Body body) {
    for (std::ptrdiff_t offset = 0; offset < update.width; offset += SUM_BLOCK)
        body(offset, std::min<std::ptrdiff_t>(SUM_BLOCK, update.width - offset));
}

// Calls body(grad) with the sum of a block of equal rows, added in the order given.
template <class Body>
void with_grad(const SparseUpdate &update, const IndexedRow *first, const IndexedRow *last, std::ptrdiff_t offset,
               std::ptrdiff_t count, const KernelArgs &args, Scratch *scratch, Body body) {
    const BlockBuffer one(update.values, first->source * update.width + offset, count, scratch, &Scratch::grad);
    if (last - first == 1) return body(one.data());
    char *const sum = scratch->sum.bytes;
    std::memcpy(sum, one.data(), static_cast<std::size_t>(count * update.values.itemsize));
    while (++first != last) {
        const BlockBuffer next(update.values, first->source * update.width + offset, count, scratch, &Scratch::grad);
        update.kernels->add(sum, next.data(), count, args);
    }
    body(sum);
}

// The mean of the rule's row_term over a row.
double row_mean(const SparseUpdate &update, const IndexedRow *first, const IndexedRow *last, const KernelArgs &args,
                Scratch *scratch) {
    double sum = 0;
    for_each_block(update, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
        const BlockBuffer params(update.param, first->row * update.width + offset, count, scratch, &Scratch::param);
        with_grad(update, first, last, offset, count, args, scratch,
                  [&](const void *grad) { sum += update.kernels->row_sum(params.data(), grad, count, args); });
    });
    return sum / static_cast<double>(update.width);
}

}  // namespace

void SparseUpdate::sum_squares(std::ptrdiff_t bucket, const KernelArgs &args, Scratch *scratch) {
    const Reduce reduce = square_sum_for(*kernels, args);
    for_each_row(*this, bucket, [&](const IndexedRow *first, const IndexedRow *last) {
        double &sum = square_sums[static_cast<std::size_t>(first - groups.begin(0))];
        for_each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
            with_grad(*this, first, last, offset, count, args, scratch,
                      [&](const void *grad) { sum += reduce(nullptr, grad, count, args); });
        });
    });
}

void SparseUpdate::update(std::ptrdiff_t bucket, const KernelArgs &args, bool takes_mean, bool preprocesses,
                          Scratch *scratch) const {
    const IndexedRow *const end = groups.end(groups.buckets() - 1);
    const bool row_accumulator = kernels->accumulate != nullptr;
    const std::ptrdiff_t state_width = row_accumulator ? 1 : width;
    KernelArgs row_args = args;
    const Update update = kernels->update[variant_for(args, preprocesses)];
    for_each_row(*this, bucket, [&](const IndexedRow *first, const IndexedRow *last) {
        for (const IndexedRow *entry = first + PREFETCH_DISTANCE; entry < std::min(end, last + PREFETCH_DISTANCE);
             ++entry) {
            prefetch_row(values, entry->source, width);
            if (entry->row == (entry - 1)->row) continue;
            prefetch_row(param, entry->row, width);
            prefetch_row(state, entry->row, state_width);
        }
        if (takes_mean) row_args.row_mean = row_mean(*this, first, last, args, scratch);
        if (row_accumulator) {
            const BlockBuffer accumulator(state, first->row, 1, scratch, &Scratch::state);
            kernels->accumulate(accumulator.data(), row_args);
            accumulator.write_back();
        }
        for_each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
            const std::ptrdiff_t begin = first->row * width + offset;
            const BlockBuffer params(param, begin, count, scratch, &Scratch::param);
            const BlockBuffer states(state, row_accumulator ? first->row : begin, row_accumulator ? 1 : count, scratch,
                                     &Scratch::state);
            with_grad(*this, first, last, offset, count, args, scratch,
                      [&](const void *grad) { update(params.data(), states.data(), grad, count, row_args); });
            params.write_back();
            if (!row_accumulator) states.write_back();
        });
    });
}

}  // namespace adagrad
