"""MindSporeAdagrad.load reads the .ckpt files of mindspore.save_checkpoint."""

import re
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import raises
from helpers.mindspore_arrays import mindspore_adagrad, mindspore_step
from mindspore import Tensor
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

RATES = [0.5, 0.25, 0.125, 0.1]


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"fc.weight": rng.random((4, 5), np.float32), "fc.bias": rng.random(5, np.float32)}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Path]:
    """An optimizer of MindSpore after a step, and its file."""
    theirs, path = mindspore_adagrad(arrays(1).items(), learning_rate=RATES), tmp_path / "theirs.ckpt"
    mindspore_step(theirs, arrays(2).values())
    mindspore.save_checkpoint(theirs, str(path))
    return theirs, path


@pytest.mark.parametrize("kind", [str, Path])
def test_the_run_continues(kind: type, saved: tuple[Any, Path]) -> None:
    theirs, path = saved
    ours = MindSporeAdagrad(arrays(3), accum=9.0, learning_rate=[0.0] * len(RATES))
    ours.load(kind(path), parameters=True)
    for seed in (4, 5):
        mindspore_step(theirs, arrays(seed).values())
        ours.step(arrays(seed))
    for parameter in theirs.get_parameters():
        expected = parameter.asnumpy()
        assert_same_bits(ours.state_dict(parameters=True)[parameter.name], expected, parameter.name)


def test_entries_of_the_network_and_the_program_are_passed_over(saved: tuple[Any, Path]) -> None:
    """Such files are those of MindSpore's ModelCheckpoint. They raised an error."""
    theirs, path = saved
    entries = [{"name": parameter.name, "data": parameter} for parameter in theirs.get_parameters()]
    entries.append({"name": "norm.moving_mean", "data": Tensor(np.ones(5, np.float32))})
    mindspore.save_checkpoint(entries, str(path), append_dict={"epoch_num": 3})
    ours = MindSporeAdagrad(arrays(3), learning_rate=RATES)
    ours.load(path, parameters=True)
    assert "norm.moving_mean" not in ours.state_dict(parameters=True)
    for i, array in enumerate(theirs.accum):
        assert_same_bits(ours.state[i]["accum"], array.asnumpy())


def test_the_way_back_is_a_file_of_mindspore(saved: tuple[Any, Path]) -> None:
    ours = MindSporeAdagrad(arrays(3), learning_rate=RATES)
    ours.step(arrays(4))
    mindspore.save_checkpoint(ours.state_dict(parameters=True), str(saved[1]))
    assert mindspore.load_param_into_net(saved[0], mindspore.load_checkpoint(str(saved[1]))) == ([], [])
    for parameter in saved[0].get_parameters():
        expected = ours.state_dict(parameters=True)[parameter.name]
        assert_same_bits(parameter.asnumpy(), expected, parameter.name)


def test_a_file_without_accumulators(tmp_path: Path) -> None:
    path = str(tmp_path / "net.ckpt")
    mindspore.save_checkpoint([{"name": "fc.weight", "data": Tensor(np.ones((4, 5), np.float32))}], path)
    message = f"{path}: state_dict: expected an entry 'global_step', got the accumulators []"
    with pytest.raises(ValueError, match=re.escape(message)):
        MindSporeAdagrad(arrays(3)).load(path)


def test_a_safetensors_file_of_mindspore(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    theirs = mindspore_adagrad(arrays(1).items(), learning_rate=RATES)
    mindspore.save_checkpoint(theirs, str(path), format="safetensors")
    ours = MindSporeAdagrad(arrays(3), accum=9.0, learning_rate=RATES)
    cure = "got 'ms'; give load_state_dict the result of mindspore.load_checkpoint(..., format='safetensors')"
    with pytest.raises(ValueError, match=re.escape(cure)):
        ours.load(path)
    ours.load_state_dict(mindspore.load_checkpoint(str(path), format="safetensors"))
    assert_same_bits(ours.state[0]["accum"], theirs.accum[0].asnumpy())


def test_parameters_without_names_are_matched_by_position(saved: tuple[Any, Path]) -> None:
    ours = MindSporeAdagrad(list(arrays(3).values()), learning_rate=RATES)
    ours.load(saved[1], parameters=True)
    for i, (array, expected) in enumerate(zip(saved[0].accum, saved[0].parameters, strict=True)):
        assert_same_bits(ours.state[i]["accum"], array.asnumpy())
        assert_same_bits(ours.param_groups[0]["params"][i], expected.asnumpy())


def test_parameters_load_only_on_request(saved: tuple[Any, Path]) -> None:
    own = arrays(3)
    ours = MindSporeAdagrad(own, learning_rate=RATES)
    ours.load(saved[1])
    for name, array in arrays(3).items():
        assert_same_bits(own[name], array, name)
    assert ours.global_step == 1


def raises_on_load(optimizer: Any, path: Path, start: str) -> None:
    """The rest of the message may be MindSpore's."""
    before = contents(optimizer)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {start}')}") as caught:
        optimizer.load(path, parameters=True)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
    assert contents(optimizer) == before


def test_damage(saved: tuple[Any, Path], tmp_path: Path) -> None:
    data, path = saved[1].read_bytes(), tmp_path / "damaged.ckpt"
    optimizer = MindSporeAdagrad(arrays(3), learning_rate=RATES)
    optimizer.save(tmp_path / "ours")
    for damaged in (b"\xff" * 100, data[: len(data) // 2], data[1:], (tmp_path / "ours").read_bytes()):
        path.write_bytes(damaged)
        raises_on_load(optimizer, path, "")
    path.write_bytes(b"\xff" * 100)
    raises_on_load(
        optimizer, path, "expected a checkpoint of MindSpore, which says: Failed to read the checkpoint file"
    )
    path.write_bytes(b"")
    raises_on_load(optimizer, path, "expected a checkpoint of MindSpore, got an empty file")


def test_a_name_in_upper_case(saved: tuple[Any, Path]) -> None:
    path = saved[1].rename(saved[1].with_suffix(".CKPT"))
    optimizer = MindSporeAdagrad(arrays(3), learning_rate=RATES)
    raises_on_load(optimizer, path, "expected the ending .ckpt, as MindSpore reads no .CKPT")
    message = f"{path}: expected a name without .ckpt, which is MindSpore's own format"
    raises(ValueError, message, lambda: optimizer.save(path))


def test_mismatches(saved: tuple[Any, Path]) -> None:
    path, optimizer = saved[1], MindSporeAdagrad(arrays(3))
    raises_on_load(optimizer, path, "learning_rate: expected shape (), got (4,)")
    renamed = MindSporeAdagrad({"w": np.ones(3)}, learning_rate=RATES)
    raises_on_load(renamed, path, "state_dict: expected an entry 'w'")
    with pytest.raises(FileNotFoundError):
        optimizer.load(path.with_name("none.ckpt"))
    message = f"{path}: expected a checkpoint of numpy-adagrad, got a file name of another format"
    raises(ValueError, message, lambda: TorchAdagrad(arrays(3)).load(path))
