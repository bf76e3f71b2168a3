// Overlap in memory. A step writes parameters and accumulators in any order and on any thread, so they must be
// disjoint, and no gradient may overlap them.
#pragma once
#include <utility>
#include <vector>

#include "python/array_checks.hpp"

namespace adagrad::arrays {

using LabelledArray = std::pair<PyArrayObject *, Label>;

// The memory that a step writes.
class MemoryOverlap {
  public:
    // Throws ValueError for an array that overlaps itself or an array before it.
    void add_outputs(const std::vector<LabelledArray> &arrays);
    // Throws ValueError for an array that overlaps an output.
    void check_disjoint(PyArrayObject *input, const Label &label) const;

  private:
    struct Output {
        const char *low, *high, *reach;  // reach: the highest end among the outputs up to this one
        PyArrayObject *array;
        Label label;
        std::size_t position;  // in the order given
    };
    std::vector<Output> outputs_;     // by their low ends
    std::vector<const char *> lows_;  // their low ends alone, close together for a search
};

}  // namespace adagrad::arrays
