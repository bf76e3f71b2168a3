// Overlap in memory. A step writes parameters and accumulators in any order and on any thread, so they must be
// disjoint, and no gradient may overlap them.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "python/array_checks.hpp"
#include "python/extent.hpp"

namespace adagrad::arrays {

using LabelledArray = std::pair<PyArrayObject *, Label>;

// Outputs by their extents, for a search.
class Intervals {
  public:
    struct Interval {
        const char *low, *high, *reach;  // reach: the highest end among the intervals up to this one
        std::size_t output;
    };

    void add(const std::vector<Interval> &intervals);
    bool any_meets(const Extent &extent) const;
    // Calls visit(output) for each output whose extent meets this one.
    template <class Visit> void for_each_meeting(const Extent &extent, Visit visit) const;

  private:
    void insert(const Interval &interval);

    std::vector<Interval> intervals_;  // by their low ends
    std::vector<const char *> lows_;   // the low ends alone, close together for a search
};

// The memory that a step writes.
class MemoryOverlap {
  public:
    // Throws ValueError for an array whose strides do not nest, or that overlaps an array before it. After an error,
    // nothing is added.
    void add_outputs(const std::vector<LabelledArray> &arrays);
    // Keeps the first `count` outputs.
    void resize(std::size_t count);
    std::size_t size() const { return outputs_.size(); }
    // Whether the extent, as if it had no gaps, meets no output.
    bool is_clear(const Extent &extent);
    // Throws ValueError for an array that overlaps an output. Returns whether it had to ask NumPy, whose code may run
    // any other.
    bool check_disjoint(PyArrayObject *input, const Label &label);

  private:
    // The outputs with one period. Columns of one table have the same period, and all their extents meet: among them,
    // only those with blocks at the same places need a closer look.
    struct Lattice {
        Intervals all;
        std::map<npy_intp, Intervals> by_residue;  // of the address divided by the period
        npy_intp widest = 0;                       // block
    };

    const LabelledArray *find_overlap(PyArrayObject *array, std::size_t outputs, bool &asks_numpy) const;
    void index(std::size_t first);
    void restore_index();

    std::vector<LabelledArray> outputs_;    // in the order given
    std::vector<Extent> extents_;           // of each output
    std::map<npy_intp, Lattice> lattices_;  // by their periods; none after resize()
};

}  // namespace adagrad::arrays
