// The threads that share a step. OpenMP's own were measured against these and lost on two counts (docs/performance.md):
// its region ends only when every thread has come to its end, so that one which gets no processor, because another
// program has it, holds up the step for whole slices of the scheduler; and its threads spin for milliseconds, in the
// way of the caller's other work, and then have to be waited for when they wake.
//
// Here the calling thread takes what the others have not begun, and a worker that comes late finds nothing to do.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace adagrad {

class Pool {
  public:
    using Body = std::function<void(std::ptrdiff_t, std::ptrdiff_t)>;

    // Workers that spin, and so take part at once.
    int awake() const { return awake_; }

    // Calls body(begin, end) for stretches that together are [0, work), each of at most `stretch`, on a team of the
    // calling thread and workers; wakes those that sleep if `wakes`. False, with nothing done, while another thread
    // has the pool. The body must not throw.
    bool run(std::ptrdiff_t work, std::ptrdiff_t stretch, int team, bool wakes, const Body &body);

  private:
    // Each member of a team has a share of its own, for the sake of its cache, and helps the others when it is done.
    struct alignas(64) Share {
        std::atomic<std::ptrdiff_t> next{0};
        std::ptrdiff_t end = 0;
    };

    void grow(int workers);
    void work(int member);
    void wait_for_call(unsigned &seen);
    bool enter();
    void take_part(int member);

    std::mutex in_use_;
    const Body *body_ = nullptr;
    std::ptrdiff_t stretch_ = 0;
    std::vector<Share> shares_;  // one for each member

    std::atomic<int> inside_{0};  // how many workers are in the job, and OPEN while more may enter
    std::atomic<unsigned> call_{0};
    std::atomic<int> awake_{0};
    int workers_ = 0;
    std::mutex sleep_;
    std::condition_variable called_;
};

}  // namespace adagrad
