// mindspore.nn.Adagrad of MindSpore 2.10.0 (ops.ApplyAdagrad for float64). MindSpore keeps its numbers in float32 for
// every type of parameter. It rounds each operation before the update to the type of the parameter, but not the update
// itself.
#pragma once
#include "rules/rule.hpp"

namespace adagrad {
namespace {

struct MindSpore : RuleDefaults {
    static constexpr const char *name = "mindspore";
    static constexpr Counter counter = Counter::SHARED_INT32;

    struct Options {
        double lr, weight_decay, unscale;
        bool decays, update_slots, centralizes;
    };
    static Options options(auto &read) {
        return {.lr = read.number("lr"),
                .weight_decay = read.number("weight_decay"),
                .unscale = read.number("unscale"),  // 1 / loss_scale
                .decays = read.flag("decays"),
                .update_slots = read.flag("update_slots"),
                .centralizes = read.flag("grad_centralization")};
    }

    struct Scalars {
        float rate, weight_decay, unscale;
        bool decays, update_slots;
    };
    static Scalars scalars(const Options &o, const Context &) {
        return {float(o.lr), float(o.weight_decay), float(o.unscale), o.decays, o.update_slots};
    }

    static bool preprocesses(const Options &o) { return o.decays || float(o.unscale) != 1; }

    // MindSpore centralizes a gradient only where its operator for it would be chosen.
    static bool takes_row_mean(const Options &o) { return o.centralizes; }
    static std::ptrdiff_t row_length(int ndim, const std::ptrdiff_t *shape) {
        if (ndim < 2 || shape[1] % 16 != 0) return 0;
        std::ptrdiff_t length = 1;
        for (int axis = 1; axis < ndim; ++axis) length *= shape[axis];
        return length;
    }

    template <class P> struct Kernel {
        using C = Compute<P>;
        C rate, decay, unscale, mean, grad_scale, clip;
        Flag<C> decays, update_slots;

        static C rounded(C x) { return widen(narrow<P>(x)); }
        // A scale that the type of the parameter cannot hold would become 0 or infinity.
        static C rounded_if_in_range(C scale) {
            const C near = rounded(scale);
            return near > 0 && __builtin_isfinite(near) ? near : scale;
        }

        Kernel(const KernelArgs &args, const Scalars &x)
            : rate(C(x.rate)), decay(rounded(C(x.weight_decay))), unscale(rounded(C(x.unscale))),
              mean(rounded(C(args.row_mean))), grad_scale(rounded_if_in_range(C(float(args.grad_scale)))),
              clip(rounded(C(args.clip))), decays(x.decays), update_slots(x.update_slots) {}

        C divided(C g) const { return rounded(g / grad_scale); }
        C clipped(C g) const { return rounded(g * clip); }
        C added(C a, C b) const { return a + b; }

        C row_term(C p, C g) const { return decays.choose(rounded(rounded(p * decay) + g), g); }
        C preprocessed(C p, C g) const { return rounded(rounded(row_term(p, g) - mean) * unscale); }

        void update(C &p, C &s, C g, auto sqrt) const {
            s = update_slots.choose(s + g * g, s);
            p = p - rate * g * (C(1) / sqrt(s + C(1e-8)));
        }
    };
};

}  // namespace
}  // namespace adagrad
