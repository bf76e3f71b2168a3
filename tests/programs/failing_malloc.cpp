// Preloaded: makes the n-th allocation of the arming thread fail, whoever allocates. Controlled through ctypes.
#include <cerrno>
#include <cstddef>

extern "C" {
void *__libc_malloc(std::size_t);
void *__libc_calloc(std::size_t, std::size_t);
void *__libc_realloc(void *, std::size_t);
void *__libc_memalign(std::size_t, std::size_t);
}

namespace {

constexpr int MOST = 8;
const char *low[MOST], *high[MOST];  // code that ends the process when an allocation fails
int spared = 0;

thread_local bool armed = false;
thread_local long left = 0, seen = 0;

bool fails(const void *caller) {
    if (!armed) return false;
    for (int i = 0; i < spared; ++i)
        if (low[i] <= caller && caller < high[i]) return false;
    ++seen;
    if (left-- != 0) return false;
    errno = ENOMEM;
    return true;
}

}  // namespace

extern "C" {

void spare(const char *begin, const char *end) {
    if (spared == MOST) __builtin_abort();
    low[spared] = begin;
    high[spared++] = end;
}
void arm(long n) {
    left = n;
    seen = 0;
    armed = true;
}
long disarm() {
    armed = false;
    return seen;
}

void *malloc(std::size_t size) { return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size); }
void *calloc(std::size_t count, std::size_t size) {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, size);
}
void *realloc(void *memory, std::size_t size) {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(memory, size);
}
void *aligned_alloc(std::size_t alignment, std::size_t size) {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, std::size_t alignment, std::size_t size) {
    if (fails(__builtin_return_address(0))) return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}
}
