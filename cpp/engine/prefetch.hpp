// How to ask for a cache line before it is used.
#pragma once
#include "kernels/kernels.hpp"

namespace adagrad {

inline void prefetch(const void *address) {
    __builtin_prefetch(address);
    // GCC takes a function that only prefetches for one without effects, and would drop its calls.
    __asm__ volatile("");
}

}  // namespace adagrad
