"""A run that switches to ours and back has the bits of MindSpore alone, in MindSpore's memory or a copy."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.mindspore_arrays import ArithmeticSchedule, TableDecay, mindspore_step, parameter
from helpers.mindspore_forms import (
    FORMS,
    NAMES,
    STEPS,
    Form,
    grads_of,
    grouped,
    optimizer_of,
    unused_default,
    unused_schedule,
)
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, from_mindspore, to_mindspore

TESTS = Path(__file__).parents[1]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def assert_same_run(optimizer: Any, unswitched: Any) -> None:
    for ours, theirs in (
        (optimizer.parameters, unswitched.parameters),
        (optimizer.accum, unswitched.accum),
        ([optimizer.global_step], [unswitched.global_step]),
    ):
        for one, other in zip(ours, theirs, strict=True):
            assert one.name == other.name
            assert_same_bits(one.asnumpy(), other.asnumpy(), one.name)


def addresses(optimizer: Any) -> list[int]:
    parameters = [*optimizer.parameters, *optimizer.accum, optimizer.global_step]
    return [p.asnumpy().__array_interface__["data"][0] for p in parameters]


@each_form
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_switched_run(dtype: str, form: Form) -> None:
    """MindSpore, then ours in MindSpore's memory, then MindSpore: 9 steps with the bits of MindSpore alone."""
    optimizer, unswitched = optimizer_of(form, dtype), optimizer_of(form, dtype)
    grads = grads_of(optimizer, dtype)
    for part in grads:
        mindspore_step(unswitched, part)

    for part in grads[:STEPS]:
        mindspore_step(optimizer, part)
    ours = from_mindspore(optimizer)
    before = addresses(optimizer)
    for part in grads[STEPS : 2 * STEPS]:
        ours.step(part)
    to_mindspore(ours, optimizer)
    for part in grads[2 * STEPS :]:
        mindspore_step(optimizer, part)
    assert_same_run(optimizer, unswitched)
    assert addresses(optimizer) == before


@each_form
def test_alternating_steps(form: Form) -> None:
    """State is shared: each may take the next step without a call in between."""
    optimizer, unswitched = optimizer_of(form), optimizer_of(form)
    ours = from_mindspore(optimizer)
    for k, part in enumerate(grads_of(optimizer)):
        mindspore_step(unswitched, part)
        if k % 2:
            mindspore_step(optimizer, part)
        else:
            ours.step(part)
    assert_same_run(optimizer, unswitched)


@each_form
def test_into_other_memory(form: Form) -> None:
    """to_mindspore copies everything that is not shared: here all of it, fixed rates included."""
    optimizer, unswitched = optimizer_of(form), optimizer_of(form)
    grads = grads_of(optimizer)
    ours = from_mindspore(optimizer)
    for part in grads[:STEPS]:
        mindspore_step(unswitched, part)
        ours.step(part)
    other = optimizer_of(form, value=7)
    for rate in other.get_lr_parameter(list(other.parameters)):
        if isinstance(rate, mindspore.Parameter):
            rate.asnumpy()[...] = 7
    to_mindspore(ours, other)
    for part in grads[STEPS:]:
        mindspore_step(unswitched, part)
        mindspore_step(other, part)
    assert_same_run(other, unswitched)


@each_form
def test_checkpoints_have_the_names_and_rates_of_mindspore(form: Form, tmp_path: Any) -> None:
    optimizer = optimizer_of(form)
    path = str(tmp_path / "optimizer.ckpt")
    mindspore.save_checkpoint(optimizer, path)
    theirs = {name: value.asnumpy() for name, value in mindspore.load_checkpoint(path).items()}
    ours = from_mindspore(optimizer).state_dict(parameters=True)
    # MindSpore makes the rate of a group without its own even where no such group is.
    assert ours.keys() | {"learning_rate"} == theirs.keys() | {"learning_rate"}
    for name, array in ours.items():
        assert_same_bits(array, theirs[name], name)


@pytest.mark.parametrize("form", [grouped, unused_default], ids=lambda form: form.__name__)
def test_a_group_can_be_added(form: Form) -> None:
    ours = from_mindspore(optimizer_of(form))
    ours.add_param_group({"params": [("more", np.ones(3, np.float32))], "lr": 0.5})
    assert len({key for key in ours.state_dict() if key.startswith("learning_rate_group")}) == 3
    ours.add_param_group({"params": [("most", np.ones(3, np.float32))]})
    ours.step([np.ones(param.shape, np.float32) for group in ours.param_groups for param in group["params"]])


@pytest.mark.parametrize(
    "schedule",
    [
        nn.ExponentialDecayLR(0.1, 0.9, 4, True),
        nn.NaturalExpDecayLR(0.1, 0.9, 4),
        nn.InverseDecayLR(0.1, 0.9, 4, True),
        nn.CosineDecayLR(0.01, 0.1, 20),
        nn.PolynomialDecayLR(0.1, 0.01, 20, 0.5),
        nn.WarmUpLR(0.1, 10),
        ArithmeticSchedule(0.3),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_rates_of_schedules(schedule: Any) -> None:
    """From 0 a gradient of 1 gives an update of the rate itself: float32 absorbs 1e-8 beside an accumulator of 1."""
    w = parameter("w", np.zeros(1, np.float32))
    optimizer = nn.Adagrad([w], accum=0.0, learning_rate=schedule)
    rate = from_mindspore(optimizer).param_groups[0]["lr"]
    for step in range(25):
        w.asnumpy()[...] = optimizer.accum[0].asnumpy()[...] = 0
        mindspore_step(optimizer, [np.ones(1, np.float32)])
        assert_same_bits(np.float32(rate(step)), abs(w.asnumpy()[0]), f"step {step}")


def test_schedules_of_mindspore_as_arguments() -> None:
    """MindSpore calls them with a tensor; with a number, some raised a SystemError in a step."""
    arguments: dict[str, Any] = {"learning_rate": nn.CosineDecayLR(0.01, 0.1, 5)}
    arguments["weight_decay"] = TableDecay(np.linspace(0, 0.1, 8, dtype=np.float32))
    params = [np.ones(3, np.float32), np.ones(2, np.float32)]
    theirs = [parameter(name, param) for name, param in zip("ab", params, strict=True)]
    groups, their_groups = (
        [{"params": [one], "lr": nn.WarmUpLR(0.1, 4)}, {"params": [two]}] for one, two in (params, theirs)
    )
    ours, optimizer = MindSporeAdagrad(groups, **arguments), nn.Adagrad(their_groups, **arguments)
    for step in range(8):
        grads = [np.full(param.shape, 0.3 - 0.1 * step, np.float32) for param in params]
        ours.step(grads)
        mindspore_step(optimizer, grads)
        for param, other in zip(params, theirs, strict=True):
            assert_same_bits(param, other.asnumpy(), f"step {step}")


def test_a_schedule_is_compiled() -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "programs" / "compiled_schedule.py")],
        env={**os.environ, "PYTHONPATH": str(TESTS), "GLOG_v": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.splitlines()[-1:] == ["0.25"]


def test_a_schedule_that_no_group_uses_is_not_kept() -> None:
    ours = from_mindspore(optimizer_of(unused_schedule))
    ours.add_param_group({"params": [("more", np.ones(3, np.float32))]})
    before = contents(ours)
    with pytest.raises(RuntimeError, match=r"^learning_rate: expected a rate for the new group"):
        ours.step([np.ones(param.shape, np.float32) for group in ours.param_groups for param in group["params"]])
    assert contents(ours) == before


def test_options_are_kept() -> None:
    ours = from_mindspore(nn.Adagrad([parameter("w", np.ones(2, np.float32))], 0.5, 0.25, False, 8.0, 0.125))
    assert (ours.accum, ours.update_slots, ours.loss_scale) == (0.5, False, 8.0)
    assert [ours.param_groups[0][key] for key in ("lr", "weight_decay")] == [0.25, 0.125]


def test_later_changes_of_a_rate_in_mindspore_have_no_effect() -> None:
    theirs = nn.Adagrad([parameter("w", np.zeros(2, np.float32))], accum=0.0, learning_rate=0.5)
    ours = from_mindspore(theirs)
    theirs.learning_rate.set_data(mindspore.Tensor(9.0, mindspore.float32))
    ours.step([np.ones(2, np.float32)])
    assert theirs.parameters[0].asnumpy().tolist() == [-0.5, -0.5]
    to_mindspore(ours, theirs)
    assert float(theirs.learning_rate) == 0.5


def test_float64_keeps_its_precision() -> None:
    """MindSpore would round to float32."""
    w = parameter("w", np.full(2, 1 + 2**-40))
    from_mindspore(nn.Adagrad([w], accum=1.0, learning_rate=0.5)).step([np.zeros(2)])
    assert w.asnumpy().tolist() == [1 + 2**-40] * 2


@pytest.fixture
def _unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """asnumpy() copies, as on a device other than the host."""
    shared = mindspore.Parameter.asnumpy
    monkeypatch.setattr(mindspore.Parameter, "asnumpy", lambda self: shared(self).copy(), raising=False)


@pytest.mark.usefixtures("_unshared")
def test_memory_that_is_not_shared_is_copied_and_written_back() -> None:
    optimizer, unswitched = optimizer_of(grouped), optimizer_of(grouped)
    grads = grads_of(optimizer)
    with pytest.warns(UserWarning, match="copied, as MindSpore does not share its memory") as warned:
        ours = from_mindspore(optimizer)
    names = [str(warning.message).partition(":")[0] for warning in warned]
    assert names == [*NAMES, *(f"accum.{name}" for name in NAMES), "global_step"]
    assert {warning.filename for warning in warned} == {__file__}
    start = [param.asnumpy() for param in optimizer.parameters]
    for part in grads[:STEPS]:
        mindspore_step(unswitched, part)
        ours.step(part)
    for param, array in zip(optimizer.parameters, start, strict=True):
        assert_same_bits(param.asnumpy(), array, param.name)
    to_mindspore(ours, optimizer)
    for part in grads[STEPS:]:
        mindspore_step(unswitched, part)
        mindspore_step(optimizer, part)
    assert_same_run(optimizer, unswitched)


SHARED_RATE = (
    r"^param_groups\[1\]\['lr'\]: expected 0.001\d*, the rate of param_groups\[0\], which shares 'learning_rate' with "
    r"it in MindSpore, got 0.5; give each group its own lr in the constructor$"
)


def test_groups_that_share_a_rate_in_mindspore_have_one_here() -> None:
    optimizer = optimizer_of(
        lambda params: nn.Adagrad([{"params": params[:2], "weight_decay": 0.5}, {"params": params[2:]}])
    )
    ours = from_mindspore(optimizer)
    ours.param_groups[1]["lr"] = 0.5
    with pytest.raises(ValueError, match=SHARED_RATE):
        to_mindspore(ours, optimizer)
    with pytest.raises(ValueError, match=SHARED_RATE):
        ours.state_dict()
    assert optimizer.learning_rate.asnumpy() == np.float32(0.001)
    ours.param_groups[0]["lr"] = 0.5
    to_mindspore(ours, optimizer)
    assert optimizer.learning_rate.asnumpy() == np.float32(0.5)
