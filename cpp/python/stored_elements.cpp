#include "python/stored_elements.hpp"

#include <algorithm>
#include <cstdint>

#include "engine/parallel.hpp"
#include "python/array_checks.hpp"
#include "python/without_gil.hpp"

namespace adagrad {

using arrays::array_of;

namespace {

// Calls with a pointer to the elements; returns the result, or false if this is not a contiguous array of `count`
// integers, or may lie in a file that has been cut short.
template <class Call> bool with_integers(const py::handle &object, py::ssize_t count, Call call) {
    if (!PyArray_CheckExact(object.ptr())) return false;
    PyArrayObject *const array = array_of(object);
    if (PyArray_NDIM(array) != 1 || PyArray_SIZE(array) != count || !PyArray_ISCARRAY_RO(array)) return false;
    if (!PyArray_ISSIGNED(array)) return false;
    if (PyArray_BASE(array) != nullptr && !arrays::mapping_of(py::reinterpret_borrow<py::object>(object)).is_none())
        return false;
    bool fits = false;
    const auto run = [&](const auto *values) {
        if (count < GRAIN_SIZE) {
            fits = call(values);
        } else {
            without_gil([&] { fits = call(values); });
        }
    };
    if (PyArray_ITEMSIZE(array) == 4) run(static_cast<const std::int32_t *>(PyArray_DATA(array)));
    if (PyArray_ITEMSIZE(array) == 8) run(static_cast<const std::int64_t *>(PyArray_DATA(array)));
    return fits;
}

// Writes the number of a line to the element at which it begins, and 0 to the others; of lines that begin at one
// element, all but the last are empty. Line k has the elements from starts[k] up to starts[k + 1]. Returns false if
// these are not lines of `count` elements. Another thread may change the starts.
template <class Integer>
bool mark_lines(const Integer *starts, std::int64_t lines, std::int64_t count, std::int64_t *elements) {
    std::fill_n(elements, count, 0);
    bool ascends = true;
    for (std::int64_t line = 0; line < lines; ++line) {
        const std::int64_t start = starts[line];
        ascends &= start <= starts[line + 1];
        if (start >= 0 && start < count) elements[start] = line;
    }
    return ascends && starts[0] == 0 && starts[lines] == count;
}

py::object new_elements(py::ssize_t count) {
    const npy_intp size = count;
    auto made = py::reinterpret_steal<py::object>(PyArray_SimpleNew(1, &size, NPY_INT64));
    if (!made) throw py::error_already_set();
    return made;
}

std::int64_t *elements_of(const py::object &made) { return static_cast<std::int64_t *>(PyArray_DATA(array_of(made))); }

}  // namespace

py::object coordinate_elements(const py::tuple &shape, const py::tuple &coords, py::ssize_t count) {
    if (count < 0 || shape.size() != coords.size() || shape.empty()) return py::none();
    py::object made = new_elements(count);
    std::int64_t *const elements = elements_of(made);
    std::fill_n(elements, count, 0);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const auto size = shape[axis].cast<std::int64_t>();
        const bool fits = with_integers(coords[axis], count, [=](const auto *places) {
            bool inside = true;
            for (py::ssize_t k = 0; k < count; ++k) {
                const std::int64_t place = places[k];
                if (place < 0 || place >= size) inside = false;
                if (inside) elements[k] = elements[k] * size + place;
            }
            return inside;
        });
        if (!fits) return py::none();
    }
    return made;
}

py::object compressed_elements(const py::object &indptr, const py::object &indices, std::int64_t lines,
                               std::int64_t size, py::ssize_t count, bool by_column) {
    if (count < 0 || lines < 0) return py::none();
    py::object made = new_elements(count);
    std::int64_t *const elements = elements_of(made);
    const auto mark = [=](const auto *starts) { return mark_lines(starts, lines, count, elements); };
    if (!with_integers(indptr, lines + 1, mark)) return py::none();
    const std::int64_t line_step = by_column ? 1 : size, step = by_column ? lines : 1;
    const bool fits = with_integers(indices, count, [=](const auto *places) {
        std::int64_t line = 0;
        for (py::ssize_t k = 0; k < count; ++k) {
            const std::int64_t place = places[k];
            if (place < 0 || place >= size) return false;
            line = std::max(line, elements[k]);
            elements[k] = line * line_step + place * step;
        }
        return true;
    });
    return fits ? made : py::none();
}

}  // namespace adagrad
