// The storage types and the arithmetic of their conversion, written so that every compiler vectorises it.
// Everything is in an anonymous namespace: each object file keeps its own copy (see README.md).
#pragma once
#include <cstdint>

namespace adagrad {
namespace {

struct Float16 {
    std::uint16_t bits;
};
struct BFloat16 {
    std::uint16_t bits;
};

inline std::uint32_t to_bits(float x) { return __builtin_bit_cast(std::uint32_t, x); }
inline float from_bits(std::uint32_t x) { return __builtin_bit_cast(float, x); }

inline float widen(float x) { return x; }
inline double widen(double x) { return x; }

inline float widen(BFloat16 x) { return from_bits(static_cast<std::uint32_t>(x.bits) << 16); }

inline float widen(Float16 x) {
    const std::uint32_t sign = (x.bits & 0x8000u) << 16;
    const std::uint32_t shifted = (x.bits & 0x7fffu) << 13;
    // After the shift the exponent is 112 too small, for subnormal halves too: one exact product corrects both.
    const std::uint32_t finite = to_bits(from_bits(shifted) * 0x1p112f);
    const std::uint32_t special = shifted >= 0x0f800000u ? 0x7f800000u : 0u;
    return from_bits(finite | special | sign);
}

// Round to nearest, ties to even.
template <class T> inline T narrow(double x) { return x; }
template <class T> inline T narrow(float x);

template <> inline float narrow<float>(float x) { return x; }

template <> inline BFloat16 narrow<BFloat16>(float x) {
    const std::uint32_t bits = to_bits(x);
    const std::uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    // Chosen in 32 bits: GCC would choose among 16-bit halves after packing, at a third of the speed.
    const std::uint32_t chosen = x != x ? bits | 0x00400000u : rounded;
    return {static_cast<std::uint16_t>(chosen >> 16)};
}

template <> inline Float16 narrow<Float16>(float x) {
    const std::uint32_t sign = (to_bits(x) >> 16) & 0x8000u;
    const std::uint32_t size = to_bits(x) & 0x7fffffffu;
    const std::uint32_t normal = (size + 0x0fffu + ((size >> 13) & 1u) - 0x38000000u) >> 13;
    // One unit of 0.5f is the smallest half, so the sum rounds a subnormal result as it must be.
    const std::uint32_t subnormal = to_bits(from_bits(size) + 0.5f) - 0x3f000000u;
    std::uint32_t half = size < 0x38800000u ? subnormal : normal;
    half = size >= 0x477ff000u ? 0x7c00u : half;
    half = size > 0x7f800000u ? 0x7e00u : half;
    return {static_cast<std::uint16_t>(half | sign)};
}

// The type a rule computes in: float32 for the half types.
template <class T> struct ComputeOf {
    using type = float;
};
template <> struct ComputeOf<double> {
    using type = double;
};
template <class T> using Compute = typename ComputeOf<T>::type;

// A select on a flag that holds for the whole loop. Written with masks because GCC leaves a loop with 16-bit
// elements scalar when it selects on a bool.
template <class T> struct Flag;
template <> struct Flag<float> {
    std::uint32_t mask;
    explicit Flag(bool set) : mask(set ? ~0u : 0u) {}
    float choose(float yes, float no) const { return from_bits((to_bits(yes) & mask) | (to_bits(no) & ~mask)); }
};
template <> struct Flag<double> {
    bool set;
    explicit Flag(bool on) : set(on) {}
    double choose(double yes, double no) const { return set ? yes : no; }
};

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline double sqrt(double x) { return __builtin_sqrt(x); }

}  // namespace
}  // namespace adagrad
