// Several threads train at once, each with its own executor and with team sizes that change from step to step: the bits
// are those of one thread.
//
// steps [STEPS] [CALLERS]
#include "training.hpp"

namespace {

adagrad::StepOptions options_of(long step) {
    adagrad::StepOptions options;
    if (step % 2 == 1) options.max_norm = 0.5;
    if (step % 3 == 1) options.grad_scale = 4;
    options.skip_nonfinite = step % 5 == 1;
    options.only_norm = step % 7 == 6;
    options.only_check = step % 11 == 10;
    return options;
}

std::string train(const adagrad::RuleInfo &rule, std::uint64_t seed, long steps, std::uint64_t max_team) {
    Training training(rule, seed);
    Random team(seed);
    for (long step = 0; step < steps; ++step) {
        omp_set_num_threads(static_cast<int>(1 + team.below(max_team)));
        const adagrad::StepOptions options = options_of(step);
        const bool is_whole = !options.only_norm && !options.only_check;
        expect(training.step(options) == is_whole, "a step is taken unless only the norm or the checks are wanted");
    }
    return training.bits();
}

}  // namespace

int main(int count, char **arguments) {
    const long steps = argument(count, arguments, 1, 200);
    const int callers = static_cast<int>(argument(count, arguments, 2, 4));
    for (const adagrad::RuleInfo &rule : adagrad::all_rules()) {
        std::vector<std::string> expected, found(static_cast<std::size_t>(callers));
        for (std::size_t caller = 0; caller < found.size(); ++caller) expected.push_back(train(rule, caller, steps, 1));
        run_callers(callers, [&](int caller) {
            const auto seed = static_cast<std::size_t>(caller);
            found[seed] = train(rule, seed, steps, 5);
        });
        expect(found == expected, "the bits of one thread");
        std::printf("%s: %ld steps by each of %d threads\n", rule.name, steps, callers);
    }
}
