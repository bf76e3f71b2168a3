#include "engine/frequent_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace adagrad {
namespace {

// A row with fewer values is not worth a sum of its own.
constexpr int MIN_EXPONENT = 2;
// Of the sums, which stay in a cache.
constexpr std::ptrdiff_t MAX_BYTES = 2 << 20;

// The exponent of the greatest power of two that is not above a number.
int exponent_of(std::ptrdiff_t number) { return std::bit_width(static_cast<std::size_t>(number)) - 1; }

}  // namespace

void FrequentRows::reserve(std::ptrdiff_t count, std::ptrdiff_t row_bytes, int parts) {
    row_bytes_ = row_bytes;
    most_ = std::min(MAX_BYTES / row_bytes, count >> MIN_EXPONENT);
    rows_.reserve(static_cast<std::size_t>(most_));
    place_.resize(static_cast<std::size_t>(count));
    ends_.resize(static_cast<std::size_t>(parts));
    const auto lines = static_cast<std::size_t>(most_ * row_bytes / static_cast<std::ptrdiff_t>(sizeof(Line)) + 1);
    if (sums_.size() < lines) sums_.resize(lines);
}

void FrequentRows::find(RowGroups &groups) noexcept {
    rows_.clear();
    choose(groups);
    if (rows_.empty()) return;
    divide(groups);
    IndexedRow *kept = groups.begin();
    groups.for_each_row(groups.begin(), groups.end(), [&](const IndexedRow *first, const IndexedRow *last) {
        kept = std::copy(first, first->source < 0 ? first + 1 : last, kept);
    });
    groups.shrink(kept - groups.begin());
}

// Takes the rows with at least 2^e values, for the least e for which there is memory.
void FrequentRows::choose(RowGroups &groups) {
    std::ptrdiff_t rows_of[64] = {};  // by exponent
    groups.for_each_row(groups.begin(), groups.end(),
                        [&](const IndexedRow *first, const IndexedRow *last) { ++rows_of[exponent_of(last - first)]; });
    int exponent = 64;
    std::ptrdiff_t left = most_;
    while (exponent > MIN_EXPONENT && rows_of[exponent - 1] <= left) left -= rows_of[--exponent];
    if (left == most_) return;  // no row comes often
    groups.for_each_row(groups.begin(), groups.end(), [&](const IndexedRow *first, const IndexedRow *last) {
        if (exponent_of(last - first) < exponent) return;
        IndexedRow *const entries = groups.begin() + (first - groups.begin());
        rows_.push_back({entries, entries + (last - first), first->source, 0});
    });
}

// Lists the values of each part. The part with the fewest values so far takes the next row, the most frequent first.
void FrequentRows::divide(RowGroups &groups) {
    std::sort(rows_.begin(), rows_.end(), [](const Row &a, const Row &b) {
        return a.last - a.first != b.last - b.first ? a.last - a.first > b.last - b.first : a.first < b.first;
    });
    std::fill(ends_.begin(), ends_.end(), 0);
    std::fill(place_.begin(), place_.end(), -1);
    for (Row &row : rows_) {
        const auto place = static_cast<std::int32_t>(&row - rows_.data());
        const auto least = std::min_element(ends_.begin(), ends_.end());
        *least += row.last - row.first - 1;
        row.part = least - ends_.begin();
        for (const IndexedRow *entry = row.first + 1; entry != row.last; ++entry) place_[entry->source] = place;
        row.first->source = ~static_cast<std::int64_t>(place);
    }
    std::exclusive_scan(ends_.begin(), ends_.end(), ends_.begin(), std::ptrdiff_t{0});
    values_ = groups.spare();
    for (std::size_t source = 0; source < place_.size(); ++source)
        if (const std::int32_t place = place_[source]; place >= 0)
            values_[ends_[rows_[place].part]++] = {place, static_cast<std::int64_t>(source)};
}

void FrequentRows::add(std::ptrdiff_t part, const char *values, std::ptrdiff_t width, AddRows add_rows,
                       const KernelArgs &args) {
    char *const sums = sums_.data()->bytes;
    for (std::size_t place = 0; place < rows_.size(); ++place)
        if (rows_[place].part == part)
            std::memcpy(sums + static_cast<std::ptrdiff_t>(place) * row_bytes_,
                        values + rows_[place].source * row_bytes_, static_cast<std::size_t>(row_bytes_));
    const std::ptrdiff_t begin = part == 0 ? 0 : ends_[part - 1];
    add_rows(sums, width, values, width, values_ + begin, values_ + ends_[part], width, args);
}

}  // namespace adagrad
