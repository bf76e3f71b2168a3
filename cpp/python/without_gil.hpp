// Work without the GIL, and calls into Python, in threads that Python may end.
#pragma once
#include <pybind11/pybind11.h>

#include <chrono>
#include <exception>
#include <thread>
#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace adagrad {

// Python may end a daemon thread where it waits for the GIL while the interpreter exits: by pthread_exit, which unwinds
// the stack as an exception would. Our destructors must not run then: they would touch Python's objects without the
// GIL. Such a thread sleeps until the process ends instead, as in Python 3.14.
//
// The exception that pthread_exit stands for has no object: UndefinedBehaviorSanitizer sees a reference to nothing.
#ifdef __GNUC__
template <class Call> __attribute__((no_sanitize("undefined"))) auto unless_python_exits(Call call) {
#else
template <class Call> auto unless_python_exits(Call call) {
#endif
#ifdef __GLIBCXX__
    try {
        return call();
    } catch (abi::__forced_unwind &) {
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
#else
    return call();
#endif
}

template <class Call> void without_gil(Call call) {
    PyThreadState *const state = PyEval_SaveThread();
    std::exception_ptr error;
    try {
        call();
    } catch (...) {
        error = std::current_exception();
    }
    unless_python_exits([=] { PyEval_RestoreThread(state); });
    if (error) std::rethrow_exception(error);
}

}  // namespace adagrad
