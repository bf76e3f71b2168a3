#include "engine/sparse_update.hpp"

#include <algorithm>
#include <cstring>

namespace adagrad {
namespace {

constexpr std::ptrdiff_t CACHE_LINE = 64;
// Rows of a table lie anywhere, so that the processor cannot predict the next one.
constexpr std::ptrdiff_t PREFETCH_DISTANCE = 16, MAX_PREFETCH_LINES = 16;
// Rows of at most MAX_NARROW elements are collected and updated in one call, until there are BATCH elements.
constexpr std::ptrdiff_t MAX_NARROW = 16, BATCH = 512;

void prefetch_row(const StridedView &view, std::ptrdiff_t row, std::ptrdiff_t width) {
    if (!view.contiguous()) return;
    const char *const begin = view.data + row * width * view.itemsize;
    const char *const end = begin + std::min(width * view.itemsize, MAX_PREFETCH_LINES * CACHE_LINE);
    for (const char *line = begin; line < end; line += CACHE_LINE) __builtin_prefetch(line);
}

// Fetches the rows of entries a little before they are used, each once.
class Prefetcher {
  public:
    Prefetcher(const SparseUpdate &update, const IndexedRow *first)
        : update_(update), state_width_(update.kernels->accumulate != nullptr ? 1 : update.width), next_(first) {}

    // `first` is used next. The values of a long run of equal rows are fetched by the kernel that adds them.
    void before(const IndexedRow *first) {
        const IndexedRow *const stop = first + std::min(update_.groups.end() - first, PREFETCH_DISTANCE);
        for (next_ = std::max(next_, first); next_ < stop; ++next_) {
            if (next_->source >= 0) prefetch_row(update_.values, next_->source, update_.width);
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

// The first entry from `begin` on that begins a row.
const IndexedRow *row_start(const RowGroups &groups, std::ptrdiff_t begin) {
    const IndexedRow *entry = groups.begin() + begin;
    while (entry != groups.begin() && entry != groups.end() && entry->row == entry[-1].row) ++entry;
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

// The rows that a batch has collected, one after another, from or to an array. Copies of a fixed number of bytes are
// one instruction each; 0 stands for any number.
template <std::size_t BYTES> class RowCopier {
  public:
    RowCopier(const StridedView &view, std::ptrdiff_t width, char *rows)
        : data_(view.data), bytes_(BYTES != 0 ? BYTES : static_cast<std::size_t>(width * view.itemsize)), rows_(rows) {}
    void load(std::ptrdiff_t place, std::ptrdiff_t row) const {
        std::memcpy(at(place), data_ + row * size(), BYTES != 0 ? BYTES : bytes_);
    }
    void store(std::ptrdiff_t place, std::ptrdiff_t row) const {
        std::memcpy(data_ + row * size(), at(place), BYTES != 0 ? BYTES : bytes_);
    }
    void fetch(std::ptrdiff_t row) const { __builtin_prefetch(data_ + row * size()); }
    char *at(std::ptrdiff_t place) const { return rows_ + place * size(); }

  private:
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(BYTES != 0 ? BYTES : bytes_); }

    char *data_;
    std::size_t bytes_;
    char *rows_;
};

}  // namespace

// Ascending rows lie in the order given.
bool SparseUpdate::may_have_frequent() const {
    return width > MAX_NARROW && values.contiguous() && !groups.is_ascending();
}

void SparseUpdate::reserve(int threads) {
    frequent.clear();
    if (may_have_frequent()) frequent.reserve(groups.count(), width * values.itemsize, threads);
}

void SparseUpdate::order() noexcept {
    groups.sort();
    if (may_have_frequent()) frequent.find(groups);
}

void SparseUpdate::sum_squares(std::ptrdiff_t begin, std::ptrdiff_t end, const KernelArgs &args, Scratch *scratch) {
    const Reduce reduce = square_sum_for(*kernels, args);
    const IndexedRow *const start = row_start(groups, begin), *const stop = groups.begin() + end;
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
    const IndexedRow *const start = row_start(groups, begin), *const stop = groups.begin() + end;
    const Update update = kernels->update[variant_for(args, preprocesses)];
    if (width <= MAX_NARROW && !takes_mean && kernels->accumulate == nullptr && param.contiguous() &&
        state.contiguous() && values.contiguous())
        return update_narrow(start, stop, update, args, scratch);
    KernelArgs row_args = args;
    Prefetcher prefetch(*this, start);
    groups.for_each_row(start, stop, [&](const IndexedRow *first, const IndexedRow *last) {
        prefetch.before(first);
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

// Rows so narrow that a call for each would take longer than its arithmetic.
template <std::size_t BYTES>
void SparseUpdate::update_narrow(const IndexedRow *start, const IndexedRow *stop, Update update, const KernelArgs &args,
                                 Scratch *scratch) const {
    const RowCopier<BYTES> params(param, width, scratch->param.bytes), states(state, width, scratch->state.bytes),
        grads(values, width, scratch->grad.bytes);
    std::int64_t rows[BATCH];
    std::ptrdiff_t collected = 0;
    const auto update_batch = [&] {
        update(params.at(0), states.at(0), grads.at(0), collected * width, args);
        for (std::ptrdiff_t i = 0; i < collected; ++i) {
            params.store(i, rows[i]);
            states.store(i, rows[i]);
        }
        collected = 0;
    };
    const bool in_order = groups.is_ascending();  // the processor itself fetches what lies in order
    const IndexedRow *const end = groups.end();
    groups.for_each_row(start, stop, [&](const IndexedRow *first, const IndexedRow *last) {
        for (const IndexedRow *entry = first; entry < last && entry - first < PREFETCH_DISTANCE; ++entry) {
            if (end - entry <= PREFETCH_DISTANCE) break;
            const IndexedRow &ahead = entry[PREFETCH_DISTANCE];
            params.fetch(ahead.row);
            states.fetch(ahead.row);
            if (!in_order) grads.fetch(ahead.source);
        }
        params.load(collected, first->row);
        states.load(collected, first->row);
        grads.load(collected, first->source);
        if (last - first > 1)
            kernels->add_rows(grads.at(collected), 0, values.data, width, first + 1, last, width, args);
        rows[collected++] = first->row;
        if (collected == BATCH || (collected + 1) * width > BATCH) update_batch();  // the width may be 0
    });
    if (collected > 0) update_batch();
}

void SparseUpdate::update_narrow(const IndexedRow *start, const IndexedRow *stop, Update update, const KernelArgs &args,
                                 Scratch *scratch) const {
    const bool same_size = param.itemsize == state.itemsize && param.itemsize == values.itemsize;
    switch (same_size ? width * param.itemsize : 0) {
    case 4: return update_narrow<4>(start, stop, update, args, scratch);
    case 8: return update_narrow<8>(start, stop, update, args, scratch);
    case 16: return update_narrow<16>(start, stop, update, args, scratch);
    case 64: return update_narrow<64>(start, stop, update, args, scratch);
    default: return update_narrow<0>(start, stop, update, args, scratch);
    }
}

}  // namespace adagrad
