// The part of DLPack that reads tensors: its structs as version 1 of the specification lays them out in memory
// (https://dmlc.github.io/dlpack/latest/c_api.html), and the table of functions that a tensor type offers.
#pragma once
#include <cstdint>

namespace adagrad::dlpack {

constexpr std::uint32_t MAJOR_VERSION = 1;
constexpr std::int32_t CPU = 1;
constexpr std::uint8_t INT = 0, FLOAT = 2, BFLOAT = 4, COMPLEX = 5;  // codes of DataType

struct Device {
    std::int32_t type, index;
};

struct DataType {
    std::uint8_t code, bits;
    std::uint16_t lanes;
    bool operator==(const DataType &) const = default;
};

struct Tensor {
    void *data;
    Device device;
    std::int32_t ndim;
    DataType dtype;
    std::int64_t *shape, *strides;  // in elements; they belong to the tensor
    std::uint64_t byte_offset;
};

struct ExchangeApi {
    std::uint32_t major_version, minor_version;
    ExchangeApi *older;
    void (*allocate)();
    void (*export_owned)();
    void (*import_owned)();
    int (*read)(void *object, Tensor *out);  // returns 0, or sets an exception; `out` owns nothing
    void (*work_stream)();
};

}  // namespace adagrad::dlpack
