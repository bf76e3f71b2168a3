"""Checkpoints that load: everything comes back bit for bit, and the run continues like an unbroken one."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.checkpoint_bytes import check_truncations_and_flips
from helpers.contents import contents, counters
from helpers.dialects import Dialect
from helpers.values import bfloat16, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from safetensors.numpy import load_file

HALVES: list[Any] = ["float16", bfloat16]
REAL: list[Any] = [*HALVES, "float32", "float64"]
RATES = [0.5, 0.1, 0.037, 0.3, 1 / 3, 0.2]
Params = dict[str, np.ndarray]


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


# The options of the optimizer; those of two groups follow, if there are groups.
TORCH: dict[str, list[dict[str, Any]]] = {
    "list": [{"lr": 0.037, "lr_decay": 0.01, "eps": 1e-10, "weight_decay": 0.1, "maximize": True}],
    "mapping": [{"lr": np.array([0.3], np.float32), "eps": np.float32(0.1)}],
    "groups": [{"lr": 0.3}, {"lr": np.array(0.25), "label": "a", "tags": ["x", None, {"y": 1.5}]}, {"maximize": True}],
    "schedule": [{"lr": falling}, {}, {"lr": 0.3}],
}
MINDSPORE: dict[str, list[dict[str, Any]]] = {
    "list": [{"accum": 0.5, "learning_rate": 0.0123, "weight_decay": 0.1, "loss_scale": 3.7}],
    "mapping": [{"learning_rate": RATES, "update_slots": False}],
    "groups": [{"learning_rate": 0.3, "weight_decay": 0.1}, {"lr": RATES}, {"grad_centralization": True}],
    "schedules": [{"learning_rate": 0.3}, {"lr": falling}, {"weight_decay": falling}],
}
CASES: list[tuple[Any, str, Any]] = [(TorchAdagrad, form, dtype) for form in TORCH for dtype in [*REAL, "c8", "c16"]]
CASES += [(MindSporeAdagrad, form, dtype) for form in MINDSPORE for dtype in REAL]


def make(rule: Any, form: str, params: Params) -> Any:
    options, *groups = (TORCH if rule is TorchAdagrad else MINDSPORE)[form]
    if not groups:
        return rule(params if form == "mapping" else list(params.values()), **options)
    pairs = list(params.items())
    entries: Any = [{"params": pairs[:4], **groups[0]}, {"params": pairs[4:], **groups[1]}]
    if rule is MindSporeAdagrad and form == "groups":
        entries.append({"order_params": list(params.values())[::-1]})
    return rule(entries, **options)


def flat(optimizer: Any) -> list[np.ndarray]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def run(optimizer: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(3):
        optimizer.step([draw(rng, param.shape, param.dtype, "normal") for param in flat(optimizer)])


def forget(optimizer: Any) -> None:
    """Overwrite all arrays and options."""
    arrays = [array for state in optimizer.state.values() for array in state.values()]
    for array in [*flat(optimizer), *counters(optimizer), *arrays]:
        array[...] = 7
    for group in optimizer.param_groups:
        for key in ("lr", "lr_decay", "eps", "weight_decay"):
            if key in group and not callable(group[key]):
                group[key] = group[key] * 0
        for key in {"maximize", "grad_centralization"} & set(group):
            group[key] = not group[key]
        for key in {"label", "tags"} & set(group):
            del group[key]


@pytest.mark.parametrize(("rule", "form", "dtype"), CASES, ids=str)
def test_everything_comes_back_and_the_run_continues(rule: Any, form: str, dtype: Any, tmp_path: Path) -> None:
    unbroken, resumed = (make(rule, form, draw_all(dtype, seed)) for seed in (1, 2))
    run(unbroken, seed=3)
    before = contents(unbroken)
    unbroken.save(tmp_path / "a.safetensors", parameters=True)
    assert contents(unbroken) == before
    run(resumed, seed=4)
    forget(resumed)
    own = flat(resumed)
    resumed.load(str(tmp_path / "a.safetensors"), parameters=True)
    assert contents(resumed) == before
    assert all(param is array for param, array in zip(flat(resumed), own, strict=True))
    run(unbroken, seed=5)
    run(resumed, seed=5)
    assert contents(resumed) == contents(unbroken)


@pytest.mark.parametrize("dtype", [*HALVES, "float32"], ids=str)
def test_any_bits_and_float32_accumulators(dtype: Any, dialect: Dialect, tmp_path: Path) -> None:
    """NaNs with their payloads, infinities, subnormals, zeros of both signs."""
    saved, loaded = (dialect.make(draw_all(dtype, seed), state_dtype=np.float32) for seed in (1, 2))
    rng = np.random.default_rng(6)
    for array in [*flat(saved), *dialect.accumulators(saved)]:
        array[...] = draw(rng, array.shape, array.dtype, "bits")
    saved.save(tmp_path / "a", parameters=True)
    loaded.load(tmp_path / "a", parameters=True)
    assert contents(loaded) == contents(saved)


@pytest.mark.parametrize("saved", REAL, ids=str)
@pytest.mark.parametrize("dtype", REAL, ids=str)
def test_arrays_of_another_dtype_are_cast(saved: Any, dtype: Any, dialect: Dialect, tmp_path: Path) -> None:
    """Between the half types it was an error."""
    with np.errstate(over="ignore"):
        values = np.array([1.5, -2.0, 2.0**100, 3e-41]).astype(saved)
    dialect.optimizer({"w": values}).save(tmp_path / "a", parameters=True)
    target = np.zeros(4, dtype)
    dialect.optimizer({"w": target}).load(tmp_path / "a", parameters=True)
    with np.errstate(over="ignore"):
        assert_same_bits(target, values.astype(dtype))


def test_memory_mapped_arrays(dialect: Dialect, tmp_path: Path) -> None:
    def mapped(shape: tuple[int, ...], dtype: Any, value: Any) -> np.ndarray:
        array = np.memmap(tmp_path / f"{len(list(tmp_path.iterdir()))}", dtype, "w+", shape=shape)
        array[...] = value
        return array

    params = [mapped((7, 3), np.float32, value) for value in (1, 2)]
    saved, loaded = (dialect.make([p], allocate=lambda p, dtype, value: mapped(p.shape, dtype, value)) for p in params)
    run(saved, seed=1)
    saved.save(tmp_path / "a", parameters=True)
    files = len(list(tmp_path.iterdir()))
    loaded.load(tmp_path / "a", parameters=True)
    assert contents(loaded) == contents(saved)
    assert len(list(tmp_path.iterdir())) == files  # loading allocates no accumulator


@pytest.mark.parametrize("saved_too", [False, True])
def test_parameters_load_only_on_request(saved_too: bool, dialect: Dialect, tmp_path: Path) -> None:
    saved, loaded = dialect.make({"w": np.ones(3)}), dialect.make({"w": np.full(3, 7.0)})
    run(saved, seed=1)
    saved.save(tmp_path / "a", parameters=saved_too)
    loaded.load(tmp_path / "a")
    assert_same_bits(flat(loaded)[0], np.full(3, 7.0))
    assert_same_bits(dialect.accumulator(loaded, 0), dialect.accumulator(saved, 0))


def test_safetensors_alone_reads_the_arrays(tmp_path: Path) -> None:
    """Those of another byte order come back in the machine's."""
    optimizer = TorchAdagrad({"w": np.ones(3), "z": np.full(2, 1 + 2j)}, lr=np.array([0.5], ">f8"))
    run(optimizer, seed=1)
    optimizer.save(tmp_path / "a", parameters=True)
    arrays = load_file(tmp_path / "a")
    assert set(arrays) == {"sum.w", "step.w", "param.w", "sum.z", "step.z", "param.z", "group.0.lr"}
    assert_same_bits(arrays["param.w"], flat(optimizer)[0])
    assert_same_bits(arrays["sum.z"].view(complex)[:, 0], optimizer.state[1]["sum"])
    optimizer.load(tmp_path / "a")
    assert_same_bits(optimizer.param_groups[0]["lr"], np.array([0.5]))


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize(
    ("rule", "options"), [(TorchAdagrad, ["lr"]), (MindSporeAdagrad, ["learning_rate", "weight_decay"])]
)
def test_schedules_stay_and_are_saved_as_the_value_last_used(
    rule: Any, options: list[str], steps: int, tmp_path: Path
) -> None:
    first, second, fixed = (rule([np.ones(3)], **dict.fromkeys(options, rate)) for rate in (falling, falling, 0.3))
    keys = ["lr", *options[1:]]
    for _ in range(steps):
        first.step([np.ones(3)])
    first.save(tmp_path / "first")
    second.load(tmp_path / "first")
    assert {second.param_groups[0][key] for key in keys} == {falling}
    second.save(tmp_path / "second")
    for name in ("first", "second"):
        fixed.load(tmp_path / name)
        assert {fixed.param_groups[0][key] for key in keys} == {falling(max(steps - 1, 0))}


def test_no_pickle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is pickled or unpickled. That the module is imported says nothing: NumPy does so for its own files."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, fail)
    optimizer = TorchAdagrad({"w": np.ones(3)})
    optimizer.save(tmp_path / "a", parameters=True)
    optimizer.load(tmp_path / "a", parameters=True)
    for name, module in list(sys.modules.items()):
        assert not name.startswith("numpy_adagrad.checkpoint") or "pickle" not in vars(module)


# Version 1 of the format: the files in `data` were written at revision f51a83a, after two steps.


def torch_version_1() -> tuple[Any, list[Any]]:
    """The optimizer that was saved, but for its accumulators, and the accumulators."""
    w = np.array([[0.2642977237701416, 2.7357022762298584], [3, 3.2642977237701416]], np.float32)
    z = np.array([0.2642977237701416 + 2.7357022762298584j, complex(-0.0, -3)], np.complex64)
    half = {"params": {"h": np.array([0.1318359375, -1.6328125], bfloat16)}, "lr": 0.25, "label": "half"}
    optimizer = TorchAdagrad([{"params": {"w": w, "z": z}, "lr": np.array([0.5])}, half], lr_decay=0.5)
    return optimizer, [[[18, 18], [0, 32]], [8 + 2j, 0], [2, 2]]


def mindspore_version_1() -> tuple[Any, list[Any]]:
    a, b = np.array([0.5021090507507324, 2, 3.6138803958892822], np.float32), np.array(-0.7026944831037415)
    second = {"params": [b], "weight_decay": 0.5, "grad_centralization": True}
    groups = [{"params": [a], "lr": [0.5, 0.25, 0.125]}, second]
    return MindSporeAdagrad(groups, learning_rate=0.75, loss_scale=2.0), [[3, 1, 9], 19.923751504974426]


@pytest.mark.parametrize("saved", [torch_version_1, mindspore_version_1])
def test_version_1(saved: Any) -> None:
    (expected, accumulators), (loaded, _) = saved(), saved()
    for counter in counters(expected):
        counter[...] = 2
    for state, values in zip(expected.state.values(), accumulators, strict=True):
        state[expected._accumulator][...] = values
    forget(loaded)
    path = Path(__file__).parent / "data" / f"{saved.__name__}.safetensors"
    loaded.load(path, parameters=True)
    assert contents(loaded) == contents(expected)
    check_truncations_and_flips(loaded, path.read_bytes())


def test_skipped_steps_are_saved(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, loaded = dialect.make([np.ones(2)]), dialect.make([np.ones(2)])
    optimizer.step([np.array([np.nan, 1])], on_nonfinite="skip")
    optimizer.save(tmp_path / "a")
    loaded.load(tmp_path / "a")
    assert loaded.skipped_steps == 1
