// Cache lines, and how to ask for one before it is used.
#pragma once
#include <cstddef>

namespace adagrad {

constexpr std::ptrdiff_t CACHE_LINE = 64;  // bytes

inline void prefetch(const void *address) {
    __builtin_prefetch(address);
    // GCC takes a function that only prefetches for one without effects, and would drop its calls.
    __asm__ volatile("");
}

}  // namespace adagrad
