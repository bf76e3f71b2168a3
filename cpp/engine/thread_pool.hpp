// The threads that share a step. OpenMP's threads were measured against these and lost on two counts
// (docs/internals/performance.md): an OpenMP region ends only when every thread has reached its end, so that one thread
// without a processor delays the step by whole time slices of the scheduler; and OpenMP's threads spin for
// milliseconds, which slows the caller's other work, and then have to be woken.
//
// Here the calling thread takes the chunks that no other thread has begun, and a worker that comes late finds nothing
// to do.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

#include "kernels/kernels.hpp"

namespace adagrad {

class ThreadPool {
  public:
    // Refers to a callable body(thread, begin, end), which outlives the call of `run`. `thread` is 0 for the calling
    // thread. Unlike std::function, it allocates nothing.
    class Body {
      public:
        template <class Function>
        Body(const Function &function)
            : function_(&function), call_([](const void *object, int thread, std::ptrdiff_t begin, std::ptrdiff_t end) {
                  (*static_cast<const Function *>(object))(thread, begin, end);
              }) {}
        void operator()(int thread, std::ptrdiff_t begin, std::ptrdiff_t end) const {
            call_(function_, thread, begin, end);
        }

      private:
        const void *function_;
        void (*call_)(const void *, int, std::ptrdiff_t, std::ptrdiff_t);
    };

    // The number of workers that spin, and so take part at once.
    int awake() const { return awake_; }

    // Calls body(thread, begin, end) on chunks of at most `chunk` that together are [0, work). The calling thread and
    // `threads` - 1 workers take part; `wake` wakes those that sleep. Returns false, with nothing done, while another
    // thread uses the pool, or if there is no memory for this. The body must not throw.
    bool run(std::ptrdiff_t work, std::ptrdiff_t chunk, int threads, bool wake, const Body &body) noexcept;

  private:
    // Each thread has its own part of the work, which stays in its cache from step to step. When it has finished, it
    // helps the others.
    struct alignas(CACHE_LINE) Part {
        std::atomic<std::ptrdiff_t> next{0};
        std::ptrdiff_t end = 0;
    };

    void add_workers(int workers);
    bool resize_parts(int threads);
    void work(int thread);
    bool is_called(int thread, unsigned seen) const { return call_ != seen && thread < team_; }
    void wait_for_call(int thread, unsigned &seen);
    bool enter();
    void run_chunks(int thread);

    std::mutex in_use_;
    const Body *body_ = nullptr;
    std::ptrdiff_t chunk_ = 0;
    std::vector<Part> parts_;  // one for each thread

    std::atomic<int> inside_{0};  // the number of workers in the call, plus OPEN while more may enter
    std::atomic<unsigned> call_{0};
    std::atomic<int> team_{0};  // the number of threads of the last call: other workers go on sleeping
    std::atomic<int> awake_{0};
    int workers_ = 0;
    std::mutex sleep_;
    std::condition_variable called_;
};

}  // namespace adagrad
