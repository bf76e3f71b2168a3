// The square roots of many elements together. Each is rounded once, as the hardware's is.
//
// The hardware divides and takes roots in one unit, the divider, for which both wait. With AVX-512, a part of the roots
// is computed by multiplications instead, at the same time.
#pragma once
#include "kernels/half.hpp"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace adagrad {
namespace {

#ifdef __AVX512F__

inline __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
inline __m512d fma(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
inline __m512 sqrt(__m512 x) { return _mm512_sqrt_ps(x); }
inline __m512d sqrt(__m512d x) { return _mm512_sqrt_pd(x); }

// One step of Newton's method doubles the correct bits of g, the root, and of h, half of its reciprocal.
template <class V> inline void newton_step(V &g, V &h) {
    const V error = fma(-g, h, V{} + 0.5f);
    g = fma(g, error, g);
    h = fma(h, error, h);
}

// Adds to g what is missing. The sum, before its one rounding, comes so close to the root that it is rounded as the
// root would be: tests/rules/test_roots.py tries every case that is in doubt.
template <class V> inline V corrected(V x, V g, V h) { return fma(fma(-g, g, x), h, g); }

// The first reciprocal has 14 correct bits. The number added to x makes it finite for 0, and changes no other that
// counts.
inline __m512 root_by_multiplying(__m512 x) {
    const __m512 reciprocal = _mm512_rsqrt14_ps(x + 0x1p-120f);
    __m512 g = x * reciprocal, h = reciprocal * 0.5f;
    newton_step(g, h);
    return corrected(x, g, h);
}
inline __m512d root_by_multiplying(__m512d x) {
    const __m512d reciprocal = _mm512_rsqrt14_pd(x + 0x1p-1000);
    __m512d g = x * reciprocal, h = reciprocal * 0.5;
    newton_step(g, h);
    newton_step(g, h);
    return corrected(x, g, h);
}

// Whether an element needs the divider: infinity, NaN, one with a sign, or one so small, but not 0, that the remainder
// x - g * g is subnormal.
inline bool needs_divider(__m512 x) {
    const __m512i bits = _mm512_castps_si512(x), below = _mm512_sub_epi32(bits, _mm512_set1_epi32(1));
    return _mm512_cmplt_epu32_mask(below, _mm512_castps_si512(__m512{} + 0x1p-100f)) |
           _mm512_cmpge_epu32_mask(bits, _mm512_castps_si512(__m512{} + __builtin_inff()));
}
inline bool needs_divider(__m512d x) {
    const __m512i bits = _mm512_castpd_si512(x), below = _mm512_sub_epi64(bits, _mm512_set1_epi64(1));
    return _mm512_cmplt_epu64_mask(below, _mm512_castpd_si512(__m512d{} + 0x1p-900)) |
           _mm512_cmpge_epu64_mask(bits, _mm512_castpd_si512(__m512d{} + __builtin_inf()));
}

template <class C> struct VectorOf;
template <> struct VectorOf<float> {
    using type = __m512;
    enum : int { BY_MULTIPLYING = 2 };  // of four vectors, so that both units are busy: measured on Zen 4
};
template <> struct VectorOf<double> {
    using type = __m512d;
    enum : int { BY_MULTIPLYING = 3 };
};

// How many roots are taken together.
template <class C> constexpr std::ptrdiff_t ROOTS = 4 * 64 / sizeof(C);

template <class C> inline void take_roots(C (&x)[ROOTS<C>]) {
    using V = typename VectorOf<C>::type;
    constexpr int BY_MULTIPLYING = VectorOf<C>::BY_MULTIPLYING;
    V v[4];
    __builtin_memcpy(v, x, sizeof(v));
    bool by_divider = false;
    for (int k = 0; k < BY_MULTIPLYING; ++k) by_divider |= needs_divider(v[k]);
    for (int k = 0; k < 4; ++k) v[k] = k < BY_MULTIPLYING && !by_divider ? root_by_multiplying(v[k]) : sqrt(v[k]);
    __builtin_memcpy(x, v, sizeof(v));
}

#else

template <class C> constexpr std::ptrdiff_t ROOTS = 0;
template <class C> void take_roots(C *) {}

#endif

}  // namespace
}  // namespace adagrad
