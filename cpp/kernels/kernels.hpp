// The plain data that crosses the instruction-set boundary. No functions stand here: kernel.cpp is compiled
// once per instruction set, and an inline function shared with it could be linked in its AVX version.
#pragma once
#include <cstddef>

namespace adagrad {

enum Rule : int { TORCH, MINDSPORE, FLOOR, TORCH_ROWS, RULES };

// Element types of (parameter, accumulator, gradient). Complex arrays come as their interleaved reals.
enum Types : int { F32, F64, F16, BF16, F16_F32, BF16_F32, F32_GRAD_F16, F32_GRAD_BF16, TYPES };

// What one update needs besides the arrays; each kernel rounds these to its own type.
struct Scalars {
    double rate = 0;
    double eps = 0;
    double decay = 0;
    bool decays = false;
    bool maximize = false;
    bool update_slots = true;
    double unscale = 1;     // MindSpore: the reciprocal of loss_scale
    double mean = 0;        // MindSpore: of one row, where gradients are centralised
    double grad_scale = 1;  // divides the gradient first
    double clip = 1;        // multiplies it next
    bool lone = false;      // torch's sparse rule: the gradient is a single element
};

// What is done to a gradient before the update: each combination has a loop of its own, so that none pays for what
// it does not do. PREPARED is the rule's own part: decay and the like.
enum Path : int { PLAIN = 0, PREPARED = 1, CLIPPED = 2, DIVIDED = 4, PATHS = 8 };

using Update = void (*)(void *param, void *state, const void *grad, std::ptrdiff_t count, const Scalars &);
using Add = void (*)(void *sum, const void *next, std::ptrdiff_t count, const Scalars &);
using Reduce = double (*)(const void *param, const void *grad, std::ptrdiff_t count, const Scalars &);

struct Kernels {
    Update update[PATHS];
    Add add;                    // gradients of one row
    Reduce square_sum;          // of the gradient, one block
    Reduce divided_square_sum;  // of the gradient divided by grad_scale, one block
    Reduce decayed_sum;         // of the gradient with its decay, one block (MindSpore's centralisation)
};

struct Table {
    Kernels of[RULES][TYPES];
};

// The sums run over blocks of this many elements, each in lanes of this width: the order is part of the
// result.
enum : std::ptrdiff_t { SUM_BLOCK = 4096, SUM_LANES = 16 };

}  // namespace adagrad
