"""torch's tensors as arrays over the same memory, and the state of its optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ..inputs.tensors import to_array
from ..inputs.types import Array
from ..inputs.validation import check_fit, number, read_entry, same_memory
from .shared_memory import SharedMemory

Pair: TypeAlias = "tuple[Array, Array] | tuple[dict[Any, Any], dict[Any, Any]]"


def shared(tensor: Any, label: str) -> Array:
    """Return an array over a tensor's memory."""
    check_shareable(label, tensor)
    array: Array = to_array(tensor, label)
    return array


def check_shareable(label: str, tensor: Any) -> None:
    """Raise an error unless this is a tensor whose values are an array in the memory of the CPU."""
    if not hasattr(tensor, "layout"):
        raise TypeError(f"{label}: expected a tensor, got {type(tensor).__name__}")
    if tensor.device.type != "cpu" or str(tensor.layout) != "torch.strided":
        raise ValueError(f"{label}: expected a strided tensor on the CPU, got {tensor.layout} on {tensor.device}")
    if tensor.is_conj() or tensor.is_neg():
        raise ValueError(f"{label}: expected a tensor with its own values, got a conjugated or negated view")


def check_tensors(state_dict: Any) -> None:
    """Raise TypeError for a state dict with arrays of NumPy in its state, which torch cannot copy."""
    state = state_dict.get("state") if isinstance(state_dict, Mapping) else None
    for key, entry in state.items() if isinstance(state, Mapping) else ():
        for name, value in entry.items() if isinstance(entry, Mapping) else ():
            if isinstance(value, np.ndarray):
                label = f"state[{key!r}][{name!r}]"
                raise TypeError(f"{label}: expected a tensor, got an array; state_dict(tensors=True) has tensors")


def shared_memory(optimizer: Any) -> SharedMemory:
    import torch

    def options() -> dict[str, Any]:
        return {
            f"param_groups[{k}][{key!r}]": value
            for k, group in enumerate(optimizer.param_groups)
            for key, value in group.items()
            if isinstance(value, torch.Tensor)
        }

    def tensors() -> list[Any]:
        params = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        states = [optimizer.state.get(tensor, {}) for tensor in params]
        return [*params, *(state.get(key) for key in ("sum", "step") for state in states), *options().values()]

    count = sum(len(group["params"]) for group in optimizer.param_groups)
    labels = [f"{role}[{i}]" for role in ("params", "sum", "step") for i in range(count)]
    return SharedMemory("from_torch", [*labels, *options()], tensors, _place)


def _place(tensor: Any) -> Any:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def own_state(optimizer: Any, tensor: Any, label: str) -> dict[str, Any]:
    """Return torch's state of a parameter, or what torch would create for it."""
    import torch

    state: dict[str, Any] = optimizer.state.get(tensor, {})
    if not state:
        initial = optimizer.defaults["initial_accumulator_value"]
        value = complex(initial, initial) if tensor.is_complex() else initial
        state_sum = torch.full_like(tensor, value, requires_grad=False, memory_format=torch.preserve_format)
        return {"step": torch.zeros((), dtype=torch.float32, device="cpu"), "sum": state_sum}
    read_entry(state, "sum", label)
    step = read_entry(state, "step", label)
    is_ours = isinstance(step, torch.Tensor) and step.device.type == "cpu" and step.dtype == torch.float32
    if not is_ours or step.dim() != 0:
        count = number(step.item() if isinstance(step, torch.Tensor) else step, f"{label}['step']")
        return {**state, "step": torch.tensor(count, dtype=torch.float32, device="cpu")}
    return state


def filled(label: str, tensor: Any, value: Array) -> list[tuple[Array, Array]]:
    """Check that an array fits a tensor; return both for `_core.commit`, or nothing if they share their memory."""
    array = shared(tensor, label)
    check_fit(label, array, value)
    return [] if same_memory(array, value) else [(array, value)]


def is_tensor(rate: Any) -> bool:
    return hasattr(rate, "fill_")


def filled_rates(groups: list[dict[str, Any]], rates: list[float]) -> list[Pair]:
    """Check that rates fit the tensors of groups, which a compiled step or a scheduler may hold; return both."""
    pairs: list[Pair] = []
    first: dict[int, Array] = {}
    for k, (group, rate) in enumerate(zip(groups, rates, strict=True)):
        if not is_tensor(group["lr"]):
            continue
        label = f"param_groups[{k}]['lr']"
        array = shared(group["lr"], label)
        value = np.full_like(array, rate)
        if array.dtype.kind in "biu" and value.flat[0] != rate:
            raise ValueError(f"{label}: expected a tensor that holds {rate}, got {array.dtype}")
        known = first.setdefault(id(group["lr"]), value)
        if not np.array_equal(known, value, equal_nan=True):
            expected = f"{known.flat[0]}, the rate of another group with the same tensor"
            raise ValueError(f"{label}: expected {expected}, got {rate}; give each group its own tensor")
        pairs.append((array, value))
    return pairs
