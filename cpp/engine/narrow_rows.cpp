// Rows so narrow that a call for each would take longer than its arithmetic: they are collected and updated together.
#include <cstring>

#include "engine/prefetch.hpp"
#include "engine/sparse_update.hpp"

namespace adagrad {
namespace {

constexpr std::ptrdiff_t BATCH = 512;  // elements
// Rows ahead of the one in use that are fetched.
constexpr std::ptrdiff_t ROWS_AHEAD = 16;

// The rows that a batch has collected, one after another, from or to an array. Copies of a fixed number of bytes are
// one instruction each; 0 stands for any number.
template <std::size_t BYTES, class Char = char> class RowCopier {
  public:
    RowCopier(Char *data, std::ptrdiff_t row_bytes, char *rows)
        : data_(data), bytes_(BYTES != 0 ? BYTES : static_cast<std::size_t>(row_bytes)), rows_(rows) {}
    void load(std::ptrdiff_t place, std::ptrdiff_t row) const {
        std::memcpy(at(place), data_ + row * size(), BYTES != 0 ? BYTES : bytes_);
    }
    void store(std::ptrdiff_t place, std::ptrdiff_t row) const {
        std::memcpy(data_ + row * size(), at(place), BYTES != 0 ? BYTES : bytes_);
    }
    void fetch(std::ptrdiff_t row) const { prefetch(data_ + row * size()); }
    char *at(std::ptrdiff_t place) const { return rows_ + place * size(); }

  private:
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(BYTES != 0 ? BYTES : bytes_); }

    Char *data_;
    std::size_t bytes_;
    char *rows_;
};

}  // namespace

template <std::size_t BYTES>
void SparseUpdate::update_narrow(const IndexedRow *start, const IndexedRow *stop, Update update, const KernelArgs &args,
                                 Scratch *scratch) const {
    const bool summed = frequent.has_sums();  // all rows are, or none
    const char *const given = summed ? frequent.sums() : values.data;
    const RowCopier<BYTES> params(param.data, width * param.itemsize, scratch->param.bytes),
        states(state.data, width * state.itemsize, scratch->state.bytes);
    const RowCopier<BYTES, const char> grads(given, width * values.itemsize, scratch->grad.bytes);
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
    const bool in_order = summed || groups.is_ascending();  // the processor itself fetches what lies in order
    const IndexedRow *const end = groups.end();
    groups.for_each_row(start, stop, [&](const IndexedRow *first, const IndexedRow *last) {
        for (const IndexedRow *entry = first; entry < last && entry - first < ROWS_AHEAD; ++entry) {
            if (end - entry <= ROWS_AHEAD) break;
            const IndexedRow &ahead = entry[ROWS_AHEAD];
            params.fetch(ahead.row);
            states.fetch(ahead.row);
            if (!in_order) grads.fetch(ahead.source);
        }
        params.load(collected, first->row);
        states.load(collected, first->row);
        grads.load(collected, summed ? ~first->source : first->source);
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
