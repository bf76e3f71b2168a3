"""An error is one exception with one message, compared whole."""

from collections.abc import Callable
from typing import Any

import pytest
from helpers.contents import snapshot
from numpy_adagrad.optimizers._base import Optimizer


def raises(error: type[Exception], message: str, action: Callable[[], object]) -> None:
    """The action raises exactly this exception."""
    with pytest.raises(error) as caught:
        action()
    assert (type(caught.value), caught.value.args) == (error, (message,))


def error_of(action: Callable[[], object]) -> tuple[type[Exception], str]:
    """The exception that the action raises, and its text."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller compares type and text
        action()
    return type(caught.value), str(caught.value)


def raises_unchanged(
    optimizer: Optimizer, error: type[Exception], message: str, action: Callable[[], object], *, grads: Any = ()
) -> None:
    """The action raises exactly this exception and changes neither the optimizer nor the gradients."""
    before = snapshot(optimizer, grads)
    raises(error, message, action)
    assert snapshot(optimizer, grads) == before
