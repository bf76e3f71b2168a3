#include "engine/frequent_rows.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace adagrad {
namespace {

// A row with fewer values is not worth its own sum, unless rows have MIN_MEAN values on average: then one pass through
// all values takes less time than one through most of them.
constexpr int MIN_EXPONENT = 2;
constexpr std::ptrdiff_t MIN_MEAN = 2;
// Of the sums, which stay in a cache.
constexpr std::ptrdiff_t MAX_BYTES = 8 << 20;
// The place of a value whose row is not frequent.
constexpr std::int32_t NOWHERE = INT32_MIN;

// The exponent of the greatest power of two that is not above a number.
int exponent_of(std::ptrdiff_t number) { return std::bit_width(static_cast<std::size_t>(number)) - 1; }

}  // namespace

void FrequentRows::reserve(std::ptrdiff_t count, std::ptrdiff_t row_bytes, int parts) {
    row_bytes_ = row_bytes;
    most_ = std::min(MAX_BYTES / row_bytes, count / MIN_MEAN);
    rows_.reserve(static_cast<std::size_t>(count));
    part_.reserve(static_cast<std::size_t>(most_));
    place_.resize(static_cast<std::size_t>(count));
    ends_.resize(static_cast<std::size_t>(parts));
    const auto lines = static_cast<std::size_t>(most_ * row_bytes / static_cast<std::ptrdiff_t>(sizeof(Line)) + 1);
    if (sums_.size() < lines) sums_.resize(lines);
}

void FrequentRows::find(RowGroups &groups) noexcept {
    choose(groups);
    if (rows_.empty()) return;
    divide();
    list(groups);
    const IndexedRow *rest = groups.begin();
    IndexedRow *kept = groups.begin();
    for (const Row &row : rows_) {
        kept = std::copy(rest, static_cast<const IndexedRow *>(row.first + 1), kept);
        rest = row.first + row.count;
    }
    kept = std::copy(rest, static_cast<const IndexedRow *>(groups.end()), kept);
    groups.shrink(kept - groups.begin());
}

// Takes the rows with at least 2^e values, for the least e that is allowed and for which there is memory.
void FrequentRows::choose(RowGroups &groups) {
    std::ptrdiff_t rows_of[64] = {};  // by exponent
    rows_.clear();
    IndexedRow *const begin = groups.begin();
    groups.for_each_row(begin, groups.end(), [&](const IndexedRow *first, const IndexedRow *last) {
        ++rows_of[exponent_of(last - first)];
        rows_.push_back({begin + (first - begin), last - first});
    });
    const bool all = static_cast<std::ptrdiff_t>(rows_.size()) * MIN_MEAN <= groups.count();
    int exponent = 64;
    std::ptrdiff_t left = most_;
    while (exponent > (all ? 0 : MIN_EXPONENT) && rows_of[exponent - 1] <= left) left -= rows_of[--exponent];
    std::erase_if(rows_, [=](const Row &row) { return exponent_of(row.count) < exponent; });
}

// The part with the fewest values so far takes the next row, those with many values first.
void FrequentRows::divide() {
    std::fill(ends_.begin(), ends_.end(), 0);
    part_.assign(rows_.size(), 0);
    const auto parts = static_cast<std::ptrdiff_t>(ends_.size());
    const std::ptrdiff_t many = static_cast<std::ptrdiff_t>(place_.size()) / (16 * parts);
    for (const bool takes_many : {true, false})
        for (std::size_t place = 0; place < rows_.size(); ++place) {
            if ((rows_[place].count > many) != takes_many) continue;
            const auto least = std::min_element(ends_.begin(), ends_.end());
            *least += rows_[place].count;
            part_[place] = static_cast<std::int32_t>(least - ends_.begin());
        }
    std::exclusive_scan(ends_.begin(), ends_.end(), ends_.begin(), std::ptrdiff_t{0});
}

// Lists the values of each part. ~place marks the first value of a row.
void FrequentRows::list(RowGroups &groups) {
    std::fill(place_.begin(), place_.end(), NOWHERE);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Row &row = rows_[i];
        const auto place = static_cast<std::int32_t>(i);
        for (std::ptrdiff_t k = 1; k < row.count; ++k) place_[row.first[k].source] = place;
        place_[row.first->source] = ~place;
        row.first->source = ~static_cast<std::int64_t>(place);
    }
    values_ = groups.spare();
    for (std::size_t source = 0; source < place_.size(); ++source)
        if (const std::int32_t place = place_[source]; place != NOWHERE)
            values_[ends_[part_[place < 0 ? ~place : place]]++] = {place, static_cast<std::int64_t>(source)};
}

void FrequentRows::add(std::ptrdiff_t part, const char *values, std::ptrdiff_t width, AddRows add_rows,
                       const KernelArgs &args) {
    const std::ptrdiff_t begin = part == 0 ? 0 : ends_[part - 1];
    add_rows(sums_.data()->bytes, width, values, width, values_ + begin, values_ + ends_[part], width, args);
}

}  // namespace adagrad
