"""Memory: what a step and an import take beside the arrays, and what pages accumulators lie on."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from helpers.interpreters import STATUS, output
from helpers.values import bfloat16
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, _core
from numpy_adagrad.inputs.types import Array

PEAK = (
    STATUS
    + """
import numpy as np, numpy_adagrad
param, grad = np.ones(100_000_000, np.float32), np.ones(100_000_000, np.float32)
optimizer = numpy_adagrad.RULE([param])
before = status("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
optimizer.step([grad]OPTIONS)
print(status("VmHWM") - before)
"""
)
HUGE = """
import re, sys
import numpy as np, numpy_adagrad
optimizer = numpy_adagrad.TorchAdagrad([np.ones(10_000_000, np.float32)])
address, inside = optimizer.state[0]["sum"].ctypes.data + 20_000_000, False
for line in open("/proc/self/smaps"):
    if bounds := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
        inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
    elif inside and line.startswith("AnonHugePages:"):
        print(line.split()[1])
"""
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.parametrize("options", ["", ", max_norm=1.0", ", grad_scale=3.0"])
@pytest.mark.parametrize("rule", ["TorchAdagrad", "MindSporeAdagrad"])
def test_a_step_on_1e8_elements_takes_less_than_a_megabyte(rule: str, options: str) -> None:
    assert int(output(PEAK.replace("RULE", rule).replace("OPTIONS", options))) < 1e6


def test_import_takes_less_than_ten_megabytes_beyond_numpy() -> None:
    code = STATUS + "import numpy; before = status('VmRSS'); import numpy_adagrad; print(status('VmRSS') - before)"
    assert int(output(code)) < 10e6


def test_accumulators_lie_on_huge_pages_where_the_system_gives_them() -> None:
    never = not SETTING.exists() or "[never]" in SETTING.read_text()
    kilobytes = int(output(HUGE))
    assert kilobytes == 0 if never else kilobytes > 20_000


DTYPES = ["float16", bfloat16, "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("length", [0, 1, 7, 300_000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_fill(dtype: npt.DTypeLike, length: int) -> None:
    """As NumPy does it, whoever writes which part."""
    value = np.array(0.1 + (0.7j if np.dtype(dtype).kind == "c" else 0), dtype)
    array = np.empty(length, dtype)
    _core.fill(array, value)
    assert_same_bits(array, np.full(length, value))


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_accumulators_have_the_layout_of_their_parameters(rule: Rule) -> None:
    params = [np.ones((3, 4)), np.ones((4, 3)).T, np.ones((2, 3, 4)).transpose(2, 0, 1), np.ones((6, 8))[::2, ::2]]
    start: dict[str, Any] = {"initial_accumulator_value": 0.5} if rule is TorchAdagrad else {"accum": 0.5}
    for param, state in zip(params, rule(params, **start).state.values(), strict=True):
        accumulator = state["sum" if rule is TorchAdagrad else "accum"]
        assert_same_bits(accumulator, np.full(param.shape, 0.5))
        assert accumulator.flags.f_contiguous == (param.flags.fnc or param.ndim < 2)


@pytest.mark.parametrize(
    ("array", "value", "message"),
    [
        (np.zeros(3), np.zeros((), np.float32), "array: expected contiguous memory and a value of its dtype"),
        (np.zeros(3), np.zeros(2), "array: expected contiguous memory and a value of its dtype"),
        (np.zeros(6)[::2], np.ones(()), "array: expected contiguous memory and a value of its dtype"),
        (np.broadcast_to(0.0, 3), np.ones(()), "array: expected a writeable array, got a read-only one"),
    ],
)
def test_fill_refuses(array: Array, value: Array, message: str) -> None:
    before = array.copy()
    with pytest.raises(ValueError, match=f"^{message}$"):
        _core.fill(array, value)
    assert_same_bits(array, before)
