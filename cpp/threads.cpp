#include "threads.hpp"

#include <algorithm>
#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace adagrad::threads {
namespace {

// libgomp hangs in the child of a process that has run a parallel region: its threads did not survive the
// fork. So a child stays serial.
std::atomic<bool> forked{false};

// Elements for each thread at the least, torch's own number. Where steps follow each other at once, two threads win
// from 100,000 elements on (docs/performance.md); with pauses between them, when the team sleeps, not yet measured.
constexpr std::ptrdiff_t GRAIN = 32768;

#if defined(__x86_64__)
unsigned read_mode() { return _mm_getcsr(); }
void write_mode(unsigned mode) { _mm_setcsr(mode); }
constexpr unsigned IEEE = 0x1f80;  // every exception masked, to nearest, neither FTZ nor DAZ
#elif defined(__aarch64__)
unsigned read_mode() { return static_cast<unsigned>(__builtin_aarch64_get_fpcr()); }
void write_mode(unsigned mode) { __builtin_aarch64_set_fpcr(mode); }
constexpr unsigned IEEE = 0;
#else
unsigned read_mode() { return 0; }
void write_mode(unsigned) {}
constexpr unsigned IEEE = 0;
#endif

}  // namespace

IeeeMode::IeeeMode() : found_(read_mode()) { write_mode(IEEE); }
IeeeMode::~IeeeMode() { write_mode(found_); }

int limit() {
#ifdef _OPENMP
    return forked ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

void share(std::ptrdiff_t work, std::ptrdiff_t elements,
           const std::function<void(std::ptrdiff_t, std::ptrdiff_t)> &body) {
    const auto team = std::min<std::ptrdiff_t>(limit(), elements / GRAIN);
    if (team <= 1) {
        const IeeeMode ieee;
        body(0, work);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel num_threads(static_cast<int>(team))
    {
        // The team may be smaller than asked for.
        const std::ptrdiff_t all = omp_get_num_threads(), mine = omp_get_thread_num();
        const std::ptrdiff_t part = work / all, rest = work % all;
        const std::ptrdiff_t begin = mine * part + std::min(mine, rest);
        const IeeeMode ieee;
        body(begin, begin + part + (mine < rest ? 1 : 0));
    }
#endif
}

void watch_forks() {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
}

}  // namespace adagrad::threads
