"""Checkpoints that load: everything comes back bit for bit, and the rest of the run is that of an unbroken one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.values import bfloat16, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from safetensors.numpy import load_file

Params = dict[str, np.ndarray]
DTYPES = ["float16", bfloat16, "float32", "float64", "complex64", "complex128"]
REAL = DTYPES[:4]
LIST = [0.5, 0.1, 0.037, 0.3, 1 / 3, 0.2]


def draw_all(dtype: Any, seed: int = 1) -> Params:
    """Arrays of every size and layout."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return draw(rng, shape, dtype, "normal")

    return {
        "scalar": normal(), "none": normal(0), "no rows": normal(0, 3), "vector": normal(17), "rows": normal(4, 5),
        "columns": np.asfortranarray(normal(3, 4)), "cube": normal(2, 3, 4).transpose(2, 0, 1),
        "spread": normal(5, 12)[:, ::2], "backward": normal(9)[::-1],
    }  # fmt: skip


def falling(step: int) -> float:
    return 0.5 / (1 + step)


def halves(params: Params) -> tuple[Any, Any]:
    pairs = list(params.items())
    return pairs[:4], pairs[4:]


# An optimizer of every form, with its own options or with others of the same form.
def torch_plain(params: Params, own: bool) -> TorchAdagrad:
    options: Any = {"lr": 0.037, "lr_decay": 0.01, "eps": 1e-10, "weight_decay": 0.1} if own else {"lr": 9.0}
    return TorchAdagrad(list(params.values()), **options, maximize=own)


def torch_named(params: Params, own: bool) -> TorchAdagrad:
    eps: Any = np.float32(0.1 if own else 9)
    return TorchAdagrad(params, lr=np.array([0.3 if own else 9], np.float32), eps=eps)


def torch_groups(params: Params, own: bool) -> TorchAdagrad:
    first, second = halves(params)
    entries = {"lr": np.array(0.25), "label": "a", "tags": ["x", None, {"y": 1.5}]} if own else {}
    return TorchAdagrad([{"params": first, **entries}, {"params": second, "maximize": own}], lr=0.3 if own else 9)


def torch_schedule(params: Params, own: bool) -> TorchAdagrad:
    first, second = halves(params)
    return TorchAdagrad([{"params": first}, {"params": second, "lr": 0.3 if own else 9}], lr=falling)


def mindspore_plain(params: Params, own: bool) -> MindSporeAdagrad:
    options: Any = {"accum": 0.5, "learning_rate": 0.0123, "weight_decay": 0.1} if own else {}
    return MindSporeAdagrad(list(params.values()), **options, loss_scale=3.7)


def mindspore_list(params: Params, own: bool) -> MindSporeAdagrad:
    return MindSporeAdagrad(params, learning_rate=LIST if own else [9.0] * 6, update_slots=False)


def mindspore_groups(params: Params, own: bool) -> MindSporeAdagrad:
    first, second = halves(params)
    groups = [{"params": first, "lr": LIST if own else [9.0] * 6}, {"params": second, "grad_centralization": own}]
    order = {"order_params": list(params.values())[::-1]}
    return MindSporeAdagrad([*groups, order], learning_rate=0.3 if own else 9.0, weight_decay=0.1 if own else 0)


def mindspore_schedules(params: Params, own: bool) -> MindSporeAdagrad:
    first, second = halves(params)
    groups = [{"params": first, "lr": falling}, {"params": second, "weight_decay": falling}]
    return MindSporeAdagrad(groups, learning_rate=0.3 if own else 9.0)


TORCH: list[Any] = [torch_plain, torch_named, torch_groups, torch_schedule]
MINDSPORE: list[Any] = [mindspore_plain, mindspore_list, mindspore_groups, mindspore_schedules]
CASES = [(make, dtype) for make in TORCH for dtype in DTYPES] + [(make, dtype) for make in MINDSPORE for dtype in REAL]


def flat(optimizer: Any) -> list[np.ndarray]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def run(optimizer: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(3):
        optimizer.step([draw(rng, param.shape, param.dtype, "normal") for param in flat(optimizer)])


@pytest.mark.parametrize(("make", "dtype"), CASES, ids=str)
def test_everything_comes_back_and_the_run_goes_on(make: Callable[..., Any], dtype: Any, tmp_path: Path) -> None:
    unbroken, resumed = make(draw_all(dtype), own=True), make(draw_all(dtype, seed=2), own=False)
    run(unbroken, seed=3)
    before = contents(unbroken)
    unbroken.save(tmp_path / "a.safetensors", parameters=True)
    assert contents(unbroken) == before
    run(resumed, seed=4)
    assert contents(resumed) != before
    own = flat(resumed)
    resumed.load(str(tmp_path / "a.safetensors"), parameters=True)
    assert contents(resumed) == before
    assert all(param is mine for param, mine in zip(flat(resumed), own, strict=True))
    run(unbroken, seed=5)
    run(resumed, seed=5)
    assert contents(resumed) == contents(unbroken)


@pytest.mark.parametrize(("make", "dtype"), [(make, dtype) for make, dtype in CASES if dtype in REAL[:2]], ids=str)
def test_float32_accumulators_of_half_types(make: Callable[..., Any], dtype: Any, tmp_path: Path) -> None:
    rule = TorchAdagrad if make in TORCH else MindSporeAdagrad
    unbroken, resumed = (rule(draw_all(dtype, seed), state_dtype=np.float32) for seed in (1, 2))
    run(unbroken, seed=3)
    unbroken.save(tmp_path / "a", parameters=True)
    resumed.load(tmp_path / "a", parameters=True)
    assert contents(resumed) == contents(unbroken)
    assert {state[rule._accumulator].dtype for state in resumed.state.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("make", TORCH + MINDSPORE)
def test_awkward_bits(make: Callable[..., Any], tmp_path: Path) -> None:
    """NaNs with their payloads, infinities, subnormals, zeros of both signs."""
    saved, loaded = make(draw_all("float32"), own=True), make(draw_all("float32", 2), own=False)
    rng = np.random.default_rng(6)
    for array in [*flat(saved), *(state[saved._accumulator] for state in saved.state.values())]:
        array[...] = draw(rng, array.shape, "float32", "bits")
    saved.save(tmp_path / "a", parameters=True)
    loaded.load(tmp_path / "a", parameters=True)
    assert contents(loaded) == contents(saved)


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_arrays_in_files(rule: Any, tmp_path: Path) -> None:
    def mapped(shape: tuple[int, ...], dtype: Any, value: Any) -> np.ndarray:
        array = np.memmap(tmp_path / f"{len(list(tmp_path.iterdir()))}", dtype, "w+", shape=shape)
        array[...] = value
        return array

    params = [mapped((7, 3), np.float32, value) for value in (1, 2)]
    saved, loaded = (rule([p], allocate=lambda p, dtype, value: mapped(p.shape, dtype, value)) for p in params)
    run(saved, seed=1)
    saved.save(tmp_path / "a", parameters=True)
    files = len(list(tmp_path.iterdir()))
    loaded.load(tmp_path / "a", parameters=True)
    assert contents(loaded) == contents(saved)
    assert len(list(tmp_path.iterdir())) == files  # none was allocated to be filled and thrown away


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
@pytest.mark.parametrize("there", [False, True])
def test_parameters_are_left_alone_unless_asked_for(there: bool, rule: Any, tmp_path: Path) -> None:
    saved, loaded = rule({"w": np.ones(3)}), rule({"w": np.full(3, 7.0)})
    run(saved, seed=1)
    saved.save(tmp_path / "a", parameters=there)
    loaded.load(tmp_path / "a")
    assert_same_bits(flat(loaded)[0], np.full(3, 7.0))
    assert_same_bits(loaded.state[0][rule._accumulator], saved.state[0][rule._accumulator])


def test_safetensors_alone_reads_the_arrays(tmp_path: Path) -> None:
    optimizer = TorchAdagrad({"w": np.ones(3), "z": np.full(2, 1 + 2j)}, lr=np.array([0.5]))
    run(optimizer, seed=1)
    optimizer.save(tmp_path / "a", parameters=True)
    arrays = load_file(tmp_path / "a")
    assert set(arrays) == {"sum.w", "step.w", "param.w", "sum.z", "step.z", "param.z", "group.0.lr"}
    assert_same_bits(arrays["param.w"], flat(optimizer)[0])
    assert_same_bits(arrays["sum.z"].view(complex)[:, 0], optimizer.state[1]["sum"])


def with_rate(rule: Any, rate: Any) -> Any:
    options = {"lr": rate} if rule is TorchAdagrad else {"learning_rate": rate, "weight_decay": rate}
    return rule([np.ones(3)], **options)


def rates(optimizer: Any) -> set[Any]:
    group = optimizer.param_groups[0]
    return {group["lr"]} if isinstance(optimizer, TorchAdagrad) else {group["lr"], group["weight_decay"]}


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_schedules_stay_and_stand_as_the_value_last_used(rule: Any, steps: int, tmp_path: Path) -> None:
    first, second, fixed = (with_rate(rule, rate) for rate in (falling, falling, 0.3))
    for _ in range(steps):
        first.step([np.ones(3)])
    first.save(tmp_path / "first")
    second.load(tmp_path / "first")
    assert rates(second) == {falling}
    second.save(tmp_path / "second")
    for name in ("first", "second"):
        fixed.load(tmp_path / name)
        assert rates(fixed) == {falling(max(steps - 1, 0))}
