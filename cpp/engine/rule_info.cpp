#include "engine/rule_info.hpp"

#include <stdexcept>

#include "rules/catalogue.hpp"

namespace adagrad {
namespace {

// A rule's `options` asks one of these for each option: for its name, or for its value.
struct NameReader {
    std::vector<OptionInfo> options;
    double number(const char *name) { return options.push_back({name, false}), 0; }
    bool flag(const char *name) { return options.push_back({name, true}), false; }
};
struct ValueReader {
    const double *next;
    double number(const char *) { return *next++; }
    bool flag(const char *) { return *next++ != 0; }
};

template <class Rule> RuleInfo describe(int index) {
    using Options = typename Rule::Options;
    NameReader names;
    Rule::options(names);
    return {
        .name = Rule::name,
        .index = index,
        .counter = Rule::counter,
        .takes_complex = Rule::takes_complex,
        .has_row_accumulator = HasRowAccumulator<typename Rule::template Kernel<float>, float>,
        .options = names.options,
        .pack_options =
            [](const double *values) {
                ValueReader reader{values};
                return pack(Rule::options(reader));
            },
        .scalars = [](const Packed &o, const Context &now) { return pack(Rule::scalars(unpack<Options>(o), now)); },
        .preprocesses = [](const Packed &o) { return Rule::preprocesses(unpack<Options>(o)); },
        .takes_row_mean = [](const Packed &o) { return Rule::takes_row_mean(unpack<Options>(o)); },
        .sparse_error = [](const Packed &o) { return Rule::sparse_error(unpack<Options>(o)); },
        .row_length = Rule::row_length,
    };
}

template <class... Rules> std::vector<RuleInfo> describe_all(List<Rules...>) {
    int index = 0;
    return {describe<Rules>(index++)...};
}

}  // namespace

const std::vector<RuleInfo> &all_rules() {
    static const auto &rules = *new std::vector<RuleInfo>(describe_all(Catalogue{}));  // daemon threads outlive it
    return rules;
}

const RuleInfo &find_rule(const std::string &name) {
    std::string names;
    for (const RuleInfo &rule : all_rules()) {
        if (name == rule.name) return rule;
        names += (names.empty() ? "'" : ", '") + std::string(rule.name) + "'";
    }
    throw std::invalid_argument("rule: expected one of " + names + ", got '" + name + "'");
}

}  // namespace adagrad
