// Preloaded: makes the n-th `operator new` that a range of code calls fail. Controlled through ctypes.
#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<long> left{-1}, seen{0};
static std::atomic<bool> armed{false};
static char *low, *high;

extern "C" void set_range(void *begin, void *end) {
    low = static_cast<char *>(begin);
    high = static_cast<char *>(end);
}
extern "C" void arm(long n) {
    left = n;
    seen = 0;
    armed = true;
}
extern "C" long disarm() {
    armed = false;
    return seen;
}

static void *allocate(std::size_t size, std::size_t alignment, void *caller) {
    if (armed && caller >= low && caller < high) {
        ++seen;
        if (left-- == 0) throw std::bad_alloc();
    }
    void *const memory =
        alignment == 0 ? std::malloc(size + !size) : std::aligned_alloc(alignment, (size + alignment) & -alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void *operator new(std::size_t size) { return allocate(size, 0, __builtin_return_address(0)); }
void *operator new[](std::size_t size) { return allocate(size, 0, __builtin_return_address(0)); }
void *operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void *operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
