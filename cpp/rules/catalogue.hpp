// Every rule. The kernel tables and the host's view of the rules (engine/rule_info.hpp) expand from this list.
#pragma once
#include "rules/memory_bound.hpp"
#include "rules/mindspore.hpp"
#include "rules/torch.hpp"

namespace adagrad {
namespace {

template <class... Rules> struct List {};

using Catalogue = List<Torch, MindSpore, MemoryBound>;

}  // namespace
}  // namespace adagrad
