#include "engine/thread_pool.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <thread>

#include "engine/fp_env.hpp"
#include "engine/spin.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <csignal>
#endif
#if defined(__linux__) && defined(_OPENMP)
#include <omp.h>
#include <sched.h>
#endif

namespace adagrad {
namespace {

constexpr int OPEN = 1 << 30;

// How long a worker waits for the next step before it sleeps: longer than the pause between two steps of a loop, too
// short to be noticed.
constexpr std::chrono::microseconds SPIN{200};

// Where OMP_PLACES or OMP_PROC_BIND bind threads, a new thread inherits the place of the thread that creates it.
// Without the memory for this, the thread stays there.
void move_to_place([[maybe_unused]] int thread) try {
#if defined(__linux__) && defined(_OPENMP)
    const int places = omp_get_num_places();
    if (places == 0) return;
    std::vector<int> processors(static_cast<std::size_t>(omp_get_place_num_procs(thread % places)));
    omp_get_place_proc_ids(thread % places, processors.data());
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int processor : processors) CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
#endif
} catch (const std::bad_alloc &) {
}

// Blocks signals while workers are created, so that Python's threads receive them; but not those of a fault in a worker
// itself, which faulthandler reports.
class SignalBlock {
#if defined(__unix__) || defined(__APPLE__)
  public:
    SignalBlock() {
        sigset_t all;
        sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, fault);
        pthread_sigmask(SIG_SETMASK, &all, &found_);
    }
    ~SignalBlock() { pthread_sigmask(SIG_SETMASK, &found_, nullptr); }

  private:
    sigset_t found_;
#endif
};

}  // namespace

void ThreadPool::add_workers(int workers) {
    if (workers_ >= workers) return;
    const SignalBlock block;
    while (workers_ < workers) {
        ++awake_;
        try {
            std::thread(&ThreadPool::work, this, workers_ + 1).detach();
        } catch (const std::exception &) {  // no more threads or no memory for them: fewer then take part
            --awake_;
            return;
        }
        ++workers_;
    }
}

bool ThreadPool::resize_parts(int threads) try {
    if (parts_.size() != static_cast<std::size_t>(threads))
        parts_ = std::vector<Part>(static_cast<std::size_t>(threads));
    return true;
} catch (const std::bad_alloc &) {
    return false;
}

bool ThreadPool::run(std::ptrdiff_t work, std::ptrdiff_t chunk, int threads, bool wake, const Body &body) noexcept {
    const std::unique_lock use(in_use_, std::try_to_lock);
    if (!use || !resize_parts(threads)) return false;
    add_workers(threads - 1);
    body_ = &body;
    chunk_ = chunk;
    std::ptrdiff_t begin = 0;
    for (int thread = 0; thread < threads; ++thread) {
        parts_[thread].next = begin;
        begin += work / threads + (thread < work % threads ? 1 : 0);
        parts_[thread].end = begin;
    }
    team_ = threads;
    inside_ = OPEN;
    ++call_;
    if (wake && awake_ < threads - 1) {
        // A worker that is about to sleep has read call_ for the last time, or holds this lock.
        const std::lock_guard last_look(sleep_);
        called_.notify_all();
    }
    run_chunks(0);
    inside_ &= ~OPEN;
    spin_until([this] { return inside_ == 0; });
    return true;
}

void ThreadPool::run_chunks(int thread) {
    const std::size_t threads = parts_.size();
    for (std::size_t i = 0; i < threads; ++i) {
        Part &part = parts_[(static_cast<std::size_t>(thread) + i) % threads];
        for (std::ptrdiff_t begin; (begin = part.next.fetch_add(chunk_)) < part.end;)
            (*body_)(thread, begin, std::min(begin + chunk_, part.end));
    }
}

void ThreadPool::work(int thread) {
    move_to_place(thread);
    const FpEnvGuard guard;
    unsigned seen = call_ - 1;  // created for a call that has begun
    for (;;) {
        wait_for_call(thread, seen);
        if (!enter()) continue;
        if (static_cast<std::size_t>(thread) < parts_.size()) run_chunks(thread);
        --inside_;
    }
}

bool ThreadPool::enter() {
    int inside = inside_;
    while ((inside & OPEN) != 0)
        if (inside_.compare_exchange_weak(inside, inside + 1)) return true;
    return false;
}

void ThreadPool::wait_for_call(int thread, unsigned &seen) {
    const auto end = std::chrono::steady_clock::now() + SPIN;
    while (!is_called(thread, seen) && std::chrono::steady_clock::now() < end) {
        for (int i = 0; i < 16 && !is_called(thread, seen); ++i) pause_briefly();
        std::this_thread::yield();  // the calling thread may be waiting for this processor
    }
    if (!is_called(thread, seen)) {
        std::unique_lock lock(sleep_);
        --awake_;
        called_.wait(lock, [&] { return is_called(thread, seen); });
        ++awake_;
    }
    seen = call_;
}

}  // namespace adagrad
