#include "engine/frequent_rows.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "engine/parallel.hpp"

namespace adagrad {
namespace {

// A row with fewer values is not worth its own sum, unless rows have MIN_MEAN values on average: then one pass through
// all values takes less time than one through most of them.
constexpr int MIN_EXPONENT = 2;
constexpr std::ptrdiff_t MIN_MEAN = 2;
// The sums take at most this much memory, so that they stay in a cache.
constexpr std::ptrdiff_t MAX_BYTES = 8 << 20;
// In place of the index of a sum, for a value whose row is not frequent.
constexpr std::int32_t NO_SUM = INT32_MIN;

// The exponent of the greatest power of two that is not above a number.
int exponent_of(std::ptrdiff_t number) { return std::bit_width(static_cast<std::size_t>(number)) - 1; }

}  // namespace

void FrequentRows::reserve(RowGroups &groups, std::ptrdiff_t row_bytes, int parts) {
    const std::ptrdiff_t count = groups.count();
    groups.reserve_merge();
    row_bytes_ = row_bytes;
    most_ = std::min(MAX_BYTES / row_bytes, count / MIN_MEAN);
    rows_.reserve(static_cast<std::size_t>(count));
    counts_.reserve(static_cast<std::size_t>(most_));
    part_.reserve(static_cast<std::size_t>(most_));
    sum_index_.resize(static_cast<std::size_t>(count));
    if (parts > 1) lists_.resize(static_cast<std::size_t>(count + parts));
    starts_.resize(static_cast<std::size_t>(parts));
    const auto lines = static_cast<std::size_t>(most_ * row_bytes / static_cast<std::ptrdiff_t>(sizeof(Line)) + 1);
    if (sums_.size() < lines) sums_.resize(lines);
}

bool FrequentRows::merge_all(RowGroups &groups, bool sorts, bool adds, const Adder &adder) noexcept {
    Progress progress;
    values_ = groups.given();
    number_ = groups.count();
    added_ = adds && starts_.size() == 1;
    const auto number = [&] { groups.number(most_, progress); };
    if (added_)
        run_both(number_ * adder.width, number, [&] { add_numbered(progress, adder); });
    else
        number();
    if (!groups.merge(progress, sorts)) {
        clear();
        return false;
    }
    divide(groups.size());
    return true;
}

void FrequentRows::add_numbered(const Progress &progress, const Adder &adder) {
    for (std::ptrdiff_t added = 0; added < number_;) {
        const std::ptrdiff_t numbered = progress.after(added);
        if (numbered == added) return;  // the rows do not repeat often
        adder.add(sums_.data()->bytes, row_bytes_, values_ + added, values_ + numbered);
        added = numbered;
    }
}

void FrequentRows::find(RowGroups &groups) noexcept {
    choose(groups);
    if (rows_.empty()) return;
    added_ = false;
    find_sums();
    values_ = groups.spare();
    number_ = 0;
    for (std::size_t source = 0; source < sum_index_.size(); ++source)
        if (sum_index_[source] != NO_SUM) values_[number_++] = {sum_index_[source], static_cast<std::int64_t>(source)};
    divide(static_cast<std::ptrdiff_t>(rows_.size()));
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

// Finds for each value the sum of its row.
void FrequentRows::find_sums() {
    std::fill(sum_index_.begin(), sum_index_.end(), NO_SUM);
    std::int32_t index = 0;
    for (const Row &row : rows_) {
        for (std::ptrdiff_t k = 1; k < row.count; ++k) sum_index_[row.first[k].source] = index;
        sum_index_[row.first->source] = ~index;
        row.first->source = ~static_cast<std::int64_t>(index);
        ++index;
    }
}

// The part with the fewest values so far takes the next row that has many. The others fill the parts in order.
void FrequentRows::divide(std::ptrdiff_t rows) {
    if (starts_.size() == 1) return;
    counts_.assign(static_cast<std::size_t>(rows), 0);
    for (std::ptrdiff_t i = 0; i < number_; ++i) ++counts_[static_cast<std::size_t>(number_of(values_[i].row))];
    std::fill(starts_.begin(), starts_.end(), 0);
    part_.resize(counts_.size());
    const std::ptrdiff_t mean = number_ / parts() + 1, many = mean / 16;
    for (std::size_t sum = 0; sum < counts_.size(); ++sum) {
        if (counts_[sum] <= many) continue;
        const auto least = std::min_element(starts_.begin(), starts_.end());
        *least += counts_[sum];
        part_[sum] = static_cast<std::int32_t>(least - starts_.begin());
    }
    std::size_t part = 0;
    for (std::size_t sum = 0; sum < counts_.size(); ++sum) {
        if (counts_[sum] > many) continue;
        while (starts_[part] >= mean) ++part;  // one part always has less
        starts_[part] += counts_[sum];
        part_[sum] = static_cast<std::int32_t>(part);
    }
    std::exclusive_scan(starts_.begin(), starts_.end(), starts_.begin(), std::ptrdiff_t{0});
}

void FrequentRows::add(std::ptrdiff_t part, const Adder &adder) {
    const IndexedRow *begin = values_, *end = values_ + number_;
    if (parts() > 1) {
        IndexedRow *own = lists_.data() + starts_[static_cast<std::size_t>(part)] + part;
        begin = own;
        for (const IndexedRow *value = values_; value != end; ++value) {
            *own = *value;  // one more than there are at the end
            own += part_[static_cast<std::size_t>(number_of(value->row))] == part;
        }
        end = own;
    }
    adder.add(sums_.data()->bytes, row_bytes_, begin, end);
}

}  // namespace adagrad
