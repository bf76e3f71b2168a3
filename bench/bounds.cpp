// Lower bounds on the time of a step, written without the package: the loops begin on a cache line of the parameter and
// do next to no arithmetic, or only the divisions and roots. Built by bound_loops.py with the compiler's flags for this
// machine. The arrays come in pieces, which the threads divide among themselves.
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr std::ptrdiff_t LINE_BYTES = 64, LINES = 64;  // lines fetched ahead at a time

struct Piece {
    void *p, *s;
    const void *g;
    std::ptrdiff_t length;
};

struct Work {
    const Piece *pieces;
    std::ptrdiff_t count;
    std::ptrdiff_t ahead;     // the distance of prefetching in elements; 0 for none
    std::ptrdiff_t parallel;  // 0 for one thread
    std::ptrdiff_t clips;     // whether the gradients are read once more, for their norm
    std::uint64_t read;       // keeps the compiler from leaving that out
};

template <class P> void read_gradients(Work &work) {
    P read = 0;
#pragma omp parallel for schedule(static) if (work.parallel != 0) reduction(^ : read)
    for (std::ptrdiff_t i = 0; i < work.count; ++i) {
        const P *const g = static_cast<const P *>(work.pieces[i].g);
        P bits = 0;
#pragma omp simd reduction(^ : bits)
        for (std::ptrdiff_t k = 0; k < work.pieces[i].length; ++k) bits ^= g[k];
        read ^= bits;
    }
    work.read = read;
}

// The memory traffic of a step: where the last bit of a gradient is set, those of parameter and accumulator change.
template <class P, class S> void memory_bound(Work &work) {
    constexpr std::ptrdiff_t LINE = LINE_BYTES / sizeof(P), BLOCK = LINES * LINE;
    if (work.clips != 0) read_gradients<P>(work);
#pragma omp parallel for schedule(static) if (work.parallel != 0)
    for (std::ptrdiff_t i = 0; i < work.count; ++i) {
        const Piece piece = work.pieces[i];
        P *const p = static_cast<P *>(piece.p);
        S *const s = static_cast<S *>(piece.s);
        const P *const g = static_cast<const P *>(piece.g);
        for (std::ptrdiff_t begin = 0; begin < piece.length; begin += BLOCK) {
            const std::ptrdiff_t end = std::min(begin + BLOCK, piece.length);
            for (std::ptrdiff_t k = begin; work.ahead != 0 && k < end; k += LINE) {
                __builtin_prefetch(p + k + work.ahead, 1);
                __builtin_prefetch(s + k + work.ahead, 1);
                __builtin_prefetch(g + k + work.ahead);
            }
#pragma omp simd
            for (std::ptrdiff_t k = begin; k < end; ++k) {
                const P bit = g[k] & 1;
                s[k] ^= bit;
                p[k] ^= bit;
            }
        }
    }
}

}  // namespace

extern "C" {

// By the bytes of an element of the parameter and of the accumulator.
void memory_bound_2_2(Work *work) { memory_bound<std::uint16_t, std::uint16_t>(*work); }
void memory_bound_2_4(Work *work) { memory_bound<std::uint16_t, std::uint32_t>(*work); }
void memory_bound_4_4(Work *work) { memory_bound<std::uint32_t, std::uint32_t>(*work); }
void memory_bound_8_8(Work *work) { memory_bound<std::uint64_t, std::uint64_t>(*work); }

// The divisions and roots of a step in float32: p = g / sqrt(s).
void divider_bound_4_4(Work *work) {
#pragma omp parallel for schedule(static) if (work->parallel != 0)
    for (std::ptrdiff_t i = 0; i < work->count; ++i) {
        const Piece piece = work->pieces[i];
        float *const p = static_cast<float *>(piece.p);
        const float *const s = static_cast<const float *>(piece.s), *const g = static_cast<const float *>(piece.g);
#pragma omp simd
        for (std::ptrdiff_t k = 0; k < piece.length; ++k) p[k] = g[k] / __builtin_sqrtf(s[k]);
    }
}

// Reads each row of the values once, in the order given, and reads and writes each touched row of the table and of its
// sums once: their last bits change. Returns the sum of the values, so that the compiler leaves no read out.
float rows_bound(std::uint32_t *p, std::uint32_t *s, const float *values, std::ptrdiff_t count,
                 const std::int64_t *touched, std::ptrdiff_t rows, std::ptrdiff_t width, std::ptrdiff_t parallel) {
    constexpr std::ptrdiff_t LINE = LINE_BYTES / sizeof(float), ROWS_AHEAD = 16, LINES_AHEAD = 16;
    float total = 0;
#pragma omp parallel for schedule(static) if (parallel != 0) reduction(+ : total)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float *const row = values + i * width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::ptrdiff_t k = 0; k < width; ++k) sum += row[k];
        total += sum;
    }
#pragma omp parallel for schedule(static) if (parallel != 0)
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
        if (i + ROWS_AHEAD < rows) {
            const std::ptrdiff_t ahead = touched[i + ROWS_AHEAD] * width;
            for (std::ptrdiff_t k = 0; k < std::min(width, LINES_AHEAD * LINE); k += LINE) {
                __builtin_prefetch(p + ahead + k, 1);
                __builtin_prefetch(s + ahead + k, 1);
            }
        }
        std::uint32_t *const param = p + touched[i] * width, *const sums = s + touched[i] * width;
#pragma omp simd
        for (std::ptrdiff_t k = 0; k < width; ++k) {
            param[k] ^= 1;
            sums[k] ^= 1;
        }
    }
    return total;
}
}
