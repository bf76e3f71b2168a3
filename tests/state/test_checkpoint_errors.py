"""Files that no optimizer may load, each with a right digest where it has one: one ValueError, and nothing changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoint_bytes import change, joined, split, with_header
from helpers.contents import contents
from helpers.errors import RULES, refuses
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from safetensors.numpy import save_file

Parts = Callable[[dict[str, Any], dict[str, Any], bytearray], Any]
each_rule = pytest.mark.parametrize("rule", RULES)


def made(rule: Any, **options: Any) -> Any:
    optimizer = rule({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)}, **options)
    optimizer.step({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)})
    return optimizer


def refuses_to_load(optimizer: Any, path: Path, message: str, **options: Any) -> None:
    before = contents(optimizer)
    refuses(ValueError, f"{path}: {message}", lambda: optimizer.load(path, **options))
    assert contents(optimizer) == before


def put(*path_and_value: Any) -> Parts:
    """Put a value at a path in the content."""
    *path, last, value = path_and_value

    def action(header: Any, content: Any, payload: bytearray) -> None:
        for key in path:
            content = content[key]
        content[last] = value

    return action


def of_header(action: Callable[[dict[str, Any]], Any]) -> Parts:
    return lambda header, content, payload: action(header)


def fill(key: str, values: bytes) -> Parts:
    def action(header: Any, content: Any, payload: bytearray) -> None:
        payload[slice(*header[key]["data_offsets"])] = values

    return action


def renamed(old: str, new: str) -> Parts:
    return of_header(lambda header: header.update({new: header.pop(old)}))


def group(**entries: Any) -> Parts:
    return put("groups", [{"params": ["a", "b"], "options": {}, "arrays": [], **entries}])


LIST = "expected the entries ['rule', 'package', 'named', 'parameters', 'steps', 'fixed', 'groups'], got"


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


F32, NAN = np.float32, np.float32("nan").tobytes()
BOTH: dict[str, tuple[Parts, str]] = {
    "format": (
        of_header(lambda header: header["__metadata__"].update(format="pt")),
        "expected a checkpoint of format 'numpy-adagrad', got 'pt'",
    ),
    "version": (
        of_header(lambda header: header["__metadata__"].update(version="2")),
        "expected a checkpoint of version '1', got '2'",
    ),
    "more metadata": (
        of_header(lambda header: header["__metadata__"].update(more="x")),
        "expected the metadata ['complex', 'content', 'format', 'sha256', 'version'], "
        "got ['complex', 'content', 'format', 'more', 'sha256', 'version']",
    ),
    "no digest": (
        of_header(lambda header: header["__metadata__"].pop("sha256")),
        "expected the metadata ['complex', 'content', 'format', 'sha256', 'version'], "
        "got ['complex', 'content', 'format', 'version']",
    ),
    "rule": (put("rule", "adam"), "rule: expected {0!r}, got 'adam'"),
    "kind of rule": (put("rule", 1), "content: expected 'rule' to be of type str, got 1"),
    "kind of named": (put("named", 1), "content: expected 'named' to be of type bool, got 1"),
    "kind of groups": (put("groups", {}), "content: expected 'groups' to be of type list, got {{}}"),
    "more content": (
        put("more", 1),
        f"content: {LIST} ['fixed', 'groups', 'more', 'named', 'package', 'parameters', ...]",
    ),
    "group": (put("groups", [1]), "groups[0]: expected the entries ['params', 'options', 'arrays'], got 1"),
    "no groups": (put("groups", []), "groups: expected [2] parameters, got []"),
    "name of another kind": (group(params=["a", 1]), "groups[0]['params']: expected a list of names, got ['a', 1]"),
    "nested name": (group(params=["a", []]), "groups[0]['params']: expected a list of names, got ['a', []]"),
    "name twice": (group(params=["a", "a"]), "groups: expected unique names, got ['a', 'a']"),
    "array option of another kind": (
        group(arrays=[["lr"]]),
        "groups[0]['arrays']: expected a list of names, got [['lr']]",
    ),
    "array option that is missing": (group(arrays=["lr"]), "arrays: expected 'group.0.lr', got none"),
    "missing array": (renamed("param.a", "param.c"), "arrays: expected 'param.a', got none"),
    "shape": (
        of_header(lambda header: header["param.b"].update(shape=[4])),
        "param.b: expected shape (2, 2), got (4,)",
    ),
    "dtype": (
        of_header(lambda header: header["param.a"].update(dtype="F8_E4M3", shape=[12])),
        "param.a: expected a dtype among ['F16', 'BF16', 'F32', 'F64', 'I8', 'I16', 'I32', 'I64', 'U8', 'U16', 'U32', "
        "'U64'], got F8_E4M3",
    ),
    "dimensions": (
        of_header(lambda header: header["param.a"].update(shape=[1] * 99 + [3])),
        "param.a: expected a shape that NumPy holds, got [1, 1, 1, 1, 1, 1, ...]",
    ),
    "size of a dimension": (
        of_header(lambda header: header.update(more={"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]})),
        "more: expected a shape that NumPy holds, got [0, 9223372036854775808]",
    ),
    "deep content": (put("rule", nested(200)), "content: expected 'rule' to be of type str, got [[[[[[[...]]]]]]]"),
    "complex of another kind": (
        of_header(lambda header: header["__metadata__"].update(complex="1")),
        "complex: expected a list of names, got 1",
    ),
    "complex name of another kind": (
        of_header(lambda header: header["__metadata__"].update(complex="[[]]")),
        "complex: expected a list of names, got [[]]",
    ),
    "complex that is not there": (
        of_header(lambda header: header["__metadata__"].update(complex='["x"]')),
        "x: expected pairs of float32 or float64, got none",
    ),
    "complex without pairs": (
        of_header(lambda header: header["__metadata__"].update(complex='["param.a"]')),
        "param.a: expected pairs of float32 or float64, got shape (3,) and dtype float32",
    ),
}
TORCH: dict[str, tuple[Parts, str]] = {
    "no rate": (group(), "param_groups[0]: expected an entry 'lr'"),
    "rate of another kind": (
        put("groups", 0, "options", "lr", [0.1]),
        "param_groups[0]['lr']: expected a number or a 1-element array, got list",
    ),
    "huge number": (
        put("groups", 0, "options", "eps", 10**400),
        "param_groups[0]['eps']: expected a number within float64, got a larger one",
    ),
    "counter not a number": (fill("step.b", NAN), "state[1]['step']: expected a whole number of steps, got nan"),
    "counter below zero": (
        fill("step.b", F32(-1).tobytes()),
        "state[1]['step']: expected a whole number of steps, got -1.0",
    ),
    "counter without end": (
        fill("step.b", F32("inf").tobytes()),
        "state[1]['step']: expected a whole number of steps, got inf",
    ),
    "part of a step": (
        fill("step.b", F32(1.5).tobytes()),
        "state[1]['step']: expected a whole number of steps, got 1.5",
    ),
    "complex sum": (
        of_header(
            lambda header: (header["sum.b"].update(shape=[2, 2]), header["__metadata__"].update(complex='["sum.b"]'))
        ),
        "state[1]['sum']: expected shape (2, 2), got (2,)",
    ),
}
MINDSPORE: dict[str, tuple[Parts, str]] = {
    "no rate": (group(), "groups: expected an entry 'lr'"),
    "list for a number": (
        put("groups", 0, "options", "lr", [0.1]),
        "learning_rate: expected shape (), got (1,)",
    ),
    "rate below zero": (
        put("groups", 0, "options", "lr", -1.0),
        "For 'Adagrad', the 'learning rate' must be float and must >= 0, but got '-1.0' with type 'float'.",
    ),
    "decay not a number": (
        put("groups", 0, "options", "weight_decay", float("nan")),
        "For 'Adagrad', the 'weight_decay' must be a legal value, but got 'nan'.",
    ),
    "decay of another kind": (
        put("groups", 0, "options", "weight_decay", "0.1"),
        "weight_decay: expected a number or a 1-element array, got str",
    ),
    "centralisation": (
        put("groups", 0, "options", "grad_centralization", 1),
        "For 'Adagrad', the type of 'grad_centralization' should be 'bool', but got type 'int'.",
    ),
    "counter below zero": (
        fill("global_step", np.int32(-1).tobytes()),
        "global_step: expected a whole number of steps, got -1.0",
    ),
    "counter of another kind": (
        of_header(lambda header: header["global_step"].update(dtype="F32")),
        "global_step: expected values that int32 can hold, got float32",
    ),
    "update_slots": (put("fixed", "update_slots", False), "update_slots: expected True, got False"),
    "loss_scale": (put("fixed", "loss_scale", 2), "loss_scale: expected 1.0, got 2"),
    "no loss_scale": (put("fixed", {"update_slots": True}), "loss_scale: expected 1.0, got None"),
}
CASES = [(rule, *case) for rule in RULES for case in BOTH.values()]
CASES += [(TorchAdagrad, *case) for case in TORCH.values()] + [(MindSporeAdagrad, *case) for case in MINDSPORE.values()]


@pytest.mark.parametrize(("rule", "action", "message"), CASES, ids=[f"{c[0].__name__} {c[2]:.60}" for c in CASES])
def test_a_file_that_says_something_else(rule: Any, action: Parts, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    made(rule).save(path, parameters=True)
    change(path, lambda *parts: None)
    made(rule).load(path, parameters=True)  # the way of changing it is sound
    change(path, action)
    refuses_to_load(made(rule), path, message.format(rule._rule), parameters=True)


def test_a_counter_beyond_int32(tmp_path: Path) -> None:
    path = tmp_path / "a"
    optimizer = made(MindSporeAdagrad)
    optimizer.save(path)
    arrays = {"accum.a": np.ones(3, np.float32), "accum.b": np.ones((2, 2), np.float32)}
    header, content, _ = split(path.read_bytes())
    save_file({**arrays, "global_step": np.array([2**32 + 5])}, path, {**header["__metadata__"], "content": "{}"})
    other, _, payload = split(path.read_bytes())
    path.write_bytes(joined(other, content, payload))
    refuses_to_load(optimizer, path, "global_step: expected a number of steps within int32, got 4294967301")


@each_rule
def test_other_files(rule: Any, tmp_path: Path) -> None:
    optimizer, path = made(rule), tmp_path / "a"
    before = contents(optimizer)
    for data in (b"", b"\x80\x04", b"\xff" * 100, (10**7).to_bytes(8, "little") + b"{}"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"^{path}: expected a safetensors file, got one with Error "):
            optimizer.load(path)
        assert contents(optimizer) == before
    save_file({"w": np.ones(3)}, path)
    refuses_to_load(optimizer, path, "expected a checkpoint of format 'numpy-adagrad', got None")
    save_file({"w": np.ones(3)}, path, {"format": "pt"})
    refuses_to_load(optimizer, path, "expected a checkpoint of format 'numpy-adagrad', got 'pt'")
    other = next(r for r in RULES if r is not rule)
    made(other).save(path)
    refuses_to_load(optimizer, path, f"rule: expected {rule._rule!r}, got {other._rule!r}")
    made(rule).save(path)
    message = "expected parameters, saved with parameters=True, got a file without them"
    refuses_to_load(optimizer, path, message, parameters=True)
    with pytest.raises(FileNotFoundError):
        optimizer.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        optimizer.load(tmp_path)


@each_rule
def test_json_beyond_reason(rule: Any, tmp_path: Path) -> None:
    optimizer, path = made(rule), tmp_path / "a"
    made(rule).save(path)
    header, _, payload = split(path.read_bytes())
    for text, message in (
        ("[" * 100_000, "content: expected JSON of a few levels, got a deeper one"),
        ("[" * 100_000 + "]" * 100_000, "content: expected JSON of a few levels, got a deeper one"),
        ("", "content: expected JSON, got one with Expecting value: line 1 column 1 (char 0)"),
        ('{"rule": 1, "rule": 1}', "content: expected JSON, got one with a key twice: ['rule', 'rule']"),
        ("NaN", f"content: {LIST} nan"),
        ("1", f"content: {LIST} 1"),
    ):
        metadata = {**header["__metadata__"], "content": text}
        path.write_bytes(with_header({**header, "__metadata__": metadata}, payload))
        refuses_to_load(optimizer, path, message)
    metadata = {**header["__metadata__"], "content": "1" * 100_000}
    path.write_bytes(with_header({**header, "__metadata__": metadata}, payload))
    with pytest.raises(ValueError, match=f"^{path}: content: expected JSON, got one with Exceeds the limit"):
        optimizer.load(path)


@each_rule
def test_a_key_twice_in_the_header(rule: Any, tmp_path: Path) -> None:
    optimizer, path = made(rule), tmp_path / "a"
    made(rule).save(path)
    header, content, payload = split(path.read_bytes())
    header["__metadata__"]["content"] = json.dumps(content)
    text = json.dumps(header, separators=(",", ":"))
    path.write_bytes(with_header(text.replace('"format":', '"format":"","format":').encode(), payload))
    with pytest.raises(ValueError, match=f"^{path}: header: expected JSON, got one with a key twice:"):
        optimizer.load(path)


def test_fixed_options_and_lists_of_other_lengths(tmp_path: Path) -> None:
    path = tmp_path / "a"
    made(MindSporeAdagrad, update_slots=False, loss_scale=2.0).save(path)
    refuses_to_load(made(MindSporeAdagrad, loss_scale=2.0), path, "update_slots: expected True, got False")
    refuses_to_load(made(MindSporeAdagrad, update_slots=False), path, "loss_scale: expected 1.0, got 2.0")
    made(MindSporeAdagrad, learning_rate=[0.1, 0.2]).save(path)
    other = made(MindSporeAdagrad, learning_rate=[0.1, 0.2, 0.3])
    refuses_to_load(other, path, "learning_rate: expected shape (3,), got (2,)")
    refuses_to_load(made(MindSporeAdagrad), path, "learning_rate: expected shape (), got (2,)")
