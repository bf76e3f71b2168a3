// The rules as the host sees them: the facts and functions of each behind one plain struct, so that no other file of
// engine/ or python/ names a rule.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "rules/counter.hpp"

namespace adagrad {

struct OptionInfo {
    const char *name;
    bool is_flag;
};

struct RuleInfo {
    const char *name;
    int index;  // in the kernel tables
    Counter counter;
    bool takes_complex, has_row_accumulator;
    std::vector<OptionInfo> options;

    Packed (*pack_options)(const double *values);  // in the order of `options`
    Packed (*scalars)(const Packed &options, const Context &now);
    bool (*preprocesses)(const Packed &options);
    bool (*takes_row_mean)(const Packed &options);
    const char *(*sparse_error)(const Packed &options);
    std::ptrdiff_t (*row_length)(int ndim, const std::ptrdiff_t *shape);
};

const std::vector<RuleInfo> &all_rules();

// Throws std::invalid_argument for a name that is not in the catalogue.
const RuleInfo &find_rule(const std::string &name);

}  // namespace adagrad
