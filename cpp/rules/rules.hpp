// THE MATH. One functor per rule; no other file of the package states an update formula.
//
// A rule is built from the scalars of one update. P is the parameter's element type, C the type of the
// computation. Each written operation is rounded once in C; a fused multiply-add is written `fma`.
//   divided, clipped   the gradient by `grad_scale` and to `max_norm`, common to all rules but for its rounding
//   added              gradients of one row
//   prepared           what the rule does to the gradient before the accumulator sees it
//   update             moves the accumulator s and the parameter p
#pragma once
#include "kernels/half.hpp"
#include "kernels/kernels.hpp"

namespace adagrad {
namespace {

// torch.optim.Adagrad(fused=True) of torch 2.13.0. Half types are computed in float32 throughout and rounded
// when they are stored, so P plays no part.
template <class P> struct Torch {
    using C = Compute<P>;
    C rate, eps, decay, grad_scale, clip, sign;
    Flag<C> decays;

    explicit Torch(const Scalars &x)
        : rate(C(x.rate)), eps(C(x.eps)), decay(C(x.decay)), grad_scale(C(float(x.grad_scale))), clip(C(x.clip)),
          sign(x.maximize ? C(-1) : C(1)), decays(x.decays) {}

    C divided(C g) const { return g / grad_scale; }

    C clipped(C g) const { return g * clip; }

    C prepared(C p, C g) const {
        g = sign * g;
        return decays.choose(fma(p, decay, g), g);
    }

    // torch negates before it adds, which shows in the sign of a sum that is zero.
    C added(C a, C b) const { return sign * (sign * a + sign * b); }

    void update(C &p, C &s, C g) const {
        s = fma(g, g, s);
        p = p - rate * g / (sqrt(s) + eps);
    }
};

// torch.optim.Adagrad of torch 2.13.0 on a sparse COO gradient: its rows, after equal ones are summed. Other than on
// dense gradients, the square is rounded and the quotient taken before the rate.
template <class P> struct TorchRows : Torch<P> {
    using C = Compute<P>;
    Flag<C> lone;

    explicit TorchRows(const Scalars &x) : Torch<P>(x), lone(x.lone) {}

    void update(C &p, C &s, C g) const {
        s = s + g * g;
        const C quotient = g / (sqrt(s) + this->eps);
        p = lone.choose(p + -this->rate * quotient, fma(-this->rate, quotient, p));
    }
};

// torch's rate at a step counted from 1; the counter is a float32, which stops at 2^24.
inline double torch_rate(double lr, double lr_decay, float step) {
    return lr / __builtin_fma(double(step) - 1, lr_decay, 1.0);
}

// mindspore.nn.Adagrad of MindSpore 2.10.0 (ops.ApplyAdagrad for float64). What precedes the update is
// rounded to the parameter's own type, the update itself is not.
template <class P> struct MindSpore {
    using C = Compute<P>;
    C rate, decay, unscale, mean, grad_scale, clip;
    Flag<C> decays, update_slots;

    static C rounded(C x) { return widen(narrow<P>(x)); }

    explicit MindSpore(const Scalars &x)
        : rate(C(x.rate)), decay(rounded(C(x.decay))), unscale(rounded(C(x.unscale))), mean(rounded(C(x.mean))),
          grad_scale(rounded(C(float(x.grad_scale)))), clip(rounded(C(x.clip))), decays(x.decays),
          update_slots(x.update_slots) {}

    C divided(C g) const { return rounded(g / grad_scale); }

    C clipped(C g) const { return rounded(g * clip); }

    C decayed(C p, C g) const { return decays.choose(rounded(rounded(p * decay) + g), g); }

    C prepared(C p, C g) const { return rounded(rounded(decayed(p, g) - mean) * unscale); }

    C added(C a, C b) const { return a + b; }

    void update(C &p, C &s, C g) const {
        s = update_slots.choose(s + g * g, s);
        p = p - rate * g * (C(1) / sqrt(s + C(1e-8)));
    }
};

// No rule but a yardstick: the traffic of one with trivial arithmetic, for bench/ alone.
template <class P> struct Floor {
    using C = Compute<P>;
    explicit Floor(const Scalars &) {}
    C divided(C g) const { return g; }
    C clipped(C g) const { return g; }
    C added(C a, C b) const { return a + b; }
    C prepared(C, C g) const { return g; }
    void update(C &p, C &s, C g) const {
        s = s + g;
        p = p - g;
    }
};

}  // namespace
}  // namespace adagrad
