// The plain data that crosses the instruction-set boundary: see README.md.
#pragma once
#include <cstddef>
#include <cstdint>

namespace adagrad {

// Element types of (parameter, accumulator, gradient). Complex arrays come as their interleaved reals.
enum DtypeCombo : int { F32, F64, F16, BF16, F16_F32, BF16_F32, F32_GRAD_F16, F32_GRAD_BF16, DTYPE_COMBOS };

enum GradKind : int { DENSE, SPARSE, GRAD_KINDS };

// A struct of plain numbers that belongs to a rule; nothing else looks inside.
struct Packed {
    alignas(8) unsigned char bytes[64];
};

// The arguments of a kernel besides arrays. Each kernel rounds them to its own type.
struct KernelArgs {
    double grad_scale = 1;  // divides the gradient first
    double clip = 1;        // multiplies it next
    double row_mean = 0;    // the mean of the rule's row_term over the row at hand
    Packed scalars;         // the rule's own
};

// A row of a sparse gradient.
struct IndexedRow {
    std::int64_t row;     // of the parameter
    std::int64_t source;  // of the gradient's values
};

constexpr std::ptrdiff_t CACHE_LINE = 64;  // bytes

// The processor itself fetches the lines of longer rows, once it has read the first ones.
constexpr std::ptrdiff_t MAX_FETCHED_LINES = 12;

// The steps between the gradient and the update. Each combination has its own loop, so that none pays for a step that
// it does not take; but one that divides clips too, as it waits for the divider anyway. PREPROCESSED is the rule's own
// part: weight decay and the like.
enum Variant : int { PLAIN = 0, PREPROCESSED = 1, CLIPPED = 2, DIVIDED = 4, VARIANTS = 6 };

using Update = void (*)(void *param, void *state, const void *grad, std::ptrdiff_t count, const KernelArgs &);
using Accumulate = void (*)(void *state, const KernelArgs &);
using AddRows = void (*)(void *sums, std::ptrdiff_t sum_width, const void *values, std::ptrdiff_t width,
                         const IndexedRow *first, const IndexedRow *last, std::ptrdiff_t count, const KernelArgs &);
using Reduce = double (*)(const void *param, const void *grad, std::ptrdiff_t count, const KernelArgs &);

struct Kernels {
    Update update[VARIANTS];
    // For each entry of [first, last), in order, adds `count` elements of the values' row `source` to the sums' row
    // `row`; where that is negative, copies them to the sums' row `~row` instead. Rows of values are `width` elements
    // apart, those of sums `sum_width`; 0 adds all to one. Null for dense gradients.
    AddRows add_rows;
    Reduce square_sum;          // of the gradient, one block
    Reduce divided_square_sum;  // of the gradient divided by grad_scale, one block
    Reduce row_sum;             // of the rule's row_term, one block; null for a rule without one
    Accumulate accumulate;      // updates the accumulator of a row; null where each element has its own
};

// The kernels of one instruction set, by the index of the rule in the catalogue.
struct KernelTable {
    const Kernels (*of)[GRAD_KINDS][DTYPE_COMBOS];
};

// Sums run over blocks of this many elements, each in this many lanes: the order is part of the result.
enum : std::ptrdiff_t { SUM_BLOCK = 4096, SUM_LANES = 16 };

namespace {

template <class T> Packed pack(const T &value) {
    static_assert(sizeof(T) <= sizeof(Packed::bytes) && __is_trivially_copyable(T));
    Packed packed = {};
    __builtin_memcpy(packed.bytes, &value, sizeof(T));
    return packed;
}

template <class T> T unpack(const Packed &packed) {
    T value;
    __builtin_memcpy(&value, packed.bytes, sizeof(T));
    return value;
}

}  // namespace
}  // namespace adagrad
