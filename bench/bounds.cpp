// Loops that no step can beat, written without the package: they walk to a cache line first and do next to no
// arithmetic, or nothing but what the divider must do. Built by bounds.py with the compiler's flags for this machine.
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr std::ptrdiff_t LINE = 16, BLOCK = 64;  // floats in a line, lines in a block

template <class Body> void in_lines(const float *start, std::ptrdiff_t count, Body body) {
    const std::ptrdiff_t head = (LINE - reinterpret_cast<std::intptr_t>(start) / 4 % LINE) % LINE;
    body(std::ptrdiff_t{0}, std::min(head, count));
    const std::ptrdiff_t lines = std::max<std::ptrdiff_t>(0, count - head) / LINE, blocks = lines / BLOCK;
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t block = 0; block < blocks; ++block) body(head + block * BLOCK * LINE, BLOCK * LINE);
    const std::ptrdiff_t done = std::min(head, count) + blocks * BLOCK * LINE;
    body(done, count - done);
}

}  // namespace

extern "C" {

// The memory traffic of a step. `ahead` is the distance of prefetching in floats; 0 for none.
void memory_bound(float *p, float *s, const float *g, std::ptrdiff_t count, std::ptrdiff_t ahead) {
    in_lines(p, count, [=](std::ptrdiff_t begin, std::ptrdiff_t length) {
        for (std::ptrdiff_t i = begin; ahead != 0 && i < begin + length; i += LINE) {
            __builtin_prefetch(p + i + ahead, 1);
            __builtin_prefetch(s + i + ahead, 1);
            __builtin_prefetch(g + i + ahead);
        }
#pragma omp simd
        for (std::ptrdiff_t k = begin; k < begin + length; ++k) {
            s[k] += g[k];
            p[k] -= g[k];
        }
    });
}

// The divisions and roots of a step.
void divider_bound(float *p, float *s, const float *g, std::ptrdiff_t count, std::ptrdiff_t) {
    in_lines(p, count, [=](std::ptrdiff_t begin, std::ptrdiff_t length) {
#pragma omp simd
        for (std::ptrdiff_t k = begin; k < begin + length; ++k) p[k] = g[k] / __builtin_sqrtf(s[k]);
    });
}

// Reads each row of the values once, in the order given, and reads and writes each touched row of the table and of its
// sums once.
float rows_bound(float *p, float *s, const float *values, std::ptrdiff_t count, const std::int64_t *touched,
                 std::ptrdiff_t rows, std::ptrdiff_t width) {
    float total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float *const row = values + i * width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::ptrdiff_t k = 0; k < width; ++k) sum += row[k];
        total += sum;
    }
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
        if (i + 16 < rows) {
            const std::ptrdiff_t ahead = touched[i + 16] * width;
            for (std::ptrdiff_t k = 0; k < width && k < 16 * LINE; k += LINE) {
                __builtin_prefetch(p + ahead + k, 1);
                __builtin_prefetch(s + ahead + k, 1);
            }
        }
        float *const param = p + touched[i] * width, *const sums = s + touched[i] * width;
#pragma omp simd
        for (std::ptrdiff_t k = 0; k < width; ++k) {
            param[k] += 1;
            sums[k] += 1;
        }
    }
    return total;
}
}
