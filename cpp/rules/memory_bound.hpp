// Not an optimizer but a yardstick for benchmarks: the memory traffic of a rule with next to no arithmetic.
#pragma once
#include "rules/rule.hpp"

namespace adagrad {
namespace {

struct MemoryBound : RuleDefaults {
    static constexpr const char *name = "memory_bound";
    static constexpr Counter counter = Counter::NONE;

    struct Options {};
    static Options options(auto &) { return {}; }

    struct Scalars {};
    static Scalars scalars(const Options &, const Context &) { return {}; }

    template <class P> struct Kernel {
        using C = Compute<P>;

        Kernel(const KernelArgs &, const Scalars &) {}

        C divided(C g) const { return g; }
        C clipped(C g) const { return g; }
        C added(C a, C b) const { return a + b; }

        void update(C &p, C &s, C g) const {
            s = s + g;
            p = p - g;
        }
    };
};

}  // namespace
}  // namespace adagrad
