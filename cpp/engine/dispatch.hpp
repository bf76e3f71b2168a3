// Which build of the kernels runs: the best one that this processor supports, chosen once.
#pragma once
#include "kernels/kernels.hpp"

namespace adagrad {

struct Isa {
    const char *name;
    const KernelTable *table;
};

// Reads NUMPY_ADAGRAD_ISA and probes the processor. Throws std::runtime_error when the variable names an
// instruction set that is unknown or that this processor lacks. The first call decides for the process.
const Isa &isa();

}  // namespace adagrad
