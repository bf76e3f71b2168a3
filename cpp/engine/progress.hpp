// How far one thread has come, for another one that follows it.
#pragma once
#include <atomic>
#include <cstddef>

#include "engine/spin.hpp"

namespace adagrad {

class Progress {
  public:
    void report(std::ptrdiff_t done) { done_.store(done, std::memory_order_release); }
    void fail() { report(FAILED); }
    bool has_failed() const { return done_.load(std::memory_order_acquire) == FAILED; }

    // Waits for a report of another number, and returns it; or `done` itself if the first thread has failed.
    std::ptrdiff_t after(std::ptrdiff_t done) const {
        std::ptrdiff_t found = done;
        spin_until([&] { return (found = done_.load(std::memory_order_acquire)) != done; });
        return found == FAILED ? done : found;
    }

  private:
    static constexpr std::ptrdiff_t FAILED = -1;

    std::atomic<std::ptrdiff_t> done_{0};
};

}  // namespace adagrad
