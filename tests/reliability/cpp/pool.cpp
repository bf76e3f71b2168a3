// Several threads share work at once, with team sizes that change from call to call: each piece is done exactly once.
//
// pool [CALLS] [CALLERS]
#include <atomic>

#include "driver.hpp"
#include "engine/parallel.hpp"

namespace {

constexpr std::ptrdiff_t PIECES = 300;
constexpr int MAX_TEAM = 7;

// The counts are not atomic: a sanitizer sees where two threads get one piece.
void share(Random &random, std::vector<int> &counts, std::atomic<long> &in_teams) {
    omp_set_num_threads(static_cast<int>(1 + random.below(MAX_TEAM)));
    const std::ptrdiff_t work = static_cast<std::ptrdiff_t>(1 + random.below(PIECES));
    // Enough to wake all workers, for those that are awake, or for the caller alone.
    const std::ptrdiff_t sizes[] = {adagrad::WAKE_THRESHOLD, 4 * adagrad::GRAIN_SIZE, adagrad::GRAIN_SIZE};
    const std::ptrdiff_t elements = sizes[random.below(3)];
    const int threads = adagrad::threads_for(elements);
    std::atomic<bool> by_worker{false};
    counts.assign(PIECES, 0);
    adagrad::parallel_for(work, elements, [&](int thread, std::ptrdiff_t begin, std::ptrdiff_t end) {
        expect(0 <= thread && thread < threads, "a thread of the team");
        if (thread > 0) by_worker = true;
        for (; begin < end; ++begin) ++counts[static_cast<std::size_t>(begin)];
        std::this_thread::yield();  // so that others come in time to take part
    });
    for (std::ptrdiff_t piece = 0; piece < PIECES; ++piece)
        expect(counts[static_cast<std::size_t>(piece)] == (piece < work), "each piece once");
    if (by_worker) ++in_teams;
}

}  // namespace

int main(int count, char **arguments) {
    const long calls = argument(count, arguments, 1, 100'000);
    const int callers = static_cast<int>(argument(count, arguments, 2, 4));
    std::atomic<long> left{calls}, in_teams{0};
    run_callers(callers, [&](int caller) {
        Random random(static_cast<std::uint64_t>(caller));
        std::vector<int> counts;
        while (left-- > 0) share(random, counts, in_teams);
    });
    expect(in_teams > 0, "workers that take part");
    std::printf("%ld calls by %d threads, workers took part in %ld\n", calls, callers, in_teams.load());
}
