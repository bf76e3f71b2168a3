"""Optimizers that are wrapped as Lightning 2.6 and Accelerate 1.15 wrap them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.dropin import assert_same, pair, set_grads


class SharedAttributes:
    """As Lightning's: an instance of the optimizer's class with its attributes, whose step hands on a closure."""

    def __init__(self, optimizer: Any) -> None:
        vars(self).update(vars(optimizer))
        self.__class__ = type("Wrapped", (SharedAttributes, type(optimizer)), {})
        self.optimizer = optimizer

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return self.optimizer.step(closure=closure)


class Delegating(torch.optim.Optimizer):  # type: ignore[misc]
    """As Accelerate's: an optimizer that adds no attributes, and first loads the state of the one that it wraps."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups  # type: ignore[no-any-return]

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


class PatchedStep(Delegating):
    """As Accelerate's with a GradScaler: during a step, the optimizer's own step is replaced by one that is noted."""

    def step(self, closure: Any = None) -> Any:
        original, calls = self.optimizer.step, []

        def patched(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return original(*args, **kwargs)

        self.optimizer.step = patched
        result = torch.amp.GradScaler("cpu", enabled=False).step(self.optimizer, closure)
        self.optimizer.step = original
        assert calls == [(closure,)]
        return result


@pytest.mark.parametrize("wrap", [SharedAttributes, Delegating, PatchedStep])
@pytest.mark.parametrize("with_closure", [False, True])
def test_wrapped(wrap: Callable[[Any], Any], with_closure: bool) -> None:
    ours, optimizer, theirs, reference = pair([(4, 3), (3,)], lr=0.1)
    results: list[list[Any]] = []
    for params, opt in ((ours, optimizer), (theirs, reference)):
        scheduler = torch.optim.lr_scheduler.StepLR(opt, 2, 0.5)
        wrapped = wrap(opt)
        results.append([])
        for step in range(6):

            def closure(params: list[torch.Tensor] = params, wrapped: Any = wrapped, step: int = step) -> int:
                wrapped.zero_grad()
                set_grads(params, step)
                torch.nn.utils.clip_grad_norm_(params, 0.5)
                return step

            if with_closure:
                results[-1].append(wrapped.step(closure))
            else:
                closure()
                wrapped.step()
            scheduler.step()
        assert wrapped.param_groups[0]["lr"] == 0.1 * 0.5**3
    assert results[0] == results[1] == (list(range(6)) if with_closure else [])
    assert_same(optimizer, reference)
