// Waiting for another thread that is about to be done.
#pragma once
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace adagrad {

inline void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Waits until done(), at first without yielding the processor.
template <class Done> void spin_until(Done done) {
    for (int i = 0; i < 1000; ++i) {
        if (done()) return;
        pause_briefly();
    }
    while (!done()) std::this_thread::yield();
}

}  // namespace adagrad
