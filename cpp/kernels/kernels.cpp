// The updates, and the table of all loops. ADAGRAD_TABLE names the table that this object file exports: see README.md.
#include "kernels/kernels.hpp"

#include "kernels/gradient.hpp"
#include "kernels/roots.hpp"
#include "kernels/sums.hpp"
#include "rules/catalogue.hpp"

namespace adagrad {
namespace {

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

template <class Rule, class Kernel, GradKind KIND, class P, class S, class G> constexpr Kernels kernels() {
    using C = Compute<P>;
    // A rule that preprocesses nothing has no loops for it.
    constexpr int OWN = HasPreprocessed<Kernel, C> ? PREPROCESSED : PLAIN;
    Kernels k = {{update<Rule, Kernel, P, S, G, PLAIN>, update<Rule, Kernel, P, S, G, OWN>,
                  update<Rule, Kernel, P, S, G, CLIPPED>, update<Rule, Kernel, P, S, G, CLIPPED | OWN>,
                  update<Rule, Kernel, P, S, G, DIVIDED>, update<Rule, Kernel, P, S, G, DIVIDED | OWN>},
                 nullptr,
                 square_sum<G>,
                 divided_square_sum<Rule, typename Rule::template Kernel<P>, G>,
                 nullptr,
                 nullptr};
    if constexpr (KIND == SPARSE) k.add_rows = add_rows<Rule, typename Rule::template Kernel<G>, G>;
    if constexpr (HasRowTerm<Kernel, C>) k.row_sum = row_sum<Rule, Kernel, P, G>;
    if constexpr (HasRowAccumulator<Kernel, C>) k.accumulate = accumulate<Rule, Kernel, S>;
    return k;
}

template <class Rule, GradKind KIND, class P, class S, class G> constexpr Kernels kernels_for() {
    if constexpr (KIND == SPARSE && HasSparseKernel<Rule, P>)
        return kernels<Rule, typename Rule::template SparseKernel<P>, KIND, P, S, G>();
    else
        return kernels<Rule, typename Rule::template Kernel<P>, KIND, P, S, G>();
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
