// torch.optim.Adagrad(fused=True) of torch 2.13.0. Half types are computed in float32 throughout and rounded when they
// are stored.
#pragma once
#include "rules/rule.hpp"

namespace adagrad {
namespace {

struct Torch : RuleDefaults {
    static constexpr const char *name = "torch";
    static constexpr Counter counter = Counter::PER_PARAMETER_FLOAT32;  // it stops at 2^24
    static constexpr bool takes_complex = true;

    struct Options {
        double lr, lr_decay, eps, weight_decay;
        bool maximize, decays_sparse;
    };
    static Options options(auto &read) {
        return {.lr = read.number("lr"),
                .lr_decay = read.number("lr_decay"),
                .eps = read.number("eps"),
                .weight_decay = read.number("weight_decay"),
                .maximize = read.flag("maximize"),
                .decays_sparse = read.flag("decays_sparse")};
    }

    struct Scalars {
        double rate, eps, weight_decay;
        bool decays, maximize, single_element;
    };
    static Scalars scalars(const Options &o, const Context &now) {
        // torch adds 1 to its counter before it subtracts 1, and at 2^24 the counter stays.
        const double steps = double(float(now.steps) + 1.0F) - 1;
        // The fused step rounds this once, the sparse path twice.
        const double divisor = now.is_sparse ? steps * o.lr_decay + 1 : __builtin_fma(steps, o.lr_decay, 1.0);
        return {o.lr / divisor, o.eps, o.weight_decay, o.weight_decay != 0, o.maximize, now.is_single_element};
    }

    static bool preprocesses(const Options &o) { return o.weight_decay != 0 || o.maximize; }

    static const char *sparse_error(const Options &o) {
        if (o.weight_decay == 0 || o.decays_sparse) return nullptr;
        return "weight_decay option is not compatible with sparse gradients; "
               "TorchAdagrad(..., sparse_weight_decay='touched') decays the rows that a gradient covers";
    }

    template <class P> struct Kernel : KernelDefaults<P> {
        using C = Compute<P>;
        C rate, eps, decay, sign;
        Flag<C> decays;

        Kernel(const KernelArgs &args, const Scalars &x)
            : KernelDefaults<P>(args), rate(C(x.rate)), eps(C(x.eps)), decay(C(x.weight_decay)),
              sign(x.maximize ? C(-1) : C(1)), decays(x.decays) {}

        C preprocessed(C p, C g) const {
            g = sign * g;
            return decays.choose(fma(p, decay, g), g);
        }

        // torch negates before it adds. This shows in the sign of a sum that is zero.
        C added(C a, C b) const { return sign * (sign * a + sign * b); }

        void update(C &p, C &s, C g, auto sqrt) const {
            s = fma(g, g, s);
            p = p - rate * g / (sqrt(s) + eps);
        }
    };

    // torch.optim.Adagrad on a sparse COO gradient whose equal rows are summed: it rounds the square, and divides
    // before it multiplies by the rate.
    template <class P> struct SparseKernel : Kernel<P> {
        using C = Compute<P>;
        Flag<C> single;

        SparseKernel(const KernelArgs &args, const Scalars &x) : Kernel<P>(args, x), single(x.single_element) {}

        void update(C &p, C &s, C g, auto sqrt) const {
            s = s + g * g;
            const C quotient = g / (sqrt(s) + this->eps);
            p = single.choose(p + -this->rate * quotient, fma(-this->rate, quotient, p));
        }
    };
};

}  // namespace
}  // namespace adagrad
