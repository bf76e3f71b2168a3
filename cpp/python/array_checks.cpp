#include "python/array_checks.hpp"

#include <atomic>
#include <cstring>

#include "python/items.hpp"

namespace adagrad::arrays {
namespace {

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }
std::string dtype_name(PyArrayObject *array) {
    return attribute_text(reinterpret_cast<PyObject *>(PyArray_DESCR(array)), "name");
}
std::string shape_text(PyArrayObject *array) { return attribute_text(reinterpret_cast<PyObject *>(array), "shape"); }

// A module that has been imported, or a null object.
py::object imported(const char *name) {
    py::object module = dict_item(PyImport_GetModuleDict(), interned(name));
    return module && !module.is_none() ? module : py::object();
}

// Whether an array is a MaskedArray, asked of its type: isinstance() would call its own __class__.
bool is_masked(const py::handle &array) {
    const py::object module = imported("numpy.ma");
    if (!module) return false;
    const py::object type = module.attr("MaskedArray");
    return PyType_Check(type.ptr()) && PyObject_TypeCheck(array.ptr(), reinterpret_cast<PyTypeObject *>(type.ptr()));
}

const char *numpy_name(Dtype dtype) {
    switch (dtype) {
    case Dtype::F16: return "float16";
    case Dtype::BF16: return "bfloat16";
    case Dtype::F32: return "float32";
    case Dtype::F64: return "float64";
    case Dtype::C64: return "complex64";
    case Dtype::C128: return "complex128";
    default: return "other";
    }
}

struct Combo {
    Dtype param, state, grad;
    DtypeCombo combo;
};
constexpr Combo COMBOS[] = {
    {Dtype::F32, Dtype::F32, Dtype::F32, F32},          {Dtype::F64, Dtype::F64, Dtype::F64, F64},
    {Dtype::F16, Dtype::F16, Dtype::F16, F16},          {Dtype::BF16, Dtype::BF16, Dtype::BF16, BF16},
    {Dtype::F16, Dtype::F32, Dtype::F16, F16_F32},      {Dtype::BF16, Dtype::F32, Dtype::BF16, BF16_F32},
    {Dtype::F32, Dtype::F32, Dtype::F16, F32_GRAD_F16}, {Dtype::F32, Dtype::F32, Dtype::BF16, F32_GRAD_BF16},
    {Dtype::C64, Dtype::C64, Dtype::C64, F32},          {Dtype::C128, Dtype::C128, Dtype::C128, F64},
};

// What repr() shows; a name need not be text.
std::string shown(const py::handle &name) {
    const auto text = py::reinterpret_steal<py::object>(PyObject_Repr(name.ptr()));
    if (!text) throw py::error_already_set();
    const auto bytes =
        py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
    if (!bytes) throw py::error_already_set();
    return bytes;
}

}  // namespace

std::string Label::text() const {
    if (index < 0) return role + part;
    std::string text = role + "[" + std::to_string(index) + "]";
    const auto name = static_cast<std::size_t>(index - first_name);
    if (name < names->size()) text += " (" + shown((*names)[name]) + ")";
    return text + part;
}

int bfloat16_number() {
    static std::atomic<int> number{-1};
    if (number < 0) {
        const py::object module = imported("ml_dtypes");
        if (!module) return -1;
        PyArray_Descr *descr = nullptr;
        if (PyArray_DescrConverter(module.attr("bfloat16").ptr(), &descr) == 0) throw py::error_already_set();
        number = descr->type_num;
        Py_DECREF(descr);
    }
    return number;
}

Dtype dtype_of(PyArrayObject *array) {
    const int number = PyArray_DESCR(array)->type_num;
    switch (number) {
    case NPY_FLOAT: return Dtype::F32;
    case NPY_DOUBLE: return Dtype::F64;
    case NPY_HALF: return Dtype::F16;
    case NPY_CFLOAT: return Dtype::C64;
    case NPY_CDOUBLE: return Dtype::C128;
    default: return number >= NPY_USERDEF && number == bfloat16_number() ? Dtype::BF16 : Dtype::OTHER;
    }
}

bool is_complex(Dtype dtype) { return dtype == Dtype::C64 || dtype == Dtype::C128; }

PyArrayObject *plain_array(py::handle object, const Label &label) {
    if (!PyArray_Check(object.ptr()))
        throw py::type_error(label.text() + ": expected a NumPy array, got " + type_name(object));
    auto *const array = reinterpret_cast<PyArrayObject *>(object.ptr());
    if (!PyArray_CheckExact(object.ptr()) && is_masked(object))
        throw py::type_error(label.text() +
                             ": expected an array without a mask, got MaskedArray; fill it with .filled(0)");
    return array;
}

PyArrayObject *checked_array(py::handle object, const Label &label, bool takes_complex) {
    PyArrayObject *const array = plain_array(object, label);
    if (dtype_of(array) == Dtype::OTHER)
        throw py::type_error(label.text() + ": expected a floating-point dtype up to float64" +
                             (takes_complex ? " or complex128" : "") + ", got " + dtype_name(array));
    check_memory(array, label);
    return array;
}

void check_memory(PyArrayObject *array, const Label &label) {
    if (!PyArray_ISNOTSWAPPED(array))
        throw py::value_error(label.text() + ": expected native byte order, got " +
                              attribute_text(reinterpret_cast<PyObject *>(PyArray_DESCR(array)), "str") +
                              "; convert it with .astype(np." + dtype_name(array) + ")");
    if (PyArray_SIZE(array) != 0 && !PyArray_ISALIGNED(array))
        throw py::value_error(label.text() + ": expected an array aligned to its elements, got a misaligned one");
}

void check_writeable(PyArrayObject *array, const Label &label) {
    if (!PyArray_ISWRITEABLE(array))
        throw py::value_error(label.text() + ": expected a writeable array, got a read-only one; copy it with .copy()");
}

void check_shape(PyArrayObject *array, PyArrayObject *like, const Label &label) {
    if (!PyArray_SAMESHAPE(array, like))
        throw py::value_error(label.text() + ": expected shape " + shape_text(like) + ", got " + shape_text(array));
}

void check_row_shape(PyArrayObject *array, PyArrayObject *like, const Label &label) {
    if (PyArray_NDIM(like) == 0 || PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != PyArray_DIM(like, 0))
        throw py::value_error(label.text() + ": expected one element for each row of " + shape_text(like) +
                              ", got shape " + shape_text(array));
}

DtypeCombo dtype_combo(PyArrayObject *param, PyArrayObject *state, const Label &label) {
    for (const Combo &one : COMBOS)
        if (one.param == dtype_of(param) && one.state == dtype_of(state)) return one.combo;
    throw py::type_error(label.text() + ": expected the dtype " + numpy_name(dtype_of(param)) +
                         " of its parameter, got " + dtype_name(state));
}

DtypeCombo dtype_combo(PyArrayObject *param, PyArrayObject *state, PyArrayObject *grad, const Label &label) {
    for (const Combo &one : COMBOS)
        if (one.param == dtype_of(param) && one.state == dtype_of(state) && one.grad == dtype_of(grad))
            return one.combo;
    const std::string wanted = numpy_name(dtype_of(param));
    const std::string expected = label.text() + ": expected " + wanted + ", got " + dtype_name(grad);
    if (is_complex(dtype_of(grad)) && !is_complex(dtype_of(param)))
        throw py::type_error(expected + ", whose imaginary part has no parameter; take its real part");
    const std::string library = !label.library.empty() ? std::string(label.library)
                                : wanted == "bfloat16" ? "ml_dtypes"
                                                       : "np";
    const std::string cast = !label.library.empty() ? ".to(" : label.is_foreign ? "np.asarray(grad, " : ".astype(";
    throw py::type_error(expected + "; cast it with " + cast + library + "." + wanted + ")");
}

StridedView view_of(PyArrayObject *array, bool reversed) {
    const bool pairs = is_complex(dtype_of(array));
    const npy_intp itemsize = PyArray_ITEMSIZE(array) / (pairs ? 2 : 1);
    auto *const data = static_cast<char *>(PyArray_DATA(array));
    if (reversed ? PyArray_IS_F_CONTIGUOUS(array) : PyArray_IS_C_CONTIGUOUS(array)) return {data, itemsize, {}};
    std::vector<Axis> axes;
    const int ndim = PyArray_NDIM(array);
    for (int i = 0; i < ndim; ++i) {
        const int axis = reversed ? ndim - 1 - i : i;
        axes.push_back({PyArray_DIM(array, axis), PyArray_STRIDE(array, axis)});
    }
    if (pairs) axes.push_back({2, itemsize});
    return StridedView::over(data, itemsize, axes);
}

py::object mapping_of(const py::object &array) {
    if (!PyArray_Check(array.ptr())) return py::none();
    PyObject *base = PyArray_BASE(array_of(array));
    static std::atomic<PyObject *> mmap_type{nullptr};
    if (mmap_type == nullptr) mmap_type = py::object(py::module_::import("mmap").attr("mmap")).release().ptr();
    py::object owner;  // keeps the result of an attribute alive
    while (base != nullptr) {
        if (PyObject_TypeCheck(base, reinterpret_cast<PyTypeObject *>(mmap_type.load())))
            return py::reinterpret_borrow<py::object>(base);
        if (PyArray_Check(base)) {
            base = PyArray_BASE(reinterpret_cast<PyArrayObject *>(base));
        } else if (PyMemoryView_Check(base)) {
            base = PyMemoryView_GET_BUFFER(base)->obj;
        } else if (std::strcmp(Py_TYPE(base)->tp_name, "DummyArray") == 0) {  // made by as_strided
            owner = py::handle(base).attr("base");
            base = owner.ptr();
        } else {
            break;
        }
    }
    return py::none();
}

Snapshot::Snapshot(PyArrayObject *array)
    : data_(PyArray_DATA(array)),
      descr_(py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject *>(PyArray_DESCR(array)))),
      flags_(PyArray_FLAGS(array)), ndim_(PyArray_NDIM(array)) {
    layout_.assign(PyArray_DIMS(array), PyArray_DIMS(array) + PyArray_NDIM(array));
    layout_.insert(layout_.end(), PyArray_STRIDES(array), PyArray_STRIDES(array) + PyArray_NDIM(array));
}

}  // namespace adagrad::arrays
