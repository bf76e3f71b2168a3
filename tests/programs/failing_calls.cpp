// Preloaded: makes the n-th call to the system that concerns files fail with a given error. Controlled through ctypes.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

static std::atomic<long> left{-1};
static std::atomic<int> error{0};
static std::atomic<bool> armed{false}, failed{false};

extern "C" void arm(long n, int number) {
    left = n;
    error = number;
    failed = false;
    armed = true;
}
extern "C" bool disarm() {
    armed = false;
    return failed;
}

static bool is_chosen() {
    if (!armed || left-- != 0) return false;
    failed = true;
    errno = error;
    return true;
}
static bool fails() { return is_chosen() && error != 0; }

template <class Function> static Function next(Function, const char *name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

static mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

extern "C" int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails() ? -1 : next(open64, "open64")(path, flags, mode);
}
extern "C" int openat64(int folder, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails() ? -1 : next(openat64, "openat64")(folder, path, flags, mode);
}
extern "C" ssize_t read(int file, void *to, size_t count) { return fails() ? -1 : next(read, "read")(file, to, count); }
// With the error 0, it writes a part.
extern "C" ssize_t write(int file, const void *from, size_t count) {
    const bool chosen = is_chosen();
    if (chosen && error != 0) return -1;
    if (chosen) count = (count + 1) / 2;
    return next(write, "write")(file, from, count);
}
extern "C" int ftruncate64(int file, off64_t size) {
    return fails() ? -1 : next(ftruncate64, "ftruncate64")(file, size);
}
extern "C" int fsync(int file) { return fails() ? -1 : next(fsync, "fsync")(file); }
extern "C" int mkdir(const char *path, mode_t mode) { return fails() ? -1 : next(mkdir, "mkdir")(path, mode); }
extern "C" int chmod(const char *path, mode_t mode) { return fails() ? -1 : next(chmod, "chmod")(path, mode); }
extern "C" int rename(const char *from, const char *to) { return fails() ? -1 : next(rename, "rename")(from, to); }
