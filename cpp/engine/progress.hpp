// How far one thread has come, for another one that follows it.
#pragma once
#include <atomic>
#include <cstddef>

#include "engine/spin.hpp"

namespace adagrad {

class Progress {
  public:
    void report(std::ptrdiff_t done) { reported_.store(done, std::memory_order_release); }
    void fail() { report(FAILED); }
    bool has_failed() const { return reported_.load(std::memory_order_acquire) == FAILED; }

    // Waits until another number is reported, and returns it; returns `done` if the reporting thread has failed.
    std::ptrdiff_t after(std::ptrdiff_t done) const {
        std::ptrdiff_t found = done;
        spin_until([&] { return (found = reported_.load(std::memory_order_acquire)) != done; });
        return found == FAILED ? done : found;
    }

  private:
    static constexpr std::ptrdiff_t FAILED = -1;

    std::atomic<std::ptrdiff_t> reported_{0};
};

}  // namespace adagrad
