// What the programs here share: random numbers, threads, and the end of a program that found something wrong.
#pragma once
#include <omp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

inline void expect(bool condition, const char *what) {
    if (condition) return;
    std::fprintf(stderr, "expected: %s\n", what);
    std::abort();
}

// A number of the command line, or its default.
inline long argument(int count, char **arguments, int index, long otherwise) {
    return index < count ? std::atol(arguments[index]) : otherwise;
}

// Numbers that are the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::uint64_t below(std::uint64_t limit) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return (state_ >> 33) % limit;
    }
    float between_ones() { return static_cast<float>(below(1 << 24)) / (1 << 23) - 1; }

  private:
    std::uint64_t state_;
};

// Calls body(caller) in `callers` threads at once.
template <class Body> void run_callers(int callers, Body body) {
    std::vector<std::thread> threads;
    for (int caller = 0; caller < callers; ++caller) threads.emplace_back(body, caller);
    for (std::thread &thread : threads) thread.join();
}
