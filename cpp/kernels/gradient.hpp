// The kernel of a rule for one call, and the gradient that it sees.
#pragma once
#include "kernels/half.hpp"
#include "kernels/kernels.hpp"
#include "rules/rule.hpp"

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

template <int VARIANT, class Kernel, class C> inline C prepared(const Kernel &kernel, C p, C g) {
    g = scaled<VARIANT>(kernel, g);
    if constexpr ((VARIANT & PREPROCESSED) != 0) g = kernel.preprocessed(p, g);
    return g;
}

}  // namespace
}  // namespace adagrad
