// Where the elements of an array lie in memory.
#pragma once
#include "python/array_checks.hpp"

namespace adagrad::arrays {

// Throws ValueError for an array, not empty, whose strides do not nest: its elements may overlap.
void check_strides(PyArrayObject *array, const Label &label);

// Where an array lies: in [low, high), and there only in blocks of `block` bytes that repeat with a period, the
// first of them at `low`. A dense array is one block, with period 0.
struct Extent {
    const char *low, *high;
    npy_intp period = 0, block = 0;
};

// The extent of an array as if it had no gaps.
Extent bounds_of(PyArrayObject *array);

// Sets the period and the block of the array's extent.
void find_blocks(PyArrayObject *array, Extent &extent);

// An address modulo a period; 0 for no period.
npy_intp residue_of(const char *address, npy_intp period);

// Whether no block of one can meet a block of the other: they lie apart modulo the common period.
bool are_apart(const Extent &one, const Extent &other);

}  // namespace adagrad::arrays
