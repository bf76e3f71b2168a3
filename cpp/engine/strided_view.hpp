// An array as the engine sees it: an address, and strides only where the elements do not follow one another.
#pragma once
#include <cstddef>
#include <vector>

namespace adagrad {

struct Axis {
    std::ptrdiff_t extent;
    std::ptrdiff_t stride;  // in bytes
};

struct StridedView {
    char *data = nullptr;
    std::ptrdiff_t itemsize = 0;
    std::vector<Axis> axes;  // outermost first; none for a contiguous array

    // Simplifies the axes of a NumPy array: drops those of extent 1, and joins neighbours that one stride can walk.
    static StridedView over(char *data, std::ptrdiff_t itemsize, const std::vector<Axis> &axes);

    bool contiguous() const { return axes.empty(); }

    // Copies elements [begin, begin + count), in the order of the axes, to or from a buffer.
    void gather(std::ptrdiff_t begin, std::ptrdiff_t count, void *buffer) const;
    void scatter(std::ptrdiff_t begin, std::ptrdiff_t count, const void *buffer) const;
};

}  // namespace adagrad
