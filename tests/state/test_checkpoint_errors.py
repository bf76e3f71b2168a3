"""Files that do not fit, each with the right digest where it has one: one ValueError, and nothing changes.

Libraries that are missing: one ImportError.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoint_bytes import Change, change, join, split, with_header
from helpers.dialects import DIALECTS, Dialect
from helpers.errors import raises_unchanged
from helpers.interpreters import program
from helpers.values import bfloat16
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from safetensors.numpy import save_file


def make(rule: Any, **options: Any) -> Any:
    optimizer = rule({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)}, **options)
    optimizer.step({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)})
    return optimizer


def raises_on_load(optimizer: Any, path: Path, message: str, **options: Any) -> None:
    raises_unchanged(optimizer, ValueError, f"{path}: {message}", lambda: optimizer.load(path, **options))


def put(path: str, value: Any) -> Change:
    """Put a value at a path in the arrays' entries, the metadata or the content."""

    def action(header: Any, payload: bytearray) -> None:
        metadata = header["__metadata__"]
        place: Any = {"arrays": header, "metadata": metadata, "content": metadata["content"]}
        *keys, last = path.split("/")
        for key in keys:
            place = place[int(key) if isinstance(place, list) else key]
        place[last] = value

    return action


def both(*actions: Change) -> Change:
    return lambda header, payload: [action(header, payload) for action in actions]


def fill(key: str, value: np.generic) -> Change:
    """Fill the bytes of an array."""
    return lambda header, payload: payload.__setitem__(slice(*header[key]["data_offsets"]), value.tobytes())


def group(**entries: Any) -> Change:
    return put("content/groups", [{"params": ["a", "b"], "options": {}, "arrays": [], **entries}])


def option(name: str, value: Any) -> Change:
    return put(f"content/groups/0/options/{name}", value)


def nested(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


ENTRIES = (
    "content: expected the entries ['rule', 'package', 'named', 'parameters', 'fixed', 'groups', 'skipped_steps'], got"
)
METADATA = "expected the metadata ['complex', 'content', 'format', 'sha256', 'version'], got a damaged file with"
DEEP = "content: expected JSON of a few levels, got a deeper one"
NOT_JSON = "content: expected JSON, got one with"
NO_DTYPE = (
    "param.a: expected a dtype among ['F16', 'BF16', 'F32', 'F64', 'I8', 'I16', 'I32', 'I64', 'U8', 'U16', 'U32', "
    "'U64', 'BOOL'], got F8_E4M3"
)
LARGE = {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}
MANY = [1] * 99 + [3]
NO_STEPS = "expected a whole number of steps, got"
MS = "For 'Adagrad', the"

Case = tuple[Change, str]
ALL: list[Case] = [
    (put("metadata/format", "pt"), "expected a checkpoint of format 'numpy-adagrad', got 'pt'"),
    (put("metadata/version", "3"), "expected a checkpoint of version '1' or '2', got '3'"),
    (put("metadata/more", "x"), f"{METADATA} ['complex', 'content', 'format', 'more', 'sha256', 'version']"),
    (
        lambda header, payload: header["__metadata__"].pop("sha256"),
        f"{METADATA} ['complex', 'content', 'format', 'version']",
    ),
    (put("metadata/content", "[" * 100_000), DEEP),
    (put("metadata/content", "[" * 100_000 + "]" * 100_000), DEEP),
    (put("metadata/content", ""), f"{NOT_JSON} Expecting value: line 1 column 1 (char 0)"),
    (put("metadata/content", '{"rule": 1, "rule": 1}'), f"{NOT_JSON} a key twice: ['rule', 'rule']"),
    (put("metadata/content", "NaN"), f"{ENTRIES} nan"),
    (put("metadata/content", "1"), f"{ENTRIES} 1"),
    (put("content/more", 1), f"{ENTRIES} ['fixed', 'groups', 'more', 'named', 'package', 'parameters', ...]"),
    (put("content/rule", "adam"), "rule: expected {rule!r}, got 'adam'"),
    (put("content/rule", 1), "content: expected 'rule' to be of type str, got 1"),
    (put("content/rule", nested(200)), "content: expected 'rule' to be of type str, got [[[[[[[...]]]]]]]"),
    (put("content/skipped_steps", -1), "skipped_steps: expected a number of at least 0, got -1"),
    (put("content/skipped_steps", True), "content: expected 'skipped_steps' to be of type int, got True"),
    (put("content/named", 1), "content: expected 'named' to be of type bool, got 1"),
    (put("content/groups", {}), "content: expected 'groups' to be of type list, got {{}}"),
    (put("content/groups", [1]), "groups[0]: expected the entries ['params', 'options', 'arrays'], got 1"),
    (put("content/groups", []), "groups: expected [2] parameters, got []"),
    (group(params=["a", 1]), "groups[0]['params']: expected a list of names, got ['a', 1]"),
    (group(params=["a", []]), "groups[0]['params']: expected a list of names, got ['a', []]"),
    (group(params=["a", "a"]), "groups: expected unique names, got ['a', 'a']"),
    (group(arrays=[["lr"]]), "groups[0]['arrays']: expected a list of names, got [['lr']]"),
    (group(arrays=["lr"]), "arrays: expected 'group.0.lr', got none"),
    (
        lambda header, payload: header.update({"param.c": header.pop("param.a")}),
        "arrays: expected 'param.a', got none",
    ),
    (
        put("arrays/more", {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}),
        "arrays: expected those of the parameters, got 'more'",
    ),
    (put("arrays/more", LARGE), "more: expected a shape that NumPy holds, got [0, 9223372036854775808]"),
    (put("arrays/param.b/shape", [4]), "param.b: expected shape (2, 2), got (4,)"),
    (put("arrays/param.a/shape", MANY), "param.a: expected a shape that NumPy holds, got [1, 1, 1, 1, 1, 1, ...]"),
    (both(put("arrays/param.a/shape", [12]), put("arrays/param.a/dtype", "F8_E4M3")), NO_DTYPE),
    (put("metadata/complex", "1"), "complex: expected a list of names, got 1"),
    (put("metadata/complex", "[[]]"), "complex: expected a list of names, got [[]]"),
    (put("metadata/complex", '["x"]'), "x: expected pairs of float32 or float64, got none"),
    (
        put("metadata/complex", '["param.a"]'),
        "param.a: expected pairs of float32 or float64, got shape (3,) and dtype float32",
    ),
]
OWN: dict[str, list[Case]] = {
    "torch": [
        (group(), "param_groups[0]: expected an entry 'lr'"),
        (option("lr", [0.1]), "param_groups[0]['lr']: expected a number or a 1-element array, got list"),
        (option("eps", 10**400), "param_groups[0]['eps']: expected a number within float64, got a larger one"),
        (fill("step.b", np.float32("nan")), f"state[1]['step']: {NO_STEPS} nan"),
        (fill("step.b", np.float32("inf")), f"state[1]['step']: {NO_STEPS} inf"),
        (fill("step.b", np.float32(-1)), f"state[1]['step']: {NO_STEPS} -1.0"),
        (fill("step.b", np.float32(1.5)), f"state[1]['step']: {NO_STEPS} 1.5"),
        (put("metadata/complex", '["sum.b"]'), "state[1]['sum']: expected shape (2, 2), got (2,)"),
    ],
    "mindspore": [
        (group(), "groups: expected an entry 'lr'"),
        (option("lr", [0.1]), "learning_rate: expected shape (), got (1,)"),
        (
            option("lr", -1.0),
            f"{MS} 'learning rate' must be float and must >= 0, but got '-1.0' with type 'float'.",
        ),
        (option("weight_decay", float("nan")), f"{MS} 'weight_decay' must be a legal value, but got 'nan'."),
        (option("weight_decay", "0.1"), "weight_decay: expected a number or a 1-element array, got str"),
        (
            option("grad_centralization", 1),
            f"{MS} type of 'grad_centralization' should be 'bool', but got type 'int'.",
        ),
        (fill("global_step", np.int32(-1)), f"global_step: {NO_STEPS} -1.0"),
        (put("arrays/global_step/dtype", "F32"), "global_step: expected values that int32 can hold, got float32"),
        (
            both(put("arrays/global_step/dtype", "U32"), fill("global_step", np.uint32(2**31 + 5))),
            "global_step: expected a number of steps within int32, got 2147483653",
        ),
        (put("content/fixed/update_slots", False), "update_slots: expected True, got False"),
        (put("content/fixed/loss_scale", 2), "loss_scale: expected 1.0, got 2"),
        (put("content/fixed", {"update_slots": True}), "loss_scale: expected 1.0, got None"),
    ],
}


CASES = [(rule, *case) for rule in DIALECTS for case in ALL + OWN.get(rule, [])]


@pytest.mark.parametrize(("rule", "action", "message"), CASES, ids=[f"{case[0]} {case[2]:.60}" for case in CASES])
def test_a_changed_file(rule: str, action: Change, message: str, tmp_path: Path) -> None:
    path, optimizer = tmp_path / "a", DIALECTS[rule].optimizer
    make(optimizer).save(path, parameters=True)
    change(path, action)
    raises_on_load(make(optimizer), path, message.format(rule=rule), parameters=True)


def test_other_files(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, path = make(dialect.optimizer), tmp_path / "a"
    for data in (b"", b"\x80\x04", b"\xff" * 100, (10**7).to_bytes(8, "little") + b"{}"):
        path.write_bytes(data)
        expected = "safetensors file, got one that cannot be read as such" if data else "checkpoint, got a damaged one"
        with pytest.raises(ValueError, match=f"^{path}: expected a {expected}: "):
            optimizer.load(path)
    save_file({"w": np.ones(3)}, path)
    raises_on_load(optimizer, path, "expected a checkpoint of format 'numpy-adagrad', got None")
    cure = "load it with an optimizer of that rule, and convert its state_dict with numpy_adagrad.translate_state"
    for other in set(DIALECTS.values()) - {dialect}:
        make(other.optimizer).save(path)
        raises_on_load(optimizer, path, f"rule: expected '{dialect}', got '{other}'; {cure}")
    make(dialect.optimizer).save(path)
    message = "expected parameters, saved with parameters=True, got a file without them"
    raises_on_load(optimizer, path, message, parameters=True)
    with pytest.raises(FileNotFoundError):
        optimizer.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        optimizer.load(tmp_path)


def test_a_damaged_file_is_called_damaged(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, path = make(dialect.optimizer), tmp_path / "a"
    optimizer.save(path)
    data = path.read_bytes()
    for damaged in (data[:-1], data[:100], data[:-1] + bytes([data[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"^{path}: expected .*, got .*damaged"):
            optimizer.load(path)


def test_texts_that_no_library_writes(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, path = make(dialect.optimizer), tmp_path / "a"
    optimizer.save(path)
    header, payload = split(path.read_bytes())
    digits = {**header["__metadata__"], "content": "1" * 100_000}
    path.write_bytes(join({**header, "__metadata__": digits}, payload))
    with pytest.raises(ValueError, match=f"^{path}: {NOT_JSON} Exceeds the limit"):
        optimizer.load(path)
    header["__metadata__"]["content"] = "{}"
    twice = json.dumps(header).replace('"format":', '"format": "", "format":')
    path.write_bytes(with_header(twice.encode(), payload))
    with pytest.raises(ValueError, match=f"^{path}: header: expected JSON, got one with a key twice:"):
        optimizer.load(path)


def test_mindspore_options_that_must_agree(tmp_path: Path) -> None:
    def made(**options: Any) -> Any:
        return make(MindSporeAdagrad, **options)

    path = tmp_path / "a"
    made(update_slots=False, loss_scale=2.0).save(path)
    raises_on_load(made(loss_scale=2.0), path, "update_slots: expected True, got False")
    raises_on_load(made(update_slots=False), path, "loss_scale: expected 1.0, got 2.0")
    made(learning_rate=[0.1, 0.2]).save(path)
    raises_on_load(made(learning_rate=[0.1] * 3), path, "learning_rate: expected shape (3,), got (2,)")
    raises_on_load(made(), path, "learning_rate: expected shape (), got (2,)")


MISSING = [
    ("safetensors", "save", "a", 'safetensors to be installed, as by pip install "numpy-adagrad[checkpoint]"'),
    ("safetensors", "load", "a", 'safetensors to be installed, as by pip install "numpy-adagrad[checkpoint]"'),
    ("ml_dtypes", "load", "a", 'ml_dtypes to be installed for bfloat16, as by pip install "numpy-adagrad[bf16]"'),
    ("mindspore", "load", "a.ckpt", "mindspore to be installed, which reads its own .ckpt files"),
]


@pytest.mark.parametrize(("library", "method", "name", "expected"), MISSING)
def test_a_missing_library(library: str, method: str, name: str, expected: str, tmp_path: Path) -> None:
    TorchAdagrad([np.ones(3, bfloat16)]).save(tmp_path / "a")
    (tmp_path / "a.ckpt").write_bytes(b"")
    assert program("without_library", library, method, tmp_path / name) == f"{method}: expected {expected}\n"
