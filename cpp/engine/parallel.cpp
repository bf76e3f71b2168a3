#include "engine/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <new>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace adagrad {
namespace {

// A forked child inherits the pool's locks, but none of the threads that may hold them.
std::atomic<int> forks{0};

}  // namespace

int max_threads() {
#ifdef _OPENMP
    // OpenMP gives 0 or a negative number if OMP_NUM_THREADS is beyond int.
    return forks > 0 ? 1 : std::max(1, std::min(omp_get_max_threads(), omp_get_thread_limit()));
#else
    return 1;
#endif
}

int threads_for(std::ptrdiff_t elements) {
    if (elements < 2 * GRAIN_SIZE) return 1;
    return static_cast<int>(std::min<std::ptrdiff_t>(max_threads(), elements / GRAIN_SIZE));
}

void parallel_for(std::ptrdiff_t work, std::ptrdiff_t elements, const ThreadPool::Body &body) noexcept {
    const int threads = threads_for(elements);
    if (threads == 1) return body(0, 0, work);
    using Clock = std::chrono::steady_clock;
    alignas(ThreadPool) static char memory[sizeof(ThreadPool)];
    static ThreadPool &pool = *new (memory) ThreadPool;  // never destroyed: its threads never end
    static std::atomic<Clock::duration> last_end{Clock::duration{}};
    const bool wake = elements >= WAKE_THRESHOLD || Clock::now().time_since_epoch() - last_end.load() < BACK_TO_BACK;
    const std::ptrdiff_t chunks = std::min(elements / MIN_CHUNK, MAX_CHUNKS * threads);
    const bool done =
        (wake || pool.awake() > 0) && pool.run(work, std::max<std::ptrdiff_t>(1, work / chunks), threads, wake, body);
    if (!done) body(0, 0, work);
    last_end = Clock::now().time_since_epoch();
}

int fork_count() { return forks; }

void install_fork_handler() {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { ++forks; });
#endif
}

}  // namespace adagrad
