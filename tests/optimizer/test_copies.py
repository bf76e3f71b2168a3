"""Copies by copy.deepcopy and pickle train on as the original, with their own arrays or the user's copied ones."""

import copy
import os
import threading
from pathlib import Path
from typing import Any

import dask
import joblib
import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.copiers import (
    Copier,
    Maker,
    draw_all,
    each_copier,
    each_maker,
    each_writeable_copier,
    mindspore_groups,
    named_groups,
    received,
    torch_groups,
)
from helpers.dialects import Dialect
from helpers.errors import raises
from helpers.random_step import falling, members, step, step_elsewhere
from numpy_adagrad import TorchAdagrad


@each_maker
@each_copier
def test_a_copy_is_private_and_trains_on_alike(duplicate: Copier, make: Maker) -> None:
    optimizer = make(draw_all())
    step(optimizer)
    twin = duplicate(optimizer)
    assert contents(twin) == contents(optimizer)
    before = contents(optimizer)
    step(twin, 1)
    step(twin, 2)
    assert contents(optimizer) == before
    step(optimizer, 1)
    step(optimizer, 2)
    assert contents(optimizer) != before
    assert contents(twin) == contents(optimizer)


@each_maker
@each_writeable_copier
def test_a_copy_made_with_its_arrays_updates_the_copied_arrays(duplicate: Copier, make: Maker) -> None:
    arrays = draw_all()
    optimizer = make(arrays)
    step(optimizer)
    twins, twin = duplicate((arrays, optimizer))
    before = [array.copy() for array in arrays]
    assert {id(array) for array in members(twin)} == {id(array) for array in twins}
    step(twin, 1)
    for array, old in zip(arrays, before, strict=True):
        assert_same_bits(array, old)
    step(optimizer, 1)
    for copied, array in zip(twins, arrays, strict=True):
        assert_same_bits(copied, array)


@each_copier
def test_a_copy_of_a_copy(dialect: Dialect, duplicate: Copier) -> None:
    optimizer = named_groups(dialect, draw_all())
    step(optimizer)
    twin = duplicate(duplicate(optimizer))
    step(optimizer, 1)
    step(twin, 1)
    assert contents(twin) == contents(optimizer)


@each_copier
def test_layouts(dialect: Dialect, duplicate: Copier) -> None:
    rng = np.random.default_rng(2)
    rows, columns = rng.random((4, 6)), np.asfortranarray(rng.random((4, 6)))
    spread, backward = rng.random((4, 12))[:, ::2], rng.random(9)[::-1]
    optimizer = dialect.optimizer([rows, columns, spread, backward])
    step(optimizer)
    twin = duplicate(optimizer)
    copied_rows, copied_columns, *others = members(twin)
    assert copied_rows.flags.c_contiguous
    assert copied_columns.flags.f_contiguous
    assert dialect.accumulator(twin, 1).flags.f_contiguous
    assert all(array.flags.c_contiguous for array in others)
    assert not any(np.shares_memory(a, b) for a, b in zip(members(twin), members(optimizer), strict=True))
    step(optimizer, 1)
    step(twin, 1)
    assert contents(twin) == contents(optimizer)


@each_copier
def test_parameters_of_a_group_in_a_tuple(dialect: Dialect, duplicate: Copier) -> None:
    optimizer = dialect.make([{"params": [np.ones(3), np.ones(2)]}])
    optimizer.param_groups[0]["params"] = tuple(optimizer.param_groups[0]["params"])
    step(optimizer)
    twin = duplicate(optimizer)
    step(optimizer, 1)
    step(twin, 1)
    assert contents(twin) == contents(optimizer)


def test_a_copy_of_what_is_no_group(dialect: Dialect) -> None:
    optimizer = dialect.make([np.ones(3)])
    optimizer.param_groups[0]["params"] = np.ones(3)
    message = "param_groups[0]['params']: expected a list, got ndarray"
    raises(TypeError, message, lambda: copy.deepcopy(optimizer))


@each_copier
def test_callables_and_options_are_kept(duplicate: Copier) -> None:
    twin = duplicate(torch_groups(draw_all()))
    assert twin.param_groups[0]["lr"] is falling
    other = duplicate(mindspore_groups(draw_all()))
    assert [group["lr"] is falling for group in other.param_groups] == [False, True]
    assert [group["weight_decay"] is falling for group in other.param_groups] == [True, False]
    assert (other.update_slots, other.names) == (False, ["param3", "param2", "param1", "param0"])
    rate = np.array(0.3)
    third = duplicate(TorchAdagrad([np.ones(3)], lr=rate))
    rate[...] = 7
    assert third.param_groups[0]["lr"] == 0.3


@each_copier
def test_skipped_steps_are_kept(dialect: Dialect, duplicate: Copier) -> None:
    optimizer = dialect.optimizer([np.ones(3)])
    optimizer.step([np.full(3, np.inf)], on_nonfinite="skip")
    twin = duplicate(optimizer)
    twin.step([np.full(3, np.inf)], on_nonfinite="skip")
    assert (optimizer.skipped_steps, twin.skipped_steps) == (1, 2)


@each_maker
@each_copier
def test_a_copy_made_in_a_closure_has_its_own_lock(duplicate: Copier, make: Maker) -> None:
    """There the original holds its lock, as its step is under way."""
    optimizer, twins = make(draw_all()), []

    def closure() -> tuple[float, Any]:
        twins.append(duplicate(optimizer))
        stepping = threading.Thread(target=step, args=(twins[0],), daemon=True)
        stepping.start()
        stepping.join(30)
        assert not stepping.is_alive()
        grads = [np.zeros_like(param) for param in members(optimizer)]
        return 0.25, dict(zip(optimizer.names, grads, strict=True)) if optimizer.names else grads

    reference = make(draw_all())
    step(reference)
    assert optimizer.step(closure=closure) == 0.25
    assert contents(twins[0]) == contents(reference)


@each_copier
def test_a_copy_made_in_another_thread(dialect: Dialect, duplicate: Copier) -> None:
    optimizer, twins = named_groups(dialect, draw_all()), []
    step(optimizer)
    copying = threading.Thread(target=lambda: twins.append(duplicate(optimizer)))
    copying.start()
    copying.join(30)
    step(optimizer, 1)
    step(twins[0], 1)
    assert contents(twins[0]) == contents(optimizer)


def test_joblib_sends_an_optimizer_to_a_process_and_back(dialect: Dialect) -> None:
    """Its arrays arrive there in read-only maps of files."""
    columns = np.asfortranarray(np.ones((90, 90)))
    optimizer = named_groups(dialect, [np.ones(5000), np.ones((70, 80)), np.ones(3), columns])
    step(optimizer)
    try:
        parallel = joblib.Parallel(n_jobs=2, max_nbytes=1000, mmap_mode="r")
        results = parallel(joblib.delayed(step_elsewhere)(optimizer) for _ in range(2))
    finally:
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    step(optimizer, 1)
    for twin, pid in results:
        assert pid != os.getpid()
        assert contents(twin) == contents(optimizer)
        step(twin, 2)


def test_dask_sends_an_optimizer_to_a_process_and_back(dialect: Dialect) -> None:
    optimizer = named_groups(dialect, draw_all(["float32"] * 4))
    step(optimizer)
    with dask.config.set(scheduler="processes", num_workers=1):
        ((twin, pid),) = dask.compute(dask.delayed(step_elsewhere)(optimizer))
    step(optimizer, 1)
    assert pid != os.getpid()
    assert contents(twin) == contents(optimizer)
    step(twin, 2)


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_joblib_loads_an_optimizer_from_a_file(dialect: Dialect, mode: str | None, tmp_path: Path) -> None:
    optimizer = named_groups(dialect, draw_all(["float32"] * 4))
    step(optimizer)
    path = str(tmp_path / "optimizer")
    joblib.dump((members(optimizer), optimizer), path)
    _, twin = joblib.load(path, mmap_mode=mode)
    step(optimizer, 1)
    step(twin, 1)
    assert contents(twin) == contents(optimizer)


def test_parameters_that_arrive_read_only_are_copied_once(dialect: Dialect) -> None:
    twin = received(named_groups(dialect, draw_all()), bytes)
    for i, param in enumerate(members(twin)):
        assert param is twin._slots[i].param
        assert param.flags.behaved


def test_rates_arrive_writeable_and_shared() -> None:
    optimizer = TorchAdagrad([{"params": [np.ones(3)]}, {"params": [np.ones(2)]}], lr=np.array(0.25), eps=0)
    twin = received(optimizer, bytes)
    twin.add_param_group({"params": [np.ones(1)]})
    twin.param_groups[0]["lr"][...] = 0.5
    twin.step([np.ones(3), np.ones(2), np.ones(1)])
    assert [param.tolist() for param in members(twin)] == [[0.5] * 3, [0.5] * 2, [0.5]]


@each_copier
def test_views_of_one_array_are_copied_apart(dialect: Dialect, duplicate: Copier) -> None:
    """As NumPy copies them: the twin's parameters do not lie in the twin of the array."""
    flat = np.ones(6)
    optimizer = dialect.make([flat[:4].reshape(2, 2), flat[4:]])
    copied, twin = duplicate((flat, optimizer))
    step(twin)
    assert copied.tolist() == flat.tolist() == [1] * 6
    assert not any(np.shares_memory(copied, param) for param in members(twin))
    step(optimizer)
    assert np.concatenate([param.ravel() for param in members(twin)]).tolist() == flat.tolist()
