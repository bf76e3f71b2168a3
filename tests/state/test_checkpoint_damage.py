"""Damaged checkpoints: each raises the one documented error and changes nothing, or loads a valid state."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoint_bytes import check_truncations_and_flips, join, loads, split, with_header
from helpers.contents import contents
from helpers.dialects import Dialect

COUNT = 10_000
VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 0.5, float("nan"), float("-inf"), "", "a", "\udc80", "F64", "C64",
    [], [[]], [0, 1], ["a"], ["a", "a"], {}, {"a": {}}, [[[[[[[[[]]]]]]]]], "[" * 2000, "0" * 64,
]  # fmt: skip
Mutation = Callable[[bytes, random.Random], bytes]


def make(dialect: Dialect, value: float) -> Any:
    arrays = {"a": np.full(2, value, np.float32), "b": np.full((), value)}
    rate: dict[str, Any] = {dialect.rate: np.array([value])}
    optimizer = dialect.make(arrays, **rate)
    optimizer.step({name: array.copy() for name, array in arrays.items()})
    return optimizer


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 10])):
        changed[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    return bytes(changed)


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice([1, 1, 8, 300])) + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 1, 8, 300]) :]


def change_length(data: bytes, rng: random.Random) -> bytes:
    """Change the stated length of the header."""
    length = int.from_bytes(data[:8], "little")
    other = rng.choice([0, 1, length - 1, length + 1, 2 * length, 10**8, 2**63, 2**64 - 1, rng.getrandbits(64)])
    return other.to_bytes(8, "little") + data[8:]


def change_header(data: bytes, rng: random.Random) -> bytes:
    """Change the text of the header; the stated length is right."""
    stop = 8 + int.from_bytes(data[:8], "little")
    return with_header(rng.choice([flip, insert, delete])(data[8:stop], rng), data[stop:])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers and keys within a value of JSON."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def change_json(data: bytes, rng: random.Random) -> bytes:
    """Replace, remove, rename or exchange values of the header or the content."""
    header, payload = split(data)
    for _ in range(rng.choice([1, 1, 2])):
        container, key = rng.choice(list(places(header)))
        action = rng.randrange(4)
        if action == 0:
            container[key] = rng.choice(VALUES)
        elif action == 1:
            del container[key]
        elif action == 2 and isinstance(container, dict):
            container[rng.choice(["a", "", "sum.a", "__metadata__", "lr"])] = container.pop(key)
        else:
            other, place = rng.choice(list(places(header)))
            container[key] = json.loads(json.dumps(other[place]))
    return join(header, payload)


def change_arrays(data: bytes, rng: random.Random) -> bytes:
    header, payload = split(data)
    return join(header, flip(bytes(payload), rng))


RANDOM: list[Mutation] = [flip, insert, delete, change_length]
CONSISTENT: list[Mutation] = [change_header, change_json, change_arrays]
EACH = COUNT // len(RANDOM + CONSISTENT) + 1
SAVED = 20


@pytest.fixture
def saved(dialect: Dialect, tmp_path: Path) -> bytes:
    make(dialect, 3.0).save(tmp_path / "a", parameters=True)
    return (tmp_path / "a").read_bytes()


def test_the_tests_compute_the_same_digest(dialect: Dialect, saved: bytes) -> None:
    optimizer = make(dialect, 2.0)
    assert loads(optimizer, join(*split(saved)))
    assert contents(optimizer) == contents(make(dialect, 3.0))


def test_every_truncation_and_a_flipped_bit_in_each_byte_raise(dialect: Dialect, saved: bytes) -> None:
    check_truncations_and_flips(make(dialect, 2.0), saved)


@pytest.mark.parametrize("mutation", RANDOM)
def test_random_damage_raises_or_loads_equal(mutation: Mutation, dialect: Dialect, saved: bytes) -> None:
    rng, optimizer, expected = random.Random(1), make(dialect, 2.0), contents(make(dialect, 3.0))
    for _ in range(EACH):
        changed = mutation(saved, rng)
        if loads(optimizer, changed):
            assert contents(optimizer) == expected
        else:
            assert changed != saved


@pytest.mark.parametrize("mutation", CONSISTENT)
def test_a_change_with_the_right_digest_raises_or_loads_a_valid_state(
    mutation: Mutation, dialect: Dialect, saved: bytes, tmp_path: Path
) -> None:
    """A valid state can be saved and loaded again."""
    rng, loaded = random.Random(2), 0
    for _ in range(EACH):
        optimizer = make(dialect, 2.0)
        if loads(optimizer, mutation(saved, rng)):
            loaded += 1
            if loaded <= SAVED:
                optimizer.save(tmp_path / "b", parameters=True)
                copy = make(dialect, 2.0)
                copy.load(tmp_path / "b", parameters=True)
                assert repr(contents(copy)) == repr(contents(optimizer))
    assert 0 < loaded < EACH
