// The number of threads, how work is divided among them, and the fork handler.
#pragma once
#include <chrono>
#include <cstddef>

#include "engine/thread_pool.hpp"

namespace adagrad {

// Measured by bench/pauses.py with pauses between steps (figures in docs/internals/performance.md): with these numbers,
// two threads are never slower than one.
//
// The minimum number of elements for each thread, where the other threads are awake.
constexpr std::ptrdiff_t GRAIN_SIZE = 16384;
// Wake sleeping workers only for at least this many elements, or if the previous step ended less than BACK_TO_BACK ago.
constexpr std::ptrdiff_t WAKE_THRESHOLD = 262144;
constexpr std::chrono::microseconds BACK_TO_BACK{100};
// A thread takes its share in at most MAX_CHUNKS chunks of at least MIN_CHUNK elements.
constexpr std::ptrdiff_t MIN_CHUNK = 8192, MAX_CHUNKS = 32;

// The calling thread's limit (OMP_NUM_THREADS, OMP_THREAD_LIMIT, threadpoolctl), or 1 in a forked child.
int max_threads();

// The number of threads that share `elements` array elements: few elements stay with the calling thread.
int threads_for(std::ptrdiff_t elements);

// Calls body(thread, begin, end) on chunks that together are [0, work), with `thread` below threads_for(elements). The
// work amounts to `elements` array elements. The body must not throw.
// Workers run it in IEEE arithmetic; the calling thread runs it in its own floating-point environment.
void parallel_for(std::ptrdiff_t work, std::ptrdiff_t elements, const ThreadPool::Body &body) noexcept;

// Runs `first` and `second`: together if a worker is free, otherwise one after the other. So `second` may wait for
// `first`, never the reverse. The work amounts to `elements` array elements.
template <class First, class Second>
void run_both(std::ptrdiff_t elements, const First &first, const Second &second) noexcept {
    parallel_for(2, elements, [&](int, std::ptrdiff_t begin, std::ptrdiff_t end) {
        if (begin == 0) first();
        if (end == 2) second();
    });
}

// The number of forks between the process that imported the library and this one: a child has another number than its
// parent.
int fork_count();

// Makes forked children serial. Called once, at import.
void install_fork_handler();

}  // namespace adagrad
