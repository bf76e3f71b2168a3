// The form of a rule. All that the core knows of a rule stands in one header of this folder;
// docs/internals/adding-a-rule.md shows how to write one.
//
// A rule is a struct derived from RuleDefaults, with
//   name       the rule's name in Python
//   counter    how it counts steps
//   Options    the options of a parameter group; `options` reads them by name
//   Scalars    the plain numbers that a kernel needs; `scalars` derives them from Options and the number of steps
//   Kernel<P>  the arithmetic for parameters of type P. C = Compute<P> is the type of the computation. Each written
//              operation is rounded once in C; a fused multiply-add is written `fma`.
//                divided, clipped, added   scaling, clipping and summing gradients; rules differ in their rounding only
//                                          (`added` is that of the Kernel for the type of the gradient)
//                update                    updates the accumulator s and the parameter p. If it takes a square root, it
//                                          takes one only, with the function `sqrt` that it is given. The new p may
//                                          depend on s only through this root, and the new s must not depend on the
//                                          root: the loop runs `update` once before and once after it takes the roots
//                                          of many elements. Without a root, it has no parameter `sqrt`
//
// Optional parts, found by the concepts below:
//   Kernel::preprocessed          changes a gradient before the accumulator sees it, where `preprocesses(options)`
//   Kernel::row_term, row_length  the mean of row_term over each row, where `takes_row_mean(options)`; the kernel finds
//                                 it in KernelArgs::row_mean
//   Kernel::accumulate            updates the one accumulator of a row, before the elements of the row are updated;
//                                 such a rule takes sparse gradients only
//   SparseKernel<P>               other arithmetic for sparse gradients; Kernel sums them and their squares
//
// The headers of rules are compiled once per instruction set, and once for the host: see kernels/README.md.
#pragma once
#include "kernels/half.hpp"
#include "kernels/kernels.hpp"
#include "rules/counter.hpp"

// What CMakeLists.txt does not recognise by its name.
#if defined(__FAST_MATH__) || (defined(__x86_64__) && __FLT_EVAL_METHOD__ != 0)
#error "numpy-adagrad: expected flags that change no result, got one that relaxes arithmetic"
#endif

namespace adagrad {
namespace {

struct RuleDefaults {
    static constexpr bool takes_complex = false;

    template <class Options> static bool preprocesses(const Options &) { return false; }
    template <class Options> static bool takes_row_mean(const Options &) { return false; }
    // The error of a sparse gradient with these options, or null.
    template <class Options> static const char *sparse_error(const Options &) { return nullptr; }
    // The number of elements in a row whose mean is taken; 0 for no mean.
    static std::ptrdiff_t row_length(int /* ndim */, const std::ptrdiff_t * /* shape */) { return 0; }
};

// For rules that scale and clip gradients in the type of the computation.
template <class P> struct KernelDefaults {
    using C = Compute<P>;
    C grad_scale, clip;

    explicit KernelDefaults(const KernelArgs &args) : grad_scale(C(float(args.grad_scale))), clip(C(args.clip)) {}

    C divided(C g) const { return g / grad_scale; }
    C clipped(C g) const { return g * clip; }
    C added(C a, C b) const { return a + b; }
};

template <class Rule, class P>
concept HasSparseKernel = requires { typename Rule::template SparseKernel<P>; };

template <class Kernel, class C>
concept HasPreprocessed = requires(const Kernel &kernel, C x) { kernel.preprocessed(x, x); };

template <class Kernel, class C>
concept HasRowTerm = requires(const Kernel &kernel, C x) { kernel.row_term(x, x); };

template <class Kernel, class C>
concept TakesSqrt = requires(const Kernel &kernel, C &x) { kernel.update(x, x, x, [](C y) { return y; }); };

template <class Kernel, class C>
concept HasRowAccumulator = requires(const Kernel &kernel, C &s) { kernel.accumulate(s); };

}  // namespace
}  // namespace adagrad
