// The floating-point environment of a thread.
#pragma once

namespace adagrad {

// A scope with IEEE arithmetic in the calling thread: round to nearest, subnormals kept, whatever the caller has set.
// The destructor restores what it found.
class FpEnvGuard {
  public:
    FpEnvGuard();
    ~FpEnvGuard();
    FpEnvGuard(const FpEnvGuard &) = delete;
    FpEnvGuard &operator=(const FpEnvGuard &) = delete;

  private:
    unsigned found_;
};

}  // namespace adagrad
