#include "engine/sparse_update.hpp"

#include <algorithm>
#include <cstring>

#include "engine/block_buffer.hpp"

namespace adagrad {
namespace {

// Rows of a table lie anywhere, so the processor cannot guess which one comes next.
constexpr std::ptrdiff_t AHEAD = 16, CACHE_LINE = 64, MOST_LINES = 16;

void prefetch_row(const View &view, std::ptrdiff_t row, std::ptrdiff_t width) {
    if (!view.contiguous()) return;
    const char *const begin = view.data + row * width * view.itemsize;
    const char *const end = begin + std::min(width * view.itemsize, MOST_LINES * CACHE_LINE);
    for (const char *line = begin; line < end; line += CACHE_LINE) __builtin_prefetch(line);
}

// Calls body(first, last) for the places of each row in a bucket.
template <class Body> void each_row(const Rows &rows, std::ptrdiff_t bucket, Body body) {
    const Place *first = rows.grouping.begin(bucket), *const end = rows.grouping.end(bucket);
    while (first != end) {
        const Place *const last = std::find_if(first, end, [=](const Place &place) { return place.row != first->row; });
        body(first, last);
        first = last;
    }
}

// Calls body(offset, count) for each block of a row.
template <class Body> void each_block(const Rows &rows, Body body) {
    for (std::ptrdiff_t offset = 0; offset < rows.width; offset += SUM_BLOCK)
        body(offset, std::min<std::ptrdiff_t>(SUM_BLOCK, rows.width - offset));
}

// Calls body(grad) with the sum of a block of equal rows, added in the order in which they came.
template <class Body>
void with_grad(const Rows &rows, const Place *first, const Place *last, std::ptrdiff_t offset, std::ptrdiff_t count,
               const Scalars &scalars, Body body) {
    const Stage one(rows.values, first->position * rows.width + offset, count);
    if (last - first == 1) return body(one.data());
    alignas(CACHE_LINE) char sum[SUM_BLOCK * sizeof(double)];
    std::memcpy(sum, one.data(), static_cast<std::size_t>(count * rows.values.itemsize));
    while (++first != last) {
        const Stage next(rows.values, first->position * rows.width + offset, count);
        rows.kernels->add(sum, next.data(), count, scalars);
    }
    body(sum);
}

// The mean of a row's gradient with its decay.
double mean_of(const Rows &rows, const Place *first, const Place *last, const Scalars &scalars) {
    double sum = 0;
    each_block(rows, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
        const Stage params(rows.param, first->row * rows.width + offset, count);
        with_grad(rows, first, last, offset, count, scalars,
                  [&](const void *grad) { sum += rows.kernels->decayed_sum(params.data(), grad, count, scalars); });
    });
    return sum / static_cast<double>(rows.width);
}

}  // namespace

void Rows::sum_squares(std::ptrdiff_t bucket, const Scalars &scalars) {
    const Reduce reduce = square_sum_of(*kernels, scalars);
    each_row(*this, bucket, [&](const Place *first, const Place *last) {
        double &sum = square_sums[static_cast<std::size_t>(first - grouping.begin(0))];
        each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
            with_grad(*this, first, last, offset, count, scalars,
                      [&](const void *grad) { sum += reduce(nullptr, grad, count, scalars); });
        });
    });
}

void Rows::update(std::ptrdiff_t bucket, const Scalars &scalars, bool centralizes) const {
    const Place *const end = grouping.end(grouping.buckets() - 1);
    Scalars own = scalars;
    const Update update = kernels->update[path_of(own, centralizes)];
    each_row(*this, bucket, [&](const Place *first, const Place *last) {
        for (const Place *place = first + AHEAD; place < std::min(end, last + AHEAD); ++place) {
            prefetch_row(values, place->position, width);
            if (place->row == (place - 1)->row) continue;
            prefetch_row(param, place->row, width);
            prefetch_row(state, place->row, width);
        }
        if (centralizes) own.mean = mean_of(*this, first, last, scalars);
        each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
            const std::ptrdiff_t begin = first->row * width + offset;
            const Stage params(param, begin, count), states(state, begin, count);
            with_grad(*this, first, last, offset, count, scalars,
                      [&](const void *grad) { update(params.data(), states.data(), grad, count, own); });
            params.write_back();
            states.write_back();
        });
    });
}

}  // namespace adagrad
