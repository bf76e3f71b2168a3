#include "engine/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace adagrad {

extern const KernelTable table_baseline;
#ifdef ADAGRAD_X86_LEVELS
extern const KernelTable table_v3;
extern const KernelTable table_v4;
#endif

namespace {

std::vector<Isa> supported() {
    std::vector<Isa> found = {{"baseline", &table_baseline}};
#ifdef ADAGRAD_X86_LEVELS
    // The whole level that an object was compiled for, not one feature of it: -march=x86-64-v3 permits BMI2
    // and F16C beside AVX2.
    if (__builtin_cpu_supports("x86-64-v3") != 0) found.push_back({"v3", &table_v3});
    if (__builtin_cpu_supports("x86-64-v4") != 0) found.push_back({"v4", &table_v4});
#endif
    return found;
}

Isa choose() {
    const std::vector<Isa> found = supported();
    const char *const wanted = std::getenv("NUMPY_ADAGRAD_ISA");
    const Isa *best = nullptr;
    std::string names;
    for (const Isa &one : found) {
        names += (names.empty() ? "" : ", ") + std::string(one.name);
        if (wanted == nullptr || *wanted == '\0' || std::string(wanted) == one.name) best = &one;
    }
    if (best == nullptr)
        throw std::runtime_error("NUMPY_ADAGRAD_ISA: expected one of " + names + " on this machine, got '" + wanted +
                                 "'");
    return *best;
}

}  // namespace

const Isa &isa() {
    static const Isa chosen = choose();
    return chosen;
}

}  // namespace adagrad
