#include "engine/thread_pool.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
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

// A worker waits for the next step so long before it sleeps: longer than a loop of steps leaves between two, shorter
// than anybody notices.
constexpr std::chrono::microseconds SPIN{200};

void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Waits until `done`, at first without leaving the processor.
template <class Done> void spin_until(Done done) {
    for (int i = 0; i < 1000; ++i) {
        if (done()) return;
        pause_briefly();
    }
    while (!done()) std::this_thread::yield();
}

// Where OMP_PLACES or OMP_PROC_BIND bind threads, a new thread inherits the one place of the thread that made it.
void move_to_place([[maybe_unused]] int member) {
#if defined(__linux__) && defined(_OPENMP)
    const int places = omp_get_num_places();
    if (places == 0) return;
    std::vector<int> processors(static_cast<std::size_t>(omp_get_place_num_procs(member % places)));
    omp_get_place_proc_ids(member % places, processors.data());
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int processor : processors) CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
#endif
}

// Signals are for the threads of Python.
class SignalsHeld {
#if defined(__unix__) || defined(__APPLE__)
  public:
    SignalsHeld() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &found_);
    }
    ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &found_, nullptr); }

  private:
    sigset_t found_;
#endif
};

}  // namespace

void Pool::grow(int workers) {
    const SignalsHeld held;
    while (workers_ < workers) {
        ++awake_;
        try {
            std::thread(&Pool::work, this, workers_ + 1).detach();
        } catch (const std::system_error &) {  // no more threads for this process: a smaller team then
            --awake_;
            return;
        }
        ++workers_;
    }
}

bool Pool::run(std::ptrdiff_t work, std::ptrdiff_t stretch, int team, bool wakes, const Body &body) {
    const std::unique_lock use(in_use_, std::try_to_lock);
    if (!use) return false;
    grow(team - 1);
    body_ = &body;
    stretch_ = stretch;
    if (shares_.size() != static_cast<std::size_t>(team)) shares_ = std::vector<Share>(static_cast<std::size_t>(team));
    std::ptrdiff_t begin = 0;
    for (int member = 0; member < team; ++member) {
        shares_[member].next = begin;
        begin += work / team + (member < work % team ? 1 : 0);
        shares_[member].end = begin;
    }
    inside_ = OPEN;
    ++call_;
    if (wakes && awake_ < team - 1) {
        // Whoever is about to sleep has looked at call_ for the last time, or holds this lock.
        const std::lock_guard last_look(sleep_);
        called_.notify_all();
    }
    take_part(0);
    inside_ &= ~OPEN;
    spin_until([this] { return inside_ == 0; });
    return true;
}

void Pool::take_part(int member) {
    const std::size_t team = shares_.size();
    for (std::size_t i = 0; i < team; ++i) {
        Share &share = shares_[(static_cast<std::size_t>(member) + i) % team];
        for (std::ptrdiff_t begin; (begin = share.next.fetch_add(stretch_)) < share.end;)
            (*body_)(begin, std::min(begin + stretch_, share.end));
    }
}

void Pool::work(int member) {
    move_to_place(member);
    unsigned seen = call_ - 1;  // made for a call
    for (;;) {
        wait_for_call(seen);
        if (!enter()) continue;
        if (static_cast<std::size_t>(member) < shares_.size()) take_part(member);
        --inside_;
    }
}

bool Pool::enter() {
    int inside = inside_;
    while ((inside & OPEN) != 0)
        if (inside_.compare_exchange_weak(inside, inside + 1)) return true;
    return false;
}

void Pool::wait_for_call(unsigned &seen) {
    const auto end = std::chrono::steady_clock::now() + SPIN;
    while (call_ == seen && std::chrono::steady_clock::now() < end) {
        for (int i = 0; i < 16 && call_ == seen; ++i) pause_briefly();
        std::this_thread::yield();  // the one who would call may be waiting for this processor
    }
    if (call_ == seen) {
        std::unique_lock lock(sleep_);
        --awake_;
        called_.wait(lock, [&] { return call_ != seen; });
        ++awake_;
    }
    seen = call_;
}

}  // namespace adagrad
