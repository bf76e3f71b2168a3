#include "engine/sparse_update.hpp"

#include <algorithm>
#include <cstring>

#include "engine/prefetch.hpp"

namespace adagrad {
namespace {

// With at most this many threads, one of them adds all equal rows, unless these are long: it reads the values in order,
// so that the processor fetches them, which it does not if each thread reads some. More threads are faster if they sort
// narrow rows.
constexpr int MAX_MERGING_THREADS = 2;
// Rows ahead of the one in use that are fetched, and how many lines of long ones.
constexpr std::ptrdiff_t ROWS_AHEAD = 8, FIRST_LINES = 2;

void prefetch_row(const char *begin, std::ptrdiff_t row_bytes) {
    const char *const end =
        begin + (row_bytes <= MAX_FETCHED_LINES * CACHE_LINE ? row_bytes : FIRST_LINES * CACHE_LINE);
    for (const char *line = begin; line < end; line += CACHE_LINE) prefetch(line);
}

void prefetch_row(const StridedView &view, std::ptrdiff_t row, std::ptrdiff_t width) {
    const std::ptrdiff_t row_bytes = width * view.itemsize;
    if (view.contiguous()) prefetch_row(view.data + row * row_bytes, row_bytes);
}

// Fetches the rows of entries a little before they are used, each once: they lie anywhere, so that the processor cannot
// predict the next one.
class Prefetcher {
  public:
    Prefetcher(const SparseUpdate &update, const IndexedRow *first)
        : update_(update), state_width_(update.kernels->accumulate != nullptr ? 1 : update.width), next_(first) {}

    // `first` is used next. The values of a long run of equal rows are fetched by the kernel that adds them.
    void before(const IndexedRow *first) {
        const IndexedRow *const stop = first + std::min(update_.groups.end() - first, ROWS_AHEAD);
        for (next_ = std::max(next_, first); next_ < stop; ++next_) {
            if (next_->source >= 0)
                prefetch_row(update_.values, next_->source, update_.width);
            else
                prefetch_row(update_.frequent.sum(next_->source), update_.width * update_.values.itemsize);
            if (next_ != first && next_->row == next_[-1].row) continue;
            prefetch_row(update_.param, next_->row, update_.width);
            prefetch_row(update_.state, next_->row, state_width_);
        }
    }

  private:
    const SparseUpdate &update_;
    std::ptrdiff_t state_width_;
    const IndexedRow *next_;
};

// The first of the entries [begin, end) that begins a row; `end` if none does. A long run goes through many such parts.
const IndexedRow *row_start(const RowGroups &groups, std::ptrdiff_t begin, std::ptrdiff_t end) {
    const IndexedRow *entry = groups.begin() + begin, *const stop = groups.begin() + end;
    while (entry != groups.begin() && entry != stop && entry->row == entry[-1].row) ++entry;
    return entry;
}

// Calls body(offset, count) for each block of a row.
template <class Body> void for_each_block(const SparseUpdate &update, Body body) {
    for (std::ptrdiff_t offset = 0; offset < update.width; offset += SUM_BLOCK)
        body(offset, std::min<std::ptrdiff_t>(SUM_BLOCK, update.width - offset));
}

// Adds a block of rows to `sum`, in the order given.
void add_rows(const SparseUpdate &update, char *sum, const IndexedRow *first, const IndexedRow *last,
              std::ptrdiff_t offset, std::ptrdiff_t count, const KernelArgs &args, Scratch *scratch) {
    const StridedView &values = update.values;
    if (values.contiguous()) {
        const char *const columns = values.data + offset * values.itemsize;
        return update.kernels->add_rows(sum, 0, columns, update.width, first, last, count, args);
    }
    constexpr IndexedRow FIRST = {0, 0};
    for (; first != last; ++first) {
        const BlockBuffer next(values, first->source * update.width + offset, count, scratch, &Scratch::grad);
        update.kernels->add_rows(sum, 0, next.data(), count, &FIRST, &FIRST + 1, count, args);
    }
}

// Calls body(grad) with the sum of a block of equal rows, added in the order given.
template <class Body>
void with_grad(const SparseUpdate &update, const IndexedRow *first, const IndexedRow *last, std::ptrdiff_t offset,
               std::ptrdiff_t count, const KernelArgs &args, Scratch *scratch, Body body) {
    if (first->source < 0) return body(update.frequent.sum(first->source) + offset * update.values.itemsize);
    const BlockBuffer one(update.values, first->source * update.width + offset, count, scratch, &Scratch::grad);
    if (last - first == 1) return body(one.data());
    char *const sum = scratch->sum.bytes;
    std::memcpy(sum, one.data(), static_cast<std::size_t>(count * update.values.itemsize));
    add_rows(update, sum, first + 1, last, offset, count, args, scratch);
    body(sum);
}

// The mean of the rule's row_term over a row.
double row_mean(const SparseUpdate &update, const IndexedRow *first, const IndexedRow *last, const KernelArgs &args,
                Scratch *scratch) {
    double sum = 0;
    for_each_block(update, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
        const BlockBuffer params(update.param, first->row * update.width + offset, count, scratch, &Scratch::param);
        with_grad(update, first, last, offset, count, args, scratch,
                  [&](const void *grad) { sum += update.kernels->row_sum(params.data(), grad, count, args); });
    });
    return sum / static_cast<double>(update.width);
}

}  // namespace

// Ascending rows lie in the order given. The sums of rows that are not narrow begin on cache lines, as two threads may
// write to neighbours.
void SparseUpdate::reserve(int threads) {
    frequent.clear();
    const bool is_narrow = width <= MAX_NARROW, few_threads = threads <= MAX_MERGING_THREADS;
    may_avoid_sort_ = width > 0 && (!is_narrow || few_threads) && values.contiguous() && !groups.is_ascending();
    if (!may_avoid_sort_) return;
    const std::ptrdiff_t row_bytes = width * values.itemsize, lines = (row_bytes + CACHE_LINE - 1) / CACHE_LINE;
    groups.reserve_separate(row_bytes);
    frequent.reserve(groups, is_narrow ? row_bytes : lines * CACHE_LINE,
                     few_threads && lines <= MAX_FETCHED_LINES ? 1 : threads);
}

void SparseUpdate::order(bool sorts, bool adds, const KernelArgs &args) noexcept {
    if (!may_avoid_sort_) return groups.sort();
    if (frequent.merge_all(groups, sorts, adds, adder(args))) return;
    if (sorts || !groups.separate()) groups.sort();
    if (width > MAX_NARROW) frequent.find(groups);
}

void SparseUpdate::sum_squares(std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args, Scratch *scratch) {
    const Reduce reduce = square_sum_for(*kernels, args);
    const IndexedRow *const start = row_start(groups, begin, end), *const stop = groups.begin() + end;
    groups.for_each_row(start, stop, [&](const IndexedRow *first, const IndexedRow *last) {
        double &sum = square_sums[static_cast<std::size_t>(first - groups.begin())];
        for_each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
            with_grad(*this, first, last, offset, count, args, scratch,
                      [&](const void *grad) { sum += reduce(nullptr, grad, count, args); });
        });
    });
}

void SparseUpdate::update(std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args, bool takes_mean,
                          bool preprocesses, Scratch *scratch) const {
    const IndexedRow *const start = row_start(groups, begin, end), *const stop = groups.begin() + end;
    const Update update = kernels->update[variant_for(args, preprocesses)];
    if (width <= MAX_NARROW && !takes_mean && kernels->accumulate == nullptr && param.contiguous() &&
        state.contiguous() && values.contiguous())
        return update_narrow(start, stop, update, args, scratch);
    KernelArgs row_args = args;
    Prefetcher prefetcher(*this, start);
    groups.for_each_row(start, stop, [&](const IndexedRow *first, const IndexedRow *last) {
        prefetcher.before(first);
        update_row(first, last, update, row_args, takes_mean, scratch);
    });
}

void SparseUpdate::update_row(const IndexedRow *first, const IndexedRow *last, Update update, KernelArgs &args,
                              bool takes_mean, Scratch *scratch) const {
    const bool row_accumulator = kernels->accumulate != nullptr;
    if (takes_mean) args.row_mean = row_mean(*this, first, last, args, scratch);
    if (row_accumulator) {
        const BlockBuffer accumulator(state, first->row, 1, scratch, &Scratch::state);
        kernels->accumulate(accumulator.data(), args);
        accumulator.write_back();
    }
    for_each_block(*this, [&](std::ptrdiff_t offset, std::ptrdiff_t count) {
        const std::ptrdiff_t begin = first->row * width + offset;
        const BlockBuffer params(param, begin, count, scratch, &Scratch::param);
        const BlockBuffer states(state, row_accumulator ? first->row : begin, row_accumulator ? 1 : count, scratch,
                                 &Scratch::state);
        with_grad(*this, first, last, offset, count, args, scratch,
                  [&](const void *grad) { update(params.data(), states.data(), grad, count, args); });
        params.write_back();
        if (!row_accumulator) states.write_back();
    });
}

}  // namespace adagrad
