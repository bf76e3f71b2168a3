// An executor and the arrays that it updates: dense, strided, half precision, sparse with wide and with narrow rows.
#pragma once
#include <cstring>
#include <string>

#include "driver.hpp"
#include "engine/dispatch.hpp"
#include "engine/executor.hpp"
#include "engine/fp_env.hpp"

class Training {
  public:
    Training(const adagrad::RuleInfo &rule, std::uint64_t seed) : random_(seed) {
        executor_.rule = &rule;
        add_dense({40'000}, adagrad::F32, 4, 1);
        add_dense({300, 112}, adagrad::F32, 4, 2);
        add_dense({20'000}, adagrad::F16, 2, 1);
        if (seed % 2 == 0) {
            add_sparse(3000, 16, draw(3000, 6000));
            add_sparse(40, 64, draw(40, 3000));
            add_sparse(500, 4, draw(500, 400));
        } else {
            // One thread numbers the rows of a single table while another one adds them. For some seeds, rows repeat
            // only at first, so that the numbering fails in the middle.
            std::vector<std::int64_t> indices = draw(300, seed % 4 == 1 ? 6000 : 1500);
            while (indices.size() < 6000) indices.push_back(static_cast<std::int64_t>(indices.size()));
            add_sparse(6000, 16, std::move(indices));
        }
        add_counters();
        double values[sizeof(adagrad::Packed::bytes)];
        double *next = values;
        for (const adagrad::OptionInfo &option : rule.options) *next++ = option.is_flag ? 1 : 0.01;
        const adagrad::Packed options = rule.pack_options(values);
        hyperparameters_ = {{options, rule.preprocesses(options), rule.takes_row_mean(options), nullptr}};
        group_index_.assign(executor_.tensors.size(), 0);
    }

    bool step(const adagrad::StepOptions &options) {
        const adagrad::FpEnvGuard guard;
        for (std::size_t i = 0; i < executor_.tensors.size(); ++i) take_indices(i);
        executor_.prepare(hyperparameters_, group_index_, options);
        return executor_.step(options);
    }

    // The bytes of all arrays and counters.
    std::string bits() const {
        std::string all;
        for (const std::vector<char> &array : arrays_) all.append(array.begin(), array.end());
        return all;
    }

  private:
    using Shape = std::vector<std::ptrdiff_t>;

    // An array of finite numbers, of which every `step`-th is used; accumulators are not negative.
    adagrad::StridedView make(std::ptrdiff_t count, std::ptrdiff_t itemsize, std::ptrdiff_t step, bool positive) {
        std::vector<char> &array = arrays_.emplace_back(static_cast<std::size_t>(count * itemsize * step));
        for (std::size_t at = 0; at < array.size(); at += static_cast<std::size_t>(itemsize)) {
            if (itemsize == 4) {
                float value = random_.between_ones();
                if (positive) value = value * value;
                std::memcpy(&array[at], &value, 4);
            } else {
                const auto value = static_cast<std::uint16_t>(random_.below(0x3c00));  // a half below 1
                std::memcpy(&array[at], &value, 2);
            }
        }
        return adagrad::StridedView::over(array.data(), itemsize, {{count, itemsize * step}});
    }

    void add_dense(const Shape &shape, adagrad::DtypeCombo combo, std::ptrdiff_t itemsize, std::ptrdiff_t step) {
        adagrad::Tensor tensor;
        tensor.count = 1;
        for (const std::ptrdiff_t extent : shape) tensor.count *= extent;
        tensor.kernels = &adagrad::isa().table->of[executor_.rule->index][adagrad::DENSE][combo];
        tensor.param = make(tensor.count, itemsize, step, false);
        tensor.state = make(tensor.count, itemsize, step, true);
        tensor.grad = tensor.ordered_grad = make(tensor.count, itemsize, step, false);
        tensor.row_length = executor_.rule->row_length(static_cast<int>(shape.size()), shape.data());
        executor_.tensors.push_back(std::move(tensor));
        indices_.emplace_back();
    }

    // Indices of which some come often.
    std::vector<std::int64_t> draw(std::uint64_t rows, std::size_t count) {
        std::vector<std::int64_t> indices(count);
        for (std::int64_t &index : indices) index = static_cast<std::int64_t>(random_.below(random_.below(rows) + 1));
        return indices;
    }

    void add_sparse(std::ptrdiff_t rows, std::ptrdiff_t width, std::vector<std::int64_t> indices) {
        const auto count = static_cast<std::ptrdiff_t>(indices.size());
        adagrad::Tensor tensor;
        tensor.count = rows * width;
        tensor.sparse = std::make_unique<adagrad::SparseUpdate>();
        adagrad::SparseUpdate &sparse = *tensor.sparse;
        sparse.param = make(tensor.count, 4, 1, false);
        sparse.state = make(tensor.count, 4, 1, true);
        sparse.values = make(count * width, 4, 1, false);
        sparse.width = width;
        sparse.kernels = &adagrad::isa().table->of[executor_.rule->index][adagrad::SPARSE][adagrad::F32];
        tensor.has_sparse_grad = true;
        executor_.tensors.push_back(std::move(tensor));
        indices_.push_back(std::move(indices));
    }

    void take_indices(std::size_t i) {
        adagrad::Tensor &tensor = executor_.tensors[i];
        if (!tensor.has_sparse_grad) return;
        const auto count = static_cast<std::ptrdiff_t>(indices_[i].size());
        const std::ptrdiff_t rows = tensor.count / tensor.sparse->width;
        tensor.sparse->groups.set_indices(indices_[i].data(), 8, count, rows);
    }

    void add_counters() {
        adagrad::StepCounters &counters = executor_.counters;
        counters.kind = executor_.rule->counter;
        const std::size_t count = counters.per_parameter() ? executor_.tensors.size() : 1;
        for (std::size_t i = 0; i < count; ++i) counters.data.push_back(arrays_.emplace_back(8).data());
        for (std::size_t i = 0; i < executor_.tensors.size(); ++i) executor_.active.push_back(i);
    }

    Random random_;
    adagrad::Executor executor_;
    std::vector<std::vector<char>> arrays_;
    std::vector<std::vector<std::int64_t>> indices_;  // of each tensor; none for a dense one
    std::vector<adagrad::Hyperparameters> hyperparameters_;
    std::vector<std::int32_t> group_index_;
};
