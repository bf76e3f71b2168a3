// Sums of gradients: of equal rows, of squares, of rows.
#pragma once
#include "kernels/gradient.hpp"

namespace adagrad {
namespace {

// Adds a row of values to sums. Some cache lines of values are read before their sums are written, so that the next
// reads do not wait for the writes.
template <class Kernel, class G>
inline void add_row(const Kernel &kernel, G *__restrict sum, const G *__restrict row, std::ptrdiff_t count) {
    constexpr std::ptrdiff_t TOGETHER = 4 * CACHE_LINE / sizeof(G);
    std::ptrdiff_t i = 0;
    for (; i + TOGETHER <= count; i += TOGETHER) {
        G next[TOGETHER];
#pragma omp simd
        for (std::ptrdiff_t k = 0; k < TOGETHER; ++k) next[k] = row[i + k];
#pragma omp simd
        for (std::ptrdiff_t k = 0; k < TOGETHER; ++k)
            sum[i + k] = narrow<G>(kernel.added(widen(sum[i + k]), widen(next[k])));
    }
    const std::ptrdiff_t rest = count - i;
#pragma omp simd
    for (std::ptrdiff_t k = 0; k < rest; ++k)
        sum[i + k] = narrow<G>(kernel.added(widen(sum[i + k]), widen(row[i + k])));
}

// Adds a narrow row, or copies it if `begins`. Computes both, as which one is wanted cannot be predicted.
template <std::ptrdiff_t WIDTH, class Kernel, class G>
inline void add_or_copy(const Kernel &kernel, G *__restrict sum, const G *__restrict row, bool begins) {
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < WIDTH; ++i) {
        const G added = narrow<G>(kernel.added(widen(sum[i]), widen(row[i])));
        sum[i] = begins ? row[i] : added;
    }
}

// See Kernels::add_rows. With a WIDTH, the compiler leaves out the loops over columns.
template <std::ptrdiff_t WIDTH = 0, class Kernel, class G>
inline void add_columns(const Kernel &kernel, G *sums, std::ptrdiff_t sum_width, const G *values, std::ptrdiff_t width,
                        const IndexedRow *first, const IndexedRow *last, std::ptrdiff_t count) {
    // A row is fetched into the second-level cache 256 lines ahead, or into the first one 16 rows ahead if it has few
    // lines. Where rows follow one another, the processor does so itself, but not soon enough for medium rows.
    constexpr std::ptrdiff_t LINE = CACHE_LINE / sizeof(G), LINES_AHEAD = 256, FEW_LINES = 3, ROWS_AHEAD = 16;
    constexpr int SECOND_LEVEL = 2;
    const std::ptrdiff_t all = (count + LINE - 1) / LINE, lines = all < LINES_AHEAD ? all : LINES_AHEAD,
                         distance = lines < FEW_LINES ? ROWS_AHEAD : LINES_AHEAD / lines;
    const bool medium = lines >= FEW_LINES && lines <= MAX_FETCHED_LINES;
    for (const IndexedRow *entry = first; entry != last; ++entry) {
        if (last - entry > distance && (medium || entry[distance].source != entry->source + distance)) {
            const G *const ahead = values + entry[distance].source * width;
            if (lines < FEW_LINES)
                for (std::ptrdiff_t i = 0; i < lines; ++i) __builtin_prefetch(ahead + i * LINE);
            else
                for (std::ptrdiff_t i = 0; i < lines; ++i) __builtin_prefetch(ahead + i * LINE, 0, SECOND_LEVEL);
        }
        const G *__restrict const row = values + entry->source * width;
        const bool begins = sum_width != 0 && entry->row < 0;
        G *const sum = sums + (begins ? ~entry->row : entry->row) * sum_width;
        if constexpr (WIDTH != 0) {
            add_or_copy<WIDTH>(kernel, sum, row, begins);
        } else if (begins) {
#pragma omp simd
            for (std::ptrdiff_t i = 0; i < count; ++i) sum[i] = row[i];
        } else {
            add_row(kernel, sum, row, count);
        }
    }
}

// The same for sums and values of WIDTH columns.
template <std::ptrdiff_t WIDTH, class Kernel, class G>
inline void add_narrow(const Kernel &kernel, G *sums, const G *values, const IndexedRow *first,
                       const IndexedRow *last) {
    add_columns<WIDTH>(kernel, sums, WIDTH, values, WIDTH, first, last, WIDTH);
}

// The same for one row of COUNT columns, whose sums stay in registers.
template <std::ptrdiff_t COUNT, class Kernel, class G>
inline void add_some(const Kernel &kernel, G *sums, const G *values, std::ptrdiff_t width, const IndexedRow *first,
                     const IndexedRow *last) {
    G own[COUNT];
    __builtin_memcpy(own, sums, sizeof(own));
    add_columns(kernel, own, 0, values, width, first, last, COUNT);
    __builtin_memcpy(sums, own, sizeof(own));
}

// Each sum is rounded to the type of the gradients.
template <class Rule, class Kernel, class G>
void add_rows(void *sum, std::ptrdiff_t sum_width, const void *values, std::ptrdiff_t width, const IndexedRow *first,
              const IndexedRow *last, std::ptrdiff_t count, const KernelArgs &args) {
    const Kernel kernel = kernel_for<Rule, Kernel>(args);
    G *const sums = static_cast<G *>(sum);
    const G *const columns = static_cast<const G *>(values);
    switch (sum_width == count && width == count ? count : 0) {
    case 1: return add_narrow<1>(kernel, sums, columns, first, last);
    case 2: return add_narrow<2>(kernel, sums, columns, first, last);
    case 4: return add_narrow<4>(kernel, sums, columns, first, last);
    case 8: return add_narrow<8>(kernel, sums, columns, first, last);
    case 16: return add_narrow<16>(kernel, sums, columns, first, last);
    }
    switch (sum_width == 0 ? count : 0) {
    case 1: return add_some<1>(kernel, sums, columns, width, first, last);
    case 4: return add_some<4>(kernel, sums, columns, width, first, last);
    case 16: return add_some<16>(kernel, sums, columns, width, first, last);
    case 64: return add_some<64>(kernel, sums, columns, width, first, last);
    default: return add_columns(kernel, sums, sum_width, columns, width, first, last, count);
    }
}

// Sums value(0) ... value(count - 1) in an order that depends on neither the instruction set nor the threads.
template <class Value> double lane_sum(std::ptrdiff_t count, Value value) {
    double lanes[SUM_LANES] = {};
    std::ptrdiff_t i = 0;
    for (; i + SUM_LANES <= count; i += SUM_LANES) {
#pragma omp simd
        for (std::ptrdiff_t lane = 0; lane < SUM_LANES; ++lane) lanes[lane] += value(i + lane);
    }
    for (std::ptrdiff_t lane = 0; i < count; ++lane, ++i) lanes[lane] += value(i);
    double sum = lanes[0];
    for (std::ptrdiff_t lane = 1; lane < SUM_LANES; ++lane) sum += lanes[lane];
    return sum;
}

template <class G, class Scale> double sum_squares(const void *grad, std::ptrdiff_t count, Scale scale) {
    const G *const grads = static_cast<const G *>(grad);
    return lane_sum(count, [=](std::ptrdiff_t i) {
        const double u = scale(widen(grads[i]));
        return u * u;
    });
}

template <class G> double square_sum(const void *, const void *grad, std::ptrdiff_t count, const KernelArgs &) {
    return sum_squares<G>(grad, count, [](auto g) { return g; });
}

template <class Rule, class Kernel, class G>
double divided_square_sum(const void *, const void *grad, std::ptrdiff_t count, const KernelArgs &args) {
    const Kernel kernel = kernel_for<Rule, Kernel>(args);
    return sum_squares<G>(grad, count, [=](auto g) { return scaled<DIVIDED>(kernel, g); });
}

template <class Rule, class Kernel, class P, class G>
double row_sum(const void *param, const void *grad, std::ptrdiff_t count, const KernelArgs &args) {
    const Kernel kernel = kernel_for<Rule, Kernel>(args);
    const P *const params = static_cast<const P *>(param);
    const G *const grads = static_cast<const G *>(grad);
    return lane_sum(count, [=](std::ptrdiff_t i) -> double {
        return kernel.row_term(widen(params[i]), scaled<DIVIDED>(kernel, widen(grads[i])));
    });
}

}  // namespace
}  // namespace adagrad
