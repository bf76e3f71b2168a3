"""Learning rates of MindSpore: any iterable of numbers, and errors for what is none."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import raises, raises_unchanged
from helpers.mindspore_arrays import parameter
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad


@pytest.mark.parametrize(
    ("rates", "error", "message"),
    [
        (
            np.ma.array([0.1, 0.2], mask=[True, False]),
            TypeError,
            "expected an array without a mask, got MaskedArray; fill it with .filled(0)",
        ),
        (np.ma.masked, TypeError, "expected an array without a mask, got MaskedConstant; fill it with .filled(0)"),
        (
            np.zeros(3, [("a", "f4")]),
            TypeError,
            "expected a number, a sequence, a 1-dimensional array or a callable, got ndarray of dtype [('a', '<f4')]",
        ),
        (b"0.1", TypeError, "expected a number, a sequence, a 1-dimensional array or a callable, got bytes"),
        ({5: 0.1}, TypeError, "expected a number, a sequence, a 1-dimensional array or a callable, got dict"),
        ({0.5, 0.25}, TypeError, "expected a number, a sequence, a 1-dimensional array or a callable, got set"),
    ],
)
def test_learning_rates_of_mindspore_that_are_none(rates: Any, error: type[Exception], message: str) -> None:
    raises(error, f"learning_rate: {message}", lambda: MindSporeAdagrad([np.ones(3)], learning_rate=rates))


@pytest.mark.parametrize(
    ("rates", "k", "got"),
    [
        (["0.1", "0.2"], 0, "str"),
        ([0.1, None], 1, "NoneType"),
        ([0.1, [1, 2]], 1, "list"),
        ([[1, 2], [3, 4]], 0, "list"),
    ],
)
def test_what_is_no_number_in_a_list_of_learning_rates(rates: Any, k: int, got: str) -> None:
    message = f"learning_rate[{k}]: expected a number or a 1-element array, got {got}"
    raises(TypeError, message, lambda: MindSporeAdagrad([np.ones(3)], learning_rate=rates))


def test_text_as_learning_rate_in_a_group_of_mindspore() -> None:
    optimizer = MindSporeAdagrad([np.ones(3)])
    optimizer.param_groups[0]["lr"] = "a"
    message = "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got 'a'"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([np.ones(3)]))


def test_a_list_of_tensors_as_learning_rate_of_mindspore() -> None:
    rates = [torch.tensor(0.5, requires_grad=True), torch.tensor(0.25)]
    assert_same_bits(
        MindSporeAdagrad([np.ones(3)], learning_rate=rates).param_groups[0]["lr"], np.array([0.5, 0.25], np.float32)
    )


@pytest.mark.parametrize("form", ["generator", "values", "range", "iterator", "tuple"])
def test_a_learning_rate_is_any_iterable_as_in_mindspore(form: str) -> None:
    rates = [0.5, 0.25, 0.125]

    def make() -> Any:
        forms: dict[str, Any] = {
            "generator": (rate for rate in rates),
            "values": dict(enumerate(rates)).values(),
            "range": range(1, 4),
            "iterator": iter(rates),
            "tuple": tuple(rates),
        }
        return forms[form]

    theirs = nn.Adagrad([parameter("w", np.ones(3, np.float32))], learning_rate=make())
    expected = theirs.learning_rate.learning_rate.asnumpy() if hasattr(theirs.learning_rate, "learning_rate") else None
    for optimizer in (
        MindSporeAdagrad([np.ones(3, np.float32)], learning_rate=make()),
        MindSporeAdagrad([{"params": [np.ones(3, np.float32)], "lr": make()}]),
    ):
        found = optimizer.param_groups[0]["lr"]
        assert_same_bits(found, np.array(list(make()), np.float32))
        if expected is not None:
            assert_same_bits(found, expected)
        for _ in range(3):
            optimizer.step([np.ones(3, np.float32)])


def test_an_iterator_that_is_written_to_a_group_of_mindspore() -> None:
    """A step read it to its end, and the next one found nothing."""
    optimizer = MindSporeAdagrad([np.ones(3)])
    optimizer.param_groups[0]["lr"] = iter([0.5, 0.25])
    message = (
        "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, "
        "got list_iterator, which can be read only once; give list(...)"
    )
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([np.ones(3)]))
    raises(TypeError, message, lambda: optimizer.last_lr)
