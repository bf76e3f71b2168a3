"""Closures and gradients that wait for other threads, which use the same optimizer meanwhile."""

import copy
import threading
from collections import UserDict, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from helpers.values import ones
from numpy_adagrad.inputs.types import Array


def in_a_thread(call: Callable[[], Any]) -> Any:
    """Wait for a call in another thread; return its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(30)


def test_a_closure_may_wait_for_other_threads(dialect: Dialect) -> None:
    """They read the state, and even take a step before its own."""
    optimizer, reference = dialect.optimizer([ones()]), dialect.optimizer([ones()])

    def closure() -> tuple[int, list[Array]]:
        assert in_a_thread(optimizer.state_dict).keys() == optimizer.state_dict().keys()
        assert in_a_thread(lambda: copy.deepcopy(optimizer).names) == optimizer.names
        in_a_thread(lambda: optimizer.step(closure=lambda: (0, [2 * ones()])))
        return 0, [ones()]

    optimizer.step(closure=closure)
    reference.step([2 * ones()])
    reference.step([ones()])
    assert contents(optimizer) == contents(reference)


class Waiting(UserDict[str, Array]):
    """Gradients whose look-up calls something first."""

    call: Callable[[], object]

    def __getitem__(self, name: str) -> Array:
        self.call()
        return super().__getitem__(name)


@pytest.mark.parametrize("form", ["mapping", "generator"])
def test_gradients_may_wait_for_other_threads(dialect: Dialect, form: str) -> None:
    optimizer, reference = dialect.optimizer({"a": ones()}), dialect.optimizer({"a": ones()})
    grads = Waiting({"a": ones()})
    grads.call = lambda: in_a_thread(optimizer.state_dict)
    optimizer.step(grads if form == "mapping" else (grads[name] for name in optimizer.names))
    reference.step([ones()])
    assert contents(optimizer) == contents(reference)
    message = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
    grads.call = lambda: optimizer.step([ones()])
    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step(grads))


def test_a_mapping_with_defaults_makes_no_gradient_up(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"a": ones(), "b": ones()})
    grads = defaultdict(ones, a=ones(), c=ones())
    message = "grads: expected one for each parameter (None for no gradient), got none for 'b', but one for 'c'"
    raises_unchanged(optimizer, KeyError, message, lambda: optimizer.step(grads))
    assert list(grads) == ["a", "c"]


def test_names_that_another_thread_changes(dialect: Dialect) -> None:
    """While the gradients are read: a gradient might go to another parameter."""
    optimizer = dialect.optimizer({"a": ones(), "b": ones()})
    grads = Waiting({"a": ones(), "b": ones()})
    grads.call = lambda: optimizer.param_groups[0].update(param_names=["b", "a"])
    with pytest.raises(RuntimeError) as caught:
        optimizer.step(grads)
    assert str(caught.value) == "params: expected the same names throughout a step, got others from another thread"
    assert all((slot.param == 1).all() for slot in optimizer._slots)


def test_closures_that_use_each_others_optimizer(dialect: Dialect) -> None:
    """In two threads, each in its closure before the other optimizer is used."""
    pair = [dialect.optimizer([ones()]), dialect.optimizer([ones()])]
    both = threading.Barrier(2)

    def train(own: int) -> None:
        def closure() -> tuple[int, list[Array]]:
            both.wait(30)
            assert pair[1 - own].state_dict()
            pair[1 - own].step([2 * ones()])
            both.wait(30)
            return 0, [ones()]

        pair[own].step(closure=closure)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(train, own) for own in (0, 1)]:
            done.result(30)
    reference = dialect.optimizer([ones()])
    reference.step([2 * ones()])
    reference.step([ones()])
    assert [contents(one) for one in pair] == [contents(reference)] * 2
