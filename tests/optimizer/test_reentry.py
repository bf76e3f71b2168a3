"""Calls of an optimizer while one of its steps runs other code."""

import copy
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import ones
from numpy_adagrad.inputs.types import Array
from scipy.sparse import csr_array


def calls_from_inside(optimizer: Any) -> dict[str, Callable[[], object]]:
    group, saved = {"params": [ones(5)]}, copy.deepcopy(optimizer.state_dict())
    return {
        "step": lambda: optimizer.step([ones(), None]),
        "call": lambda: optimizer([ones(), None]),
        "load_state_dict": lambda: optimizer.load_state_dict(saved),
        "add_param_group": lambda: optimizer.add_param_group(group),
    }


@pytest.mark.parametrize("name", ["step", "call", "load_state_dict", "add_param_group"])
def test_calls_from_inside_a_step(dialect: Dialect, name: str) -> None:
    """From a closure and from a schedule, which may read the state but not change it."""
    message = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
    active: list[Callable[[], object]] = []

    def schedule(step: int) -> float:
        if active:
            active[0]()
        return 0.5

    optimizer = dialect.optimizer([{"params": [ones()]}, {"params": [ones(2)], dialect.group_rate: schedule}])
    call = calls_from_inside(optimizer)[name]

    def closure() -> tuple[int, list[Array]]:
        assert optimizer.state_dict()
        call()
        return 0, [ones(), ones(2)]

    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step(closure=closure))
    active.append(call)
    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step([ones(), ones(2)]))
    active.clear()
    call()


def test_calls_from_inside_allocate(dialect: Dialect) -> None:
    """What it allocated for a nested call was lost, and such calls nested without end."""
    active: list[Callable[[], object]] = []

    def allocate(param: Array, dtype: Any, value: float) -> Array:
        if active:
            active[0]()
        return np.full(param.shape, value, dtype)

    optimizer = dialect.optimizer([{"params": [ones()]}], allocate=allocate)
    message = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
    active.append(lambda: optimizer.add_param_group({"params": [ones(3)]}))
    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.add_param_group({"params": [ones(2)]}))
    active[:] = [lambda: optimizer.step([ones()])]
    optimizer.param_groups[0]["params"][0] = ones()  # a new parameter needs an accumulator
    with pytest.raises(RuntimeError, match=message):
        optimizer.step([ones()])
    active.clear()
    optimizer.step([ones()])
    assert optimizer.steps == 1


@pytest.mark.parametrize("read", ["save", "state_dict", "last_lr"])
def test_a_schedule_reads_the_state_of_which_it_is_a_part(dialect: Dialect, read: str, tmp_path: Path) -> None:
    """Also before it has returned a value: it called itself without end."""
    path, active, reads = tmp_path / "a", list[Any](), list[Any]()

    def schedule(step: int) -> float:
        found = getattr(active[-1], read)
        reads.append(found(path) if read == "save" else found() if callable(found) else found)
        return 0.25

    for option in dialect.optimizer._scheduled_keys:
        options: dict[str, Any] = {dialect.rate if option == dialect.group_rate else option: schedule}
        active.append(dialect.make([ones()], **options))
        reads.clear()
        active[-1].step([ones()])
        assert reads
        if read == "last_lr":
            assert reads[-1] == active[-1].last_lr
            if option == dialect.group_rate:
                assert np.isnan(reads[0]).all()  # before the first value
        if read == "save":
            fixed = dialect.make([ones()])
            fixed.load(path)
            assert fixed.param_groups[0][option] == 0.25


def test_a_schedule_that_adds_groups_while_the_state_is_saved(dialect: Dialect, tmp_path: Path) -> None:
    """The new groups were read, too, and their schedules called: without end."""

    def schedule(step: int) -> float:
        optimizer.add_param_group({"params": [ones()]})
        return 0.25

    optimizer = dialect.optimizer([{"params": [ones()], dialect.group_rate: schedule}])
    message = "param_groups: expected the same groups while the state is read, got others"
    raises(RuntimeError, message, lambda: optimizer.save(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


class Calling(csr_array):  # type: ignore[misc]
    """A gradient whose own code runs while a step reads it."""

    call: Callable[[], object]

    @property
    def shape(self) -> Any:
        if "call" in vars(self):
            self.call()
        return super().shape


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}])
@pytest.mark.parametrize("name", ["step", "call", "load_state_dict", "add_param_group"])
def test_calls_from_inside_a_sparse_gradient(dialect: Dialect, name: str, options: dict[str, Any]) -> None:
    optimizer = dialect.optimizer([{"params": [ones((4, 4))]}, {"params": [ones((4, 4))]}])
    plain = csr_array(np.eye(4, dtype=np.float32))
    calling = Calling(plain)
    calling.call = calls_from_inside(optimizer)[name]
    optimizer.step([plain, plain], **options)
    message = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step([plain, calling], **options))
    calling.call = optimizer.state_dict
    optimizer.step([plain, calling], **options)
    calling.call()


def test_groups_rearranged_inside_a_sparse_gradient(dialect: Dialect) -> None:
    """Then no call may read the state until the step has followed; the step follows."""
    optimizer, reference = (
        dialect.optimizer([{"params": [ones((4, 4))]}, {"params": [ones((4, 4))], dialect.group_rate: 0.5}])
        for _ in range(2)
    )
    plain = csr_array(np.eye(4, dtype=np.float32))
    calling = Calling(plain)

    def rearrange() -> None:
        calling.call = lambda: None
        for one in (optimizer, reference):
            one.param_groups.reverse()
        with pytest.raises(RuntimeError, match="called from inside its own step or allocate"):
            optimizer.state_dict()

    calling.call = rearrange
    optimizer.step([plain, calling])
    reference.step([plain, plain])
    assert contents(optimizer) == contents(reference)


def test_a_step_that_failed_leaves_no_rate_behind(dialect: Dialect) -> None:
    """The next step asks the schedule that the group has then."""
    optimizer, reference = (
        dialect.optimizer([{"params": [ones()], dialect.group_rate: rate}]) for rate in (lambda step: 0.5, 0.25)
    )
    with pytest.raises(ValueError, match="shape"):
        optimizer.step([ones(4)])
    optimizer.param_groups[0][dialect.group_rate] = lambda step: 0.25
    optimizer.step([ones()])
    reference.step([ones()])
    for one, other in zip(*(o.param_groups[0]["params"] for o in (optimizer, reference)), strict=True):
        assert_same_bits(one, other, "parameter")


@pytest.mark.parametrize("case", ["plain", "max_norm", "grad_scale", "on_nonfinite", "schedule", "closure", "sparse"])
def test_a_signal_handler_saves(dialect: Dialect, case: str, tmp_path: Path) -> None:
    """Whenever Python runs it: during a step, in a schedule, a closure or a sparse gradient. The step goes on."""
    path = tmp_path / "a.safetensors"
    saved: list[bytes] = []
    active: list[bool] = []

    def raise_signal(*_: Any) -> float:
        signal.raise_signal(signal.SIGUSR1)
        return 0.5

    rate = raise_signal if case == "schedule" else 0.5
    optimizer = dialect.make([{"params": [ones((64, 64))], dialect.group_rate: rate}])
    grad: Any = ones((64, 64))
    if case == "sparse":
        grad = Calling(csr_array(np.eye(64, dtype=np.float32)))
        grad.call = raise_signal
    by_case: dict[str, dict[str, Any]] = {
        "max_norm": {"max_norm": 1.0},
        "grad_scale": {"grad_scale": 2.0},
        "on_nonfinite": {"on_nonfinite": "skip"},
        "closure": {"closure": lambda: (raise_signal(), [grad])},
    }
    options = by_case.get(case, {})

    def handler(*_: Any) -> None:
        if active:
            return  # the signal came again
        active.append(True)
        optimizer.save(path, parameters=True)
        saved.append(path.read_bytes())
        active.clear()

    def repeat() -> None:
        for _ in range(200):
            optimizer.step(None if case == "closure" else [grad], **options)

    before = signal.signal(signal.SIGUSR1, handler)
    main, stop = threading.get_ident(), threading.Event()

    def send() -> None:
        while not stop.wait(0.002):
            signal.pthread_kill(main, signal.SIGUSR1)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        while len(saved) < 5:
            repeat()
    finally:
        stop.set()
        sender.join(30)
        signal.signal(signal.SIGUSR1, before)
    path.write_bytes(saved[-1])
    loaded, undisturbed = (dialect.make([{"params": [ones((64, 64))], dialect.group_rate: 0.5}]) for _ in range(2))
    loaded.load(path, parameters=True)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    for _ in range(dialect.steps(loaded)[0]):
        undisturbed.step(None if case == "closure" else [grad], **options)
    signal.signal(signal.SIGUSR1, before)
    one, other = (contents(optimizer) for optimizer in (loaded, undisturbed))
    assert one["state"] == other["state"]
    assert [group["params"] for group in one["param_groups"]] == [group["params"] for group in other["param_groups"]]
