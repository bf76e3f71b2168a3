"""Instruction set, number of threads, length, offset: none of them changes a bit."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from helpers.oracle_step import make
from helpers.values import draw
from programs.same_bits import TRIPLES, Triple

TESTS = Path(__file__).parents[1]
LEVELS = {
    "v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
IMPORT = "import numpy_adagrad; print(numpy_adagrad.show_config()['instruction_set'])"


def python(*arguments: str, **environment: str | int | None) -> subprocess.CompletedProcess[str]:
    """Another interpreter, with variables set (or removed, where None) beside our own."""
    unset = {name for name, value in environment.items() if value is None}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, *arguments],
        env=inherited | {name: str(value) for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def supported() -> list[str]:
    """What this machine has, from the kernel's list of features, which the package does not read."""
    found = ["baseline"]
    if platform.machine() == "x86_64":
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
        for name, needed in LEVELS.items():
            if needed <= set(flags.split()):
                found.append(name)
            else:
                break
    return found


@pytest.mark.parametrize("wish", [None, "", "baseline", "v3", "v4", "V3", "avx2", " v3", "x86-64-v3", "floor"])
def test_choice_of_the_instruction_set(wish: str | None) -> None:
    """What the machine has is taken as asked, the best without a wish; all else is an error of the import."""
    names = supported()
    run = python("-c", IMPORT, NUMPY_ADAGRAD_ISA=wish)
    if wish in names or not wish:
        assert (run.stdout, run.stderr) == (f"{wish or names[-1]}\n", "")
    else:
        assert run.returncode == 1
        expected = f"expected one of {', '.join(names)} on this machine, got '{wish}'"
        assert run.stderr.splitlines()[-1] == f"ImportError: NUMPY_ADAGRAD_ISA: {expected}"


def results_of(isa: str, variable: int, limit: int = 0) -> dict[str, Any]:
    program = TESTS / "programs" / "same_bits.py"
    run = python(str(program), str(limit), PYTHONPATH=str(TESTS), NUMPY_ADAGRAD_ISA=isa, OMP_NUM_THREADS=variable)
    assert run.returncode == 0, run.stderr
    results: dict[str, Any] = json.loads(run.stdout)
    assert (results.pop("instruction set"), results.pop("threads")) == (isa, limit or variable)
    return results


@pytest.fixture(scope="module")
def serial_baseline() -> dict[str, Any]:
    return results_of("baseline", 1)


@pytest.mark.parametrize(
    ("variable", "limit"), [(1, 0), (2, 0), (3, 0), (7, 0), (1, 7)], ids=["1", "2", "3", "7", "threadpoolctl_7"]
)
@pytest.mark.parametrize("isa", supported())
def test_instruction_sets_and_threads(serial_baseline: dict[str, Any], isa: str, variable: int, limit: int) -> None:
    results = results_of(isa, variable, limit)
    assert results.keys() == serial_baseline.keys()
    differing = [key for key, expected in serial_baseline.items() if results[key] != expected]
    assert not differing, f"{isa} with {limit or variable} threads differs from serial baseline in {differing}"
    assert len({tuple(values) for values in results.values()}) == len(results), "every case has numbers of its own"


@pytest.mark.parametrize(("rule", "triple"), [(rule, triple) for rule in TRIPLES for triple in TRIPLES[rule]])
def test_length_and_offset(rule: Rule, triple: Triple) -> None:
    """An element comes to the same wherever it lies, and however many others follow."""
    param_dtype, grad_dtype, state_dtype = triple
    rng = np.random.default_rng(1)
    numbers, slopes = draw(rng, 80, param_dtype, "awkward"), draw(rng, 80, grad_dtype, "awkward")
    cases = [(length, offset) for length in (*range(71), 80) for offset in range(4)]
    params = [np.resize(numbers, 80 + offset)[offset:][:length] for length, offset in cases]
    grads = [np.empty(84, slopes.dtype)[3 - offset :][:length] for length, offset in cases]
    for (length, _), param, grad in zip(cases, params, grads, strict=True):
        param[...], grad[...] = numbers[:length], slopes[:length]
    opt = make(rule, params, state_dtype=state_dtype, weight_decay=0.013)
    opt.step(grads)
    accums = [next(value for key, value in state.items() if key != "step") for state in opt.state.values()]
    for i, (length, offset) in enumerate(cases):
        assert_same_bits(params[i], params[-1][:length], f"parameter of length {length} at offset {offset}")
        assert_same_bits(accums[i], accums[-1][:length], f"accumulator of length {length} at offset {offset}")
