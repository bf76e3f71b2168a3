// Overlap in memory. A step writes parameters and accumulators in any order and on any thread, so they must be
// disjoint, and no gradient may overlap them.
#pragma once
#include <utility>
#include <vector>

#include "python/array_checks.hpp"

namespace adagrad::arrays {

using LabelledArray = std::pair<PyArrayObject *, Label>;

// Throws ValueError for an array that overlaps itself.
void check_strides(PyArrayObject *array, const Label &label);

// The addresses between which all elements of an array lie.
struct Bounds {
    const char *low, *high;
};
Bounds bounds_of(PyArrayObject *array);

// The memory that a step writes.
class MemoryOverlap {
  public:
    // Throws ValueError, with nothing added, for an array that overlaps itself or an array before it.
    void add_outputs(const std::vector<LabelledArray> &arrays);
    // Throws ValueError for an array that overlaps an output.
    void check_disjoint(PyArrayObject *input, const Label &label) const;

  private:
    struct Interval {
        const char *low, *reach;  // reach: the highest end among the intervals up to this one
        std::size_t output;
    };

    const LabelledArray *find_overlap(PyArrayObject *array, std::size_t outputs) const;
    void sort();
    void insert(std::size_t output);

    std::vector<LabelledArray> outputs_;  // in the order given
    std::vector<Bounds> bounds_;          // of each output
    std::vector<Interval> intervals_;     // by their low ends
    std::vector<const char *> lows_;      // the low ends alone, close together for a search
};

}  // namespace adagrad::arrays
