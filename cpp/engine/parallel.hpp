// The only use of the OpenMP runtime: how many threads, how the work is split, and the fork guard.
#pragma once
#include <chrono>
#include <cstddef>

#include "engine/thread_pool.hpp"

namespace adagrad::threads {

// Measured with pauses between steps by bench/pauses.py, figures in docs/performance.md: with these numbers two threads
// are never slower than one.
//
// Elements for each thread at the least, where the other threads are awake.
constexpr std::ptrdiff_t GRAIN = 16384;
// Elements from which on it pays to wake them for one step; for fewer it does where steps follow each other so soon.
constexpr std::ptrdiff_t WAKING = 262144;
constexpr std::chrono::microseconds IN_A_ROW{100};
// A thread takes its share in stretches of so many elements at the least, but in no more of them than that.
constexpr std::ptrdiff_t STRETCH = 8192, STRETCHES = 32;

// The calling thread's limit (OMP_NUM_THREADS, threadpoolctl), or 1 in a forked child.
int limit();

// Calls body(begin, end) on equal shares of [0, work), which amounts to so many array elements; few elements
// stay with the calling thread. The body must not throw. Every share runs in IEEE arithmetic: round to
// nearest, subnormals kept, whatever the caller had set.
void share(std::ptrdiff_t work, std::ptrdiff_t elements, const Pool::Body &body);

// A scope with IEEE arithmetic in the calling thread.
class IeeeMode {
  public:
    IeeeMode();
    ~IeeeMode();
    IeeeMode(const IeeeMode &) = delete;
    IeeeMode &operator=(const IeeeMode &) = delete;

  private:
    unsigned found_;
};

// Installs the fork guard. Once, at import.
void watch_forks();

}  // namespace adagrad::threads
