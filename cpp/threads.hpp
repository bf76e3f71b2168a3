// The only use of the OpenMP runtime: how many threads, how the work is split, and the fork guard.
#pragma once
#include <cstddef>
#include <functional>

namespace adagrad::threads {

// The calling thread's limit (OMP_NUM_THREADS, threadpoolctl), or 1 in a forked child.
int limit();

// Calls body(begin, end) on equal shares of [0, work), which amounts to so many array elements; few elements
// stay with the calling thread. The body must not throw. Every share runs in IEEE arithmetic: round to
// nearest, subnormals kept, whatever the caller had set.
void share(std::ptrdiff_t work, std::ptrdiff_t elements,
           const std::function<void(std::ptrdiff_t, std::ptrdiff_t)> &body);

// A scope with IEEE arithmetic in the calling thread.
class IeeeMode {
  public:
    IeeeMode();
    ~IeeeMode();
    IeeeMode(const IeeeMode &) = delete;
    IeeeMode &operator=(const IeeeMode &) = delete;

  private:
    unsigned found_;
};

// Installs the fork guard. Once, at import.
void watch_forks();

}  // namespace adagrad::threads
