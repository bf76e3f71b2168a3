"""Damaged checkpoints: each loads as what was saved, or is refused by the one documented error and changes nothing."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoint_bytes import joined, split, with_header
from helpers.contents import contents
from helpers.errors import RULES
from numpy_adagrad import MindSporeAdagrad

COUNT = 10_000
VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 0.5, float("nan"), float("-inf"), "", "a", "\udc80", "F64", "C64",
    [], [[]], [0, 1], ["a"], ["a", "a"], {}, {"a": {}}, [[[[[[[[[]]]]]]]]], "[" * 2000, "0" * 64,
]  # fmt: skip
Mutation = Callable[[bytes, random.Random], bytes]


def made(rule: Any, value: float) -> Any:
    options = {"learning_rate": [value, 0.5]} if rule is MindSporeAdagrad else {"lr": np.array([value])}
    params = {"a": np.full(2, value, np.float32), "b": np.full((), value)}
    optimizer = rule(params, **options)
    optimizer.step({"a": np.full(2, value, np.float32), "b": np.full((), value)})
    return optimizer


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 10])):
        changed[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return bytes(changed)


def inserted(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice([1, 1, 8, 300])) + data[at:]


def deleted(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice([1, 1, 8, 300]) :]


def of_the_length(data: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    other = chance.choice([0, 1, length - 1, length + 1, 2 * length, 10**8, 2**63, 2**64 - 1, chance.getrandbits(64)])
    return other.to_bytes(8, "little") + data[8:]


def of_the_header(data: bytes, chance: random.Random) -> bytes:
    """Its text is changed; its length is right."""
    stop = 8 + int.from_bytes(data[:8], "little")
    return with_header(chance.choice([flipped, inserted, deleted])(data[8:stop], chance), data[stop:])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers and keys within a value of JSON."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def of_the_json(data: bytes, chance: random.Random) -> bytes:
    """Values of header or content are replaced, removed, renamed or exchanged; the digest is right."""
    header, content, payload = split(data)
    for _ in range(chance.choice([1, 1, 2])):
        container, key = chance.choice([*places(header), *places(content)])
        action = chance.randrange(4)
        if action == 0:
            container[key] = chance.choice(VALUES)
        elif action == 1:
            del container[key]
        elif action == 2 and isinstance(container, dict):
            container[chance.choice(["a", "", "sum.a", "__metadata__", "lr"])] = container.pop(key)
        else:
            other, place = chance.choice([*places(header), *places(content)])
            container[key] = json.loads(json.dumps(other[place]))
        if "__metadata__" not in header or not isinstance(header["__metadata__"], dict):
            return with_header(header, payload)
    return joined(header, content, payload)


def of_the_arrays(data: bytes, chance: random.Random) -> bytes:
    """Bytes of arrays are changed; the digest is right."""
    header, content, payload = split(data)
    return joined(header, content, flipped(bytes(payload), chance))


BLIND: list[Mutation] = [flipped, inserted, deleted, of_the_length]
KNOWING: list[Mutation] = [of_the_header, of_the_json, of_the_arrays]
EACH = COUNT // len(BLIND + KNOWING) + 1
SAVED = 20


class Damage:
    """The bytes of a checkpoint, and what becomes of an optimizer that loads others in their place."""

    def __init__(self, rule: Any, folder: Path) -> None:
        self.rule, saved = rule, folder / "a"
        made(rule, 3.0).save(saved, parameters=True)
        self.data = saved.read_bytes()
        self.file = os.memfd_create("damaged")  # many are written, which on a disk takes long
        self.path = f"/proc/self/fd/{self.file}"
        self.optimizer = made(rule, 2.0)
        self.before = repr(contents(self.optimizer))

    def loaded(self, data: bytes) -> Any:
        """The optimizer that loaded `data`; None if it refused, by the documented error and unchanged."""
        os.ftruncate(self.file, 0)
        os.pwrite(self.file, data, 0)
        optimizer = self.optimizer
        try:
            optimizer.load(self.path, parameters=True)
        except ValueError as error:
            refusal = error
        else:
            self.optimizer = made(self.rule, 2.0)
            return optimizer
        assert type(refusal) is ValueError
        assert str(refusal).startswith(f"{self.path}: ")
        assert repr(contents(optimizer)) == self.before
        return None


@pytest.fixture(params=RULES)
def damage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Damage]:
    damage = Damage(request.param, tmp_path)
    yield damage
    os.close(damage.file)


def test_the_whole_file_loads(damage: Damage) -> None:
    assert contents(damage.loaded(damage.data)) == contents(made(damage.rule, 3.0))


def test_every_truncation_is_refused(damage: Damage) -> None:
    for length in range(len(damage.data)):
        assert damage.loaded(damage.data[:length]) is None


def test_every_flipped_byte_is_refused(damage: Damage) -> None:
    for at, byte in enumerate(damage.data):
        assert damage.loaded(damage.data[:at] + bytes([byte ^ 1]) + damage.data[at + 1 :]) is None


@pytest.mark.parametrize("mutation", BLIND)
def test_random_damage_is_refused(mutation: Mutation, damage: Damage) -> None:
    chance = random.Random(1)
    for _ in range(EACH):
        changed = mutation(damage.data, chance)
        assert (damage.loaded(changed) is None) == (changed != damage.data)


@pytest.mark.parametrize("mutation", KNOWING)
def test_what_was_changed_on_purpose_is_refused_or_is_a_state(
    mutation: Mutation, damage: Damage, tmp_path: Path
) -> None:
    """With a right digest a file may say something else. What loads is a state like any: it can be saved and loaded."""
    chance, results = random.Random(2), {"refused": 0, "loaded": 0}
    for _ in range(EACH):
        optimizer = damage.loaded(mutation(damage.data, chance))
        results["refused" if optimizer is None else "loaded"] += 1
        if optimizer is not None and results["loaded"] <= SAVED:
            optimizer.save(tmp_path / "b", parameters=True)
            copy = made(damage.rule, 2.0)
            copy.load(tmp_path / "b", parameters=True)
            assert repr(contents(copy)) == repr(contents(optimizer))
    assert results["loaded"] > 0
    assert results["refused"] > 0
