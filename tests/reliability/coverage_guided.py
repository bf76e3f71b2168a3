"""Coverage-guided fuzzing with Atheris: bytes that become a checkpoint, or the parts of a sparse gradient.

Every checkpoint loads a valid state or raises the one documented error, and then changes nothing. A step with a
sparse gradient has the bits of one with its rows summed in order by NumPy, or raises a documented error.

`PYTHONPATH=tests python tests/reliability/coverage_guided.py checkpoint|sparse [-max_total_time=600]`, with any options
of libFuzzer
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import atheris

with atheris.instrument_imports(include=["numpy_adagrad", "safetensors", "json"]):
    import numpy as np
    from helpers.bits import assert_same_bits
    from helpers.checkpoint_bytes import loads, with_header
    from helpers.contents import contents
    from helpers.dialects import DIALECTS, Dialect
    from helpers.sparse_oracle import total_rows
    from numpy_adagrad import RowSparse, TorchAdagrad
    from numpy_adagrad.inputs.types import Array

SHAPE = (6, 3)


def make(value: float = 2.0) -> Any:
    arrays = {"a": np.full(2, value, np.float32), "b": np.full((), value)}
    optimizer = TorchAdagrad(arrays, 0.5)
    optimizer.step({name: array.copy() for name, array in arrays.items()})
    return optimizer


def checkpoint_of(path: str) -> bytes:
    make(3.0).save(path, parameters=True)
    return Path(path).read_bytes()


def load_checkpoint(data: bytes) -> None:
    """The first byte says whether the digest is set right, so that the checks behind it are reached too."""
    optimizer = make()
    file = data[1:]
    stop = 8 + int.from_bytes(file[:8], "little")
    if data[:1] > b"\x7f" and 8 < stop <= len(file):
        file = with_header(file[8:stop], file[stop:])
    if loads(optimizer, file):
        optimizer.step(dict.fromkeys(optimizer.names))
        contents(optimizer)


def step_sparse(data: bytes) -> None:
    """Dtypes, shapes and numbers are drawn from the bytes; most are near to what fits."""
    source = atheris.FuzzedDataProvider(data)
    dialect = DIALECTS[source.PickValueInList(["torch", "mindspore"])]
    param = np.zeros(SHAPE, np.float32)
    optimizer = dialect.make([param])
    count = source.ConsumeIntInRange(0, 12)
    index_type = source.PickValueInList([np.int64, np.int32, np.int16, np.uint64])
    far = source.ConsumeProbability() < 0.1
    indices = [source.ConsumeInt(8) if far else source.ConsumeIntInRange(-1, SHAPE[0]) for _ in range(count)]
    rows = np.array(indices, np.int64).astype(index_type)
    width = source.PickValueInList([3, 3, 3, 3, 0, 2])
    values = np.frombuffer(source.ConsumeBytes(4 * count * width).ljust(4 * count * width, b"\1"), np.float32)
    values = values.reshape(count, width)
    before = contents(optimizer)
    expected = dialect.make([np.zeros(SHAPE, np.float32)])
    try:
        grad = RowSparse(rows, values)
        optimizer.step([grad])
    except (IndexError, TypeError, ValueError):
        assert contents(optimizer) == before
        return
    found, totals = total_rows(grad.indices, grad.values)
    expected.step([RowSparse(found, totals)])
    for one, other in zip(arrays(dialect, optimizer), arrays(dialect, expected), strict=True):
        assert_same_bits(one, other)


def arrays(dialect: Dialect, optimizer: Any) -> list[Array]:
    return [optimizer.param_groups[0]["params"][0], dialect.accumulator(optimizer, 0)]


TARGETS = {"checkpoint": load_checkpoint, "sparse": step_sparse}

if __name__ == "__main__":
    target = sys.argv.pop(1)
    with TemporaryDirectory() as corpus:
        if target == "checkpoint":
            seeds = [b"\xff" + checkpoint_of(f"{corpus}/seed"), b"\0" + checkpoint_of(f"{corpus}/seed")]
            for i, seed in enumerate(seeds):
                Path(corpus, str(i)).write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], TARGETS[target])
        atheris.Fuzz()
