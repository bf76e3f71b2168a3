// The loops. Compiled once per instruction set, with ADAGRAD_TABLE naming the table that it exports. No STL
// and no shared inline function may enter here: see kernel.hpp.
#include "kernels/kernels.hpp"
#include "rules/rules.hpp"

namespace adagrad {
namespace {

template <int PATH, class Rule, class C> inline C scaled(const Rule &rule, C g) {
    if constexpr ((PATH & DIVIDED) != 0) g = rule.divided(g);
    if constexpr ((PATH & CLIPPED) != 0) g = rule.clipped(g);
    return g;
}

template <class Rule, class P, class S, class G, int PATH>
void update(void *param, void *state, const void *grad, std::ptrdiff_t count, const Scalars &scalars) {
    using C = Compute<P>;
    const Rule rule(scalars);
    P *__restrict const params = static_cast<P *>(param);
    S *__restrict const states = static_cast<S *>(state);
    const G *__restrict const grads = static_cast<const G *>(grad);
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        C p = widen(params[i]);
        C s = widen(states[i]);
        C g = scaled<PATH>(rule, widen(grads[i]));
        if constexpr ((PATH & PREPARED) != 0) g = rule.prepared(p, g);
        rule.update(p, s, g);
        states[i] = narrow<S>(s);
        params[i] = narrow<P>(p);
    }
}

// Each sum is rounded to the gradients' type.
template <class Rule, class G> void add(void *sum, const void *next, std::ptrdiff_t count, const Scalars &scalars) {
    const Rule rule(scalars);
    G *__restrict const sums = static_cast<G *>(sum);
    const G *__restrict const nexts = static_cast<const G *>(next);
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < count; ++i) sums[i] = narrow<G>(rule.added(widen(sums[i]), widen(nexts[i])));
}

// Sums value(0) ... value(count - 1) in an order that neither the instruction set nor threads can change.
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

template <class Rule, class G, int PATH>
double square_sum(const void *, const void *grad, std::ptrdiff_t count, const Scalars &scalars) {
    const Rule rule(scalars);
    const G *const grads = static_cast<const G *>(grad);
    return lane_sum(count, [=](std::ptrdiff_t i) {
        const double u = scaled<PATH>(rule, widen(grads[i]));
        return u * u;
    });
}

template <class P, class G>
double decayed_sum(const void *param, const void *grad, std::ptrdiff_t count, const Scalars &scalars) {
    const MindSpore<P> rule(scalars);
    const P *const params = static_cast<const P *>(param);
    const G *const grads = static_cast<const G *>(grad);
    return lane_sum(count, [=](std::ptrdiff_t i) -> double {
        return rule.decayed(widen(params[i]), scaled<DIVIDED | CLIPPED>(rule, widen(grads[i])));
    });
}

template <template <class> class Rule, class P, class S, class G> constexpr Kernels kernels() {
    using R = Rule<P>;
    return {{update<R, P, S, G, 0>, update<R, P, S, G, 1>, update<R, P, S, G, 2>, update<R, P, S, G, 3>,
             update<R, P, S, G, 4>, update<R, P, S, G, 5>, update<R, P, S, G, 6>, update<R, P, S, G, 7>},
            add<R, G>,
            square_sum<R, G, PLAIN>,
            square_sum<R, G, DIVIDED>,
            decayed_sum<P, G>};
}

#define ADAGRAD_ROW(RULE)                                                                                              \
    {kernels<RULE, float, float, float>(),       kernels<RULE, double, double, double>(),                              \
     kernels<RULE, Float16, Float16, Float16>(), kernels<RULE, BFloat16, BFloat16, BFloat16>(),                        \
     kernels<RULE, Float16, float, Float16>(),   kernels<RULE, BFloat16, float, BFloat16>(),                           \
     kernels<RULE, float, float, Float16>(),     kernels<RULE, float, float, BFloat16>()}

}  // namespace

extern const Table ADAGRAD_TABLE;
const Table ADAGRAD_TABLE = {{ADAGRAD_ROW(Torch), ADAGRAD_ROW(MindSpore), ADAGRAD_ROW(Floor), ADAGRAD_ROW(TorchRows)}};

}  // namespace adagrad
