#include "engine/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

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

// The threads of a pool do not survive a fork, nor does what they may hold. So a child stays serial.
std::atomic<bool> forked{false};

#if defined(__x86_64__)
unsigned read_mode() { return _mm_getcsr(); }
void write_mode(unsigned mode) { _mm_setcsr(mode); }
constexpr unsigned IEEE = 0x1f80;  // every exception masked, to nearest, neither FTZ nor DAZ
constexpr unsigned STICKY = 0x3f;  // which exceptions there were
#elif defined(__aarch64__)
unsigned read_mode() { return static_cast<unsigned>(__builtin_aarch64_get_fpcr()); }
void write_mode(unsigned mode) { __builtin_aarch64_set_fpcr(mode); }
constexpr unsigned IEEE = 0;
constexpr unsigned STICKY = 0;
#else
unsigned read_mode() { return 0; }
void write_mode(unsigned) {}
constexpr unsigned IEEE = 0;
constexpr unsigned STICKY = 0;
#endif

}  // namespace

// Writing the mode takes far longer than reading it, and scopes nest.
IeeeMode::IeeeMode() : found_(read_mode()) {
    if ((found_ & ~STICKY) != IEEE) write_mode(IEEE);
}
IeeeMode::~IeeeMode() {
    if (read_mode() != found_) write_mode(found_);
}

int limit() {
#ifdef _OPENMP
    return forked ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

void share(std::ptrdiff_t work, std::ptrdiff_t elements, const Pool::Body &body) {
    using Clock = std::chrono::steady_clock;
    static Pool &pool = *new Pool;  // its threads never end
    static std::atomic<Clock::duration> last{Clock::duration{}};
    const auto ieee_body = [&body](std::ptrdiff_t begin, std::ptrdiff_t end) {
        const IeeeMode ieee;
        body(begin, end);
    };
    const auto team = static_cast<int>(std::min<std::ptrdiff_t>(limit(), elements / GRAIN));
    if (team <= 1) return ieee_body(0, work);
    const bool wakes = elements >= WAKING || Clock::now().time_since_epoch() - last.load() < IN_A_ROW;
    const std::ptrdiff_t stretches = std::min(elements / STRETCH, STRETCHES * team);
    const bool shared = (wakes || pool.awake() > 0) &&
                        pool.run(work, std::max<std::ptrdiff_t>(1, work / stretches), team, wakes, ieee_body);
    if (!shared) ieee_body(0, work);
    last = Clock::now().time_since_epoch();
}

void watch_forks() {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
}

}  // namespace adagrad::threads
