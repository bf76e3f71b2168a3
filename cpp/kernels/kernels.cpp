// The loops. ADAGRAD_TABLE names the table that this object file exports: see README.md.
#include "kernels/kernels.hpp"

#include "kernels/roots.hpp"
#include "rules/catalogue.hpp"

namespace adagrad {
namespace {

template <class Rule, class Kernel> Kernel kernel_for(const KernelArgs &args) {
    return Kernel(args, unpack<typename Rule::Scalars>(args.scalars));
}

template <int VARIANT, class Kernel, class C> inline C scaled(const Kernel &kernel, C g) {
    if constexpr ((VARIANT & DIVIDED) != 0) g = kernel.divided(g);
    if constexpr ((VARIANT & (CLIPPED | DIVIDED)) != 0) g = kernel.clipped(g);
    return g;
}

// The gradient that the rule sees.
template <int VARIANT, class Kernel, class C> inline C prepared(const Kernel &kernel, C p, C g) {
    g = scaled<VARIANT>(kernel, g);
    if constexpr ((VARIANT & PREPROCESSED) != 0) g = kernel.preprocessed(p, g);
    return g;
}

template <class Kernel, class C, class Sqrt> inline void apply(const Kernel &kernel, C &p, C &s, C g, Sqrt sqrt) {
    if constexpr (TakesSqrt<Kernel, C>)
        kernel.update(p, s, g, sqrt);
    else
        kernel.update(p, s, g);
}

// Computes ROOTS elements in two passes, before and after the roots. Each pass goes through the whole formula; the
// compiler leaves out what the other one does.
template <int VARIANT, class Kernel, class P, class S, class G>
inline void update_together(const Kernel &kernel, P *__restrict params, S *__restrict states,
                            const G *__restrict grads) {
    using C = Compute<P>;
    C prepared_grads[ROOTS<C>], roots[ROOTS<C>];
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < ROOTS<C>; ++i) {
        C p = widen(params[i]), s = widen(states[i]), radicand;
        const C g = prepared<VARIANT>(kernel, p, C(widen(grads[i])));
        kernel.update(p, s, g, [&radicand](C x) { return radicand = x; });
        states[i] = narrow<S>(s);
        prepared_grads[i] = g;
        roots[i] = radicand;
    }
    take_roots(roots);
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < ROOTS<C>; ++i) {
        C p = widen(params[i]), s = 0;
        const C root = roots[i];
        kernel.update(p, s, prepared_grads[i], [root](C) { return root; });
        params[i] = narrow<P>(p);
    }
}

template <class Rule, class Kernel, class P, class S, class G, int VARIANT>
void update(void *param, void *state, const void *grad, std::ptrdiff_t count, const KernelArgs &args) {
    using C = Compute<P>;
    constexpr bool row_accumulator = HasRowAccumulator<Kernel, C>;
    const Kernel kernel = kernel_for<Rule, Kernel>(args);
    P *__restrict const params = static_cast<P *>(param);
    S *__restrict const states = static_cast<S *>(state);
    const G *__restrict const grads = static_cast<const G *>(grad);
    std::ptrdiff_t done = 0;
    if constexpr (ROOTS<C> != 0 && TakesSqrt<Kernel, C> && !row_accumulator)
        for (; count - done >= ROOTS<C>; done += ROOTS<C>)
            update_together<VARIANT>(kernel, params + done, states + done, grads + done);
#pragma omp simd
    for (std::ptrdiff_t i = done; i < count; ++i) {
        C p = widen(params[i]), s = widen(states[row_accumulator ? 0 : i]);
        const C g = prepared<VARIANT>(kernel, p, C(widen(grads[i])));
        apply(kernel, p, s, g, [](C x) { return sqrt(x); });
        if constexpr (!row_accumulator) states[i] = narrow<S>(s);
        params[i] = narrow<P>(p);
    }
}

template <class Rule, class Kernel, class S> void accumulate(void *state, const KernelArgs &args) {
    S &stored = *static_cast<S *>(state);
    auto s = widen(stored);
    kernel_for<Rule, Kernel>(args).accumulate(s);
    stored = narrow<S>(s);
}

// See Kernels::add_rows.
template <class Kernel, class G>
inline void add_columns(const Kernel &kernel, G *sums, std::ptrdiff_t sum_width, const G *values, std::ptrdiff_t width,
                        const IndexedRow *first, const IndexedRow *last, std::ptrdiff_t count) {
    // Fetches the rows 64 lines ahead, unless the processor does: where they follow one another.
    constexpr std::ptrdiff_t LINE = 64 / sizeof(G), AHEAD = 64, MAX_DISTANCE = 16;
    const std::ptrdiff_t lines = (count + LINE - 1) / LINE, distance = lines * MAX_DISTANCE <= AHEAD ? MAX_DISTANCE
                                                                       : lines < AHEAD               ? AHEAD / lines
                                                                                                     : 1;
    for (const IndexedRow *entry = first; entry != last; ++entry) {
        if (last - entry > distance && entry[distance].source != entry->source + distance) {
            const G *const ahead = values + entry[distance].source * width;
            for (std::ptrdiff_t i = 0; i < count; i += LINE) __builtin_prefetch(ahead + i);
        }
        const G *__restrict const row = values + entry->source * width;
        const bool begins = sum_width != 0 && entry->row < 0;
        G *const sum = sums + (begins ? ~entry->row : entry->row) * sum_width;
        if (begins) {
#pragma omp simd
            for (std::ptrdiff_t i = 0; i < count; ++i) sum[i] = row[i];
            continue;
        }
#pragma omp simd
        for (std::ptrdiff_t i = 0; i < count; ++i) sum[i] = narrow<G>(kernel.added(widen(sum[i]), widen(row[i])));
    }
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
    switch (sum_width == 0 ? count : 0) {
    case 1: return add_some<1>(kernel, sums, columns, width, first, last);
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

template <class Rule, class Kernel, class G, int VARIANT>
double square_sum(const void *, const void *grad, std::ptrdiff_t count, const KernelArgs &args) {
    const Kernel kernel = kernel_for<Rule, Kernel>(args);
    const G *const grads = static_cast<const G *>(grad);
    return lane_sum(count, [=](std::ptrdiff_t i) {
        const double u = scaled<VARIANT>(kernel, widen(grads[i]));
        return u * u;
    });
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

template <class Rule, class Kernel, class P, class S, class G> constexpr Kernels kernels() {
    using C = Compute<P>;
    // A rule that preprocesses nothing has no loops for it.
    constexpr int OWN = HasPreprocessed<Kernel, C> ? PREPROCESSED : PLAIN;
    Kernels k = {{update<Rule, Kernel, P, S, G, PLAIN>, update<Rule, Kernel, P, S, G, OWN>,
                  update<Rule, Kernel, P, S, G, CLIPPED>, update<Rule, Kernel, P, S, G, CLIPPED | OWN>,
                  update<Rule, Kernel, P, S, G, DIVIDED>, update<Rule, Kernel, P, S, G, DIVIDED | OWN>},
                 add_rows<Rule, Kernel, G>,
                 square_sum<Rule, Kernel, G, PLAIN>,
                 square_sum<Rule, Kernel, G, DIVIDED>,
                 nullptr,
                 nullptr};
    if constexpr (HasRowTerm<Kernel, C>) k.row_sum = row_sum<Rule, Kernel, P, G>;
    if constexpr (HasRowAccumulator<Kernel, C>) k.accumulate = accumulate<Rule, Kernel, S>;
    return k;
}

template <class Rule, GradKind KIND, class P, class S, class G> constexpr Kernels kernels_for() {
    if constexpr (KIND == SPARSE && HasSparseKernel<Rule, P>)
        return kernels<Rule, typename Rule::template SparseKernel<P>, P, S, G>();
    else
        return kernels<Rule, typename Rule::template Kernel<P>, P, S, G>();
}

template <class Rule, GradKind KIND> constexpr void fill(Kernels (&of)[DTYPE_COMBOS]) {
    of[F32] = kernels_for<Rule, KIND, float, float, float>();
    of[F64] = kernels_for<Rule, KIND, double, double, double>();
    of[F16] = kernels_for<Rule, KIND, Float16, Float16, Float16>();
    of[BF16] = kernels_for<Rule, KIND, BFloat16, BFloat16, BFloat16>();
    of[F16_F32] = kernels_for<Rule, KIND, Float16, float, Float16>();
    of[BF16_F32] = kernels_for<Rule, KIND, BFloat16, float, BFloat16>();
    of[F32_GRAD_F16] = kernels_for<Rule, KIND, float, float, Float16>();
    of[F32_GRAD_BF16] = kernels_for<Rule, KIND, float, float, BFloat16>();
}

template <class Rules> struct AllKernels;
template <class... Rules> struct AllKernels<List<Rules...>> {
    Kernels of[sizeof...(Rules)][GRAD_KINDS][DTYPE_COMBOS] = {};
    constexpr AllKernels() {
        int i = 0;
        ((fill<Rules, DENSE>(of[i][DENSE]), fill<Rules, SPARSE>(of[i][SPARSE]), ++i), ...);
    }
};
constexpr AllKernels<Catalogue> ALL_KERNELS;

}  // namespace

extern const KernelTable ADAGRAD_TABLE;
const KernelTable ADAGRAD_TABLE = {ALL_KERNELS.of};

}  // namespace adagrad
