// Write several results at once.
#pragma once
#include <pybind11/pybind11.h>

#include <vector>

namespace adagrad {

namespace py = pybind11;

// Takes (target, value) pairs: an array is filled with an array of its shape and dtype, a dict is updated with a dict,
// a list is extended by a list. The values written are those from before the first write, also where they lie in the
// memory of a target.
class Commit {
  public:
    // Checks all pairs, and copies each value that may share memory with a target.
    explicit Commit(const py::list &pairs);

    // Writes all pairs. No bytecode runs between two writes, so that neither Ctrl-C nor a destructor can fall between
    // them. Where a dict or a list cannot grow for lack of memory, the dicts and lists are as before.
    void write() const;

  private:
    void copy_values_in_targets();
    void take_back(std::size_t written) const;

    std::vector<py::tuple> pairs_;
    std::vector<py::object> replaced_;  // in dicts; released when all is written, as a destructor may run any code
};

}  // namespace adagrad
