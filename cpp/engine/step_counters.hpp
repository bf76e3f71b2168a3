// How many steps the parameters have taken, in memory that belongs to Python.
#pragma once
#include <cstdint>
#include <vector>

#include "rules/counter.hpp"

namespace adagrad {

struct StepCounters {
    Counter kind = Counter::NONE;
    std::vector<void *> data;  // one for each parameter, or one for all

    bool per_parameter() const { return kind == Counter::PER_PARAMETER_FLOAT32; }

    double steps(std::size_t param) const {
        switch (kind) {
        case Counter::PER_PARAMETER_FLOAT32: return *static_cast<const float *>(data[param]);
        case Counter::SHARED_INT32: return *static_cast<const std::int32_t *>(data[0]);
        case Counter::SHARED_INT64: return static_cast<double>(*static_cast<const std::int64_t *>(data[0]));
        case Counter::NONE: break;
        }
        return 0;
    }

    // Whether the counter can count one step more. A float32 counter stops at 2^24.
    bool has_room() const {
        switch (kind) {
        case Counter::SHARED_INT32: return *static_cast<const std::int32_t *>(data[0]) < INT32_MAX;
        case Counter::SHARED_INT64: return *static_cast<const std::int64_t *>(data[0]) < INT64_MAX;
        default: return true;
        }
    }

    // Counts a step of the given parameters. A shared counter counts every step.
    void advance(const std::vector<std::size_t> &params) {
        switch (kind) {
        case Counter::PER_PARAMETER_FLOAT32:
            for (const std::size_t param : params) *static_cast<float *>(data[param]) += 1;
            break;
        case Counter::SHARED_INT32: *static_cast<std::int32_t *>(data[0]) += 1; break;
        case Counter::SHARED_INT64: *static_cast<std::int64_t *>(data[0]) += 1; break;
        case Counter::NONE: break;
        }
    }
};

}  // namespace adagrad
