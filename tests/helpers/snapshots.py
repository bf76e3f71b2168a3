"""Two groups of five parameters of either rule, and whether something changed them."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from helpers.errors import Rule, refuses
from helpers.values import Shape, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

SHAPES: dict[str, tuple[int, ...]] = {"a": (3, 4), "b": (70_000,), "c": (), "d": (5, 6), "e": (2, 16)}


def normal(shape: Shape, seed: int = 1) -> Array:
    return draw(np.random.default_rng(seed), shape, np.float32, "normal")


def start(rule: Rule, **more: Any) -> tuple[TorchAdagrad | MindSporeAdagrad, dict[str, Array]]:
    """Five parameters, one strided and one in F order, after a step that moved them all."""
    params = {name: normal(shape) for name, shape in SHAPES.items()}
    params["a"], params["d"] = np.asfortranarray(params["a"]), normal((5, 12))[:, ::2]
    groups = [{"params": dict(list(params.items())[i:j])} for i, j in ((0, 2), (2, 5))]
    opt = rule(groups, **more)
    opt.step(gradients())
    return opt, params


def gradients() -> list[Array]:
    return [normal(shape, seed=2) for shape in SHAPES.values()]


def snapshot(opt: Optimizer, params: Mapping[str, Array], grads: Sequence[Any] = ()) -> dict[str, Any]:
    """The bytes of everything that a step may and may not change."""
    seen: dict[str, Any] = {f"parameter {name}": p.tobytes() for name, p in params.items()}
    for i in range(len(params)):
        seen |= {f"{key} {i}": array.tobytes() for key, array in opt.state[i].items()}
    for i, grad in enumerate(grads):
        if isinstance(grad, np.ndarray) and grad.dtype != object:
            seen[f"gradient {i}"] = grad.tobytes()
    if isinstance(opt, MindSporeAdagrad):
        seen["global_step"] = opt.global_step.tobytes()
    groups = [{k: v for k, v in group.items() if k != "params"} for group in opt.param_groups]
    arrays = [[id(p) for p in group["params"]] for group in opt.param_groups]
    return seen | {"norm": repr(opt.grad_norm), "skipped": opt.skipped_steps, "groups": groups, "arrays": arrays}


def unchanged(
    opt: Optimizer,
    params: Mapping[str, Array],
    grads: Sequence[Any],
    error: type[Exception],
    message: str,
    action: Callable[[], object],
) -> None:
    before = copy.deepcopy(snapshot(opt, params, grads))
    refuses(error, message, action)
    assert snapshot(opt, params, grads) == before
