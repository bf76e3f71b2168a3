#include "engine/fp_env.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace adagrad {
namespace {

#if defined(__x86_64__)
unsigned read_control() { return _mm_getcsr(); }
void write_control(unsigned control) { _mm_setcsr(control); }
constexpr unsigned IEEE = 0x1f80;        // every exception masked, round to nearest, neither FTZ nor DAZ
constexpr unsigned STATUS_FLAGS = 0x3f;  // the exceptions that have occurred
#elif defined(__aarch64__)
unsigned read_control() { return static_cast<unsigned>(__builtin_aarch64_get_fpcr()); }
void write_control(unsigned control) { __builtin_aarch64_set_fpcr(control); }
constexpr unsigned IEEE = 0;
constexpr unsigned STATUS_FLAGS = 0;
#else
unsigned read_control() { return 0; }
void write_control(unsigned) {}
constexpr unsigned IEEE = 0;
constexpr unsigned STATUS_FLAGS = 0;
#endif

}  // namespace

// Writing the control register takes far longer than reading it, and scopes nest.
FpEnvGuard::FpEnvGuard() : found_(read_control()) {
    if ((found_ & ~STATUS_FLAGS) != IEEE) write_control(IEEE);
}
FpEnvGuard::~FpEnvGuard() {
    if (read_control() != found_) write_control(found_);
}

}  // namespace adagrad
