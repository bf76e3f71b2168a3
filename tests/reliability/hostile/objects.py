"""Objects that no caller should pass: numbers, arrays, containers of every kind, classes that run code."""

import datetime
import decimal
import fractions
import gc
import random
from collections.abc import Callable
from threading import current_thread, main_thread
from typing import Any

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad import RowSparse
from scipy import sparse


class OwnError(Exception):
    """Raised by the objects here. Whoever runs their code passes it on."""


NUMBERS: list[Any] = [
    0, 1, -1, 2, 2**31, 2**62, 2**63, -(2**63), 10**400, True, 0.0, -0.0, 0.1, 1.0, 1e-300, 1e300, 1e-46,
    float("nan"), float("inf"), float("-inf"), 1j, complex("nan"), decimal.Decimal("0.1"), fractions.Fraction(1, 3),
    np.float32(0.5), np.float64("nan"), np.int64(3), np.float16(1), np.longdouble(1), np.bool_(True), np.uint64(2**63),
    np.datetime64("2020-01-01"), np.complex64(1), np.void(b"abcd"), np.str_("a"), datetime.timedelta(1),
]  # fmt: skip
TEXTS: list[Any] = [
    "", "a", "w", "w0", "params", "lr", "torch", "mindspore", "touched", "skip", "raise", "\udc80", "a\0b", "x" * 1000,
    b"", b"abc", bytearray(4), memoryview(b"abcdefgh"),
]  # fmt: skip
THINGS: list[Any] = [
    None, Ellipsis, NotImplemented, object(), int, np.ndarray, np, len, print, lambda *_: 0.5, lambda *_: None,
    slice(0, 1), range(3), np.float32, np.dtype("f4"), np.nditer([1]), ..., OwnError,
]  # fmt: skip
DTYPES: list[Any] = [
    "f4", "f4", "f4", "f8", "f2", ml_dtypes.bfloat16, "c8", "c16", "g", "G", "i1", "i4", "i8", "u8", "?", "O", "U3",
    "S4", "M8[s]", "m8[s]", "V4", [("x", "f4")], ">f4", ">i8", ml_dtypes.float8_e4m3,
]  # fmt: skip
SHAPES: list[Any] = [(), (0,), (1,), (3,), (3,), (4, 3), (4, 3), (3, 0), (2, 3, 4), (1,) * 40, (40_000,)]


class Meddler:
    """What the code of an object does: raise, return nonsense, change or call the optimizer while it is read."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.optimizer: Any = None
        self.arrays: list[Any] = []  # which own their memory, and of which there is no view
        self.meddled = False  # something outside the called object has changed
        self.depth = 0

    def act(self, *_: Any, **__: Any) -> Any:
        self.depth += 1
        try:
            if self.depth > 3:
                return None
            return self.rng.choice(ACTS)(self)
        finally:
            self.depth -= 1

    def method(self, name: str) -> Callable[..., Any]:
        """A special method. After it has meddled, it often returns what it should, so that the caller goes on."""
        right = RIGHT.get(name)

        def call(*_: Any, **__: Any) -> Any:
            result = self.act()
            return right(self) if right is not None and self.rng.random() < 0.6 else result

        return call

    def fail(self) -> None:
        raise OwnError

    def value(self) -> Any:
        return anything(self)

    def number(self) -> float:
        return 0.5

    def array(self) -> Any:
        return self.rng.choice(self.gradients())

    def gradients(self) -> list[Any]:
        return [np.ones(3, np.float32), np.ones((4, 3), np.float32)]

    def resize(self) -> Any:
        self.meddled = True
        array = self.rng.choice(self.arrays)
        size = array.size
        # Not in the other thread, in which the garbage collector may run this: NumPy itself forbids that.
        if type(array) is np.ndarray and array.flags.owndata and current_thread() is main_thread():
            array.resize(self.rng.choice([0, 1, size, 100_000]), refcheck=False)
        return array

    def reshape(self) -> Any:
        self.meddled = True
        array = self.rng.choice(self.arrays)
        try:
            array.shape = self.rng.choice([(-1,), (1, -1), (-1, 1)])
            array.flags.writeable = self.rng.random() < 0.5
        except (AttributeError, ValueError):
            pass
        return array

    def change_groups(self) -> Any:
        self.meddled = True
        groups = getattr(self.optimizer, "param_groups", [])
        for group in groups[:1]:
            key = self.rng.choice(list(group) or ["lr"])
            action = self.rng.randrange(5)
            if action == 0:
                group[key] = 0.5 if key not in ("params", "param_names") else []
            elif action == 1:
                group.pop(key)
            elif action == 2 and isinstance(group.get("params"), list):
                group["params"].append(np.ones(2, np.float32))
            elif action == 3:
                groups.append(dict(group))
            else:
                group.clear()
        return 0.5

    def call(self) -> Any:
        self.meddled = True
        if self.optimizer is not None:
            self.rng.choice(CALLS)(self.optimizer)
        return 0.5

    def collect(self) -> int:
        return gc.collect(0)


ACTS: list[Callable[[Meddler], Any]] = [
    Meddler.fail, Meddler.value, Meddler.number, Meddler.array, Meddler.resize, Meddler.reshape,
    Meddler.change_groups, Meddler.call, Meddler.collect,
]  # fmt: skip
CALLS: list[Callable[[Any], Any]] = [
    lambda opt: opt.step([np.ones(3, np.float32)] * 2),
    lambda opt: opt.state_dict(),
    lambda opt: opt.add_param_group({"params": [np.ones(2, np.float32)]}),
    lambda opt: opt.load_state_dict(opt.state_dict()),
    repr,
]
RIGHT: dict[str, Callable[[Meddler], Any]] = {
    "__array__": Meddler.array, "__float__": Meddler.number, "__bool__": lambda m: True, "__len__": lambda m: 2,
    "__index__": lambda m: 1, "__int__": lambda m: 1, "__eq__": lambda m: m.rng.random() < 0.5,
    "__call__": Meddler.number, "__iter__": lambda m: iter(m.gradients()), "__getitem__": lambda m: m.array(),
    "values": lambda m: m.gradients,
    "items": lambda m: lambda: list(zip(["w0", "w1"], m.gradients(), strict=True)), "__contains__": lambda m: True,
    "keys": lambda m: lambda: ["w0", "w1"], "__hash__": lambda m: hash("lr"), "__repr__": lambda m: "Evil",
    "__dlpack_device__": lambda m: (1, 0), "__dlpack__": lambda m: m.array().__dlpack__(), "shape": lambda m: (3,),
    "__array_interface__": lambda m: m.array().__array_interface__, "dtype": lambda m: np.dtype("f4"),
    "__fspath__": lambda m: "/proc/self/fd/nothing",
}  # fmt: skip
METHODS = [
    "__array__", "__float__", "__int__", "__index__", "__bool__", "__eq__", "__hash__", "__len__", "__iter__",
    "__next__", "__getitem__", "__contains__", "__call__", "__repr__", "__str__", "__getattr__", "__array_interface__",
    "__array_struct__", "__dlpack__", "__dlpack_device__", "__array_ufunc__", "__array_function__", "__fspath__",
    "__buffer__", "__del__", "__reduce_ex__", "__lt__", "__radd__", "keys", "items", "values", "asnumpy", "detach",
    "tocoo", "tocsr", "shape", "dtype", "device", "format", "_fields",
]  # fmt: skip


# These are called most.
OFTEN = [
    "__array__",
    "__float__",
    "__iter__",
    "__getitem__",
    "__eq__",
    "__call__",
    "__dlpack__",
    "__dlpack_device__",
    "items",
]


def evil_object(meddler: Meddler) -> Any:
    """An instance of a new class, some of whose special methods meddle."""
    bases = meddler.rng.choice([(), (), (dict,), (list,), (tuple,), (str,), (float,), (int,), (np.ndarray,)])
    members: dict[str, Any] = {}
    for name in meddler.rng.sample(METHODS + 6 * OFTEN, meddler.rng.choice([1, 2, 3, 8, 20])):
        if name in ("shape", "dtype") and np.ndarray in bases:
            continue
        is_property = name[0] != "_" or name in ("__array_interface__", "__array_struct__")
        members[name] = property(meddler.method(name)) if is_property else meddler.method(name)
    if "__eq__" in members:
        members.setdefault("__hash__", object.__hash__)
    if np.ndarray in bases:
        members["__array_finalize__"] = lambda *_: meddler.act() if meddler.rng.random() < 0.3 else None
    if meddler.rng.random() < 0.2:
        members["__class__"] = property(lambda _: meddler.rng.choice([np.ndarray, dict, list, float]))
    kind = type("Evil", bases, members)
    return kind((3,)) if np.ndarray in bases else kind()


def array(meddler: Meddler) -> Any:
    rng = meddler.rng
    dtype, shape = rng.choice(DTYPES), rng.choice(SHAPES)
    made = np.zeros(shape, dtype)
    form = rng.randrange(12)
    if form == 0:
        made.flags.writeable = False
    elif form == 1 and made.ndim:
        made = made[::-1]
    elif form == 2 and not made.dtype.hasobject:
        made = as_strided(np.zeros(64, dtype), (3,), (rng.choice([0, 1, 4, 8]),))
    elif form == 3 and not made.dtype.hasobject:
        made = np.zeros(made.nbytes + 1, np.uint8)[1:].view(f"V{made.itemsize}")[: made.size]
    elif form == 4:
        made = np.ma.array(made)
    elif form == 5 and made.ndim == 2:
        made = made.view(np.matrix)
    elif form == 6:
        made = made.T
    elif form == 7 and meddler.arrays:
        return rng.choice(meddler.arrays)
    return made


def row_sparse(meddler: Meddler) -> Any:
    return RowSparse([0, 2, 0], np.ones((3, meddler.rng.choice([1, 3])), np.float32))


def wrong_row_sparse(meddler: Meddler) -> Any:
    """For gradients alone: with indices and values that no constructor has seen."""
    made = RowSparse([0], np.ones((1, 3), np.float32))
    rng = meddler.rng
    indices = [np.array(rng.sample([0, 1, 2, 3, -1, 2**31, 2**62, -(2**63)], rng.randrange(4))), np.array([0, 0, 2, 2])]
    made.indices = rng.choice([*indices, np.array([1], np.int32), anything(meddler)])
    count = len(made.indices) if isinstance(made.indices, np.ndarray) and made.indices.ndim == 1 else 1
    made.values = rng.choice([np.ones((count, 3), np.float32), np.ones(count, np.float32), anything(meddler)])
    return made


def scipy_array(meddler: Meddler) -> Any:
    made = sparse.coo_array((np.ones(2, np.float32), ([0, 2], [1, 2])), (4, 3))
    return made.asformat(meddler.rng.choice(["csr", "csc", "coo", "lil"]))


def wrong_scipy_array(meddler: Meddler) -> Any:
    """For gradients alone: SciPy's own functions read memory out of bounds with such index arrays."""
    rng, made = meddler.rng, scipy_array(meddler)
    for name in ("indices", "indptr", "data", "coords"):
        if hasattr(made, name) and rng.random() < 0.3:
            setattr(made, name, rng.choice([np.array([0, 2**40, -5]), np.zeros(2), anything(meddler)]))
    return made


def container(meddler: Meddler) -> Any:
    rng = meddler.rng
    items = [anything(meddler) for _ in range(rng.randrange(4))]
    form = rng.randrange(6)
    if form == 0:
        return tuple(items)
    if form in (1, 2):
        return {rng.choice(["w", "w0", "params", "state", "param_groups", "lr", 0, 1]): item for item in items}
    if form == 3:
        return iter(items)
    return (item for item in items) if form == 4 else items


KINDS: list[Callable[[Meddler], Any]] = [
    lambda m: m.rng.choice(NUMBERS), lambda m: m.rng.choice(TEXTS), lambda m: m.rng.choice(THINGS),
    array, array, row_sparse, scipy_array, container, evil_object, evil_object, evil_object, evil_object,
]  # fmt: skip


def anything(meddler: Meddler) -> Any:
    meddler.depth += 1
    try:
        return meddler.rng.choice(KINDS)(meddler) if meddler.depth < 6 else None
    finally:
        meddler.depth -= 1
