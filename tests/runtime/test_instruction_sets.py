"""The choice of the instruction set, by the machine or the environment."""

import pytest
from helpers.instruction_sets import supported
from helpers.interpreters import run, succeed

IMPORT = "import numpy_adagrad; print(numpy_adagrad.show_config()['instruction_set'])"


@pytest.mark.parametrize("wish", [None, "", *supported()])
def test_wish(wish: str | None) -> None:
    """The best instruction set of the machine is taken without a wish."""
    assert succeed("-c", IMPORT, NUMPY_ADAGRAD_ISA=wish) == f"{wish or supported()[-1]}\n"


WRONG = ["V3", "avx2", " v3", "x86-64-v3", "floor", "baseline v3"]


@pytest.mark.parametrize("wish", [*WRONG, *sorted({"v3", "v4"} - set(supported()))])
def test_wish_that_cannot_be_met(wish: str) -> None:
    """It is an error of the import."""
    done = run("-c", IMPORT, NUMPY_ADAGRAD_ISA=wish)
    assert done.returncode == 1
    expected = f"expected one of {', '.join(supported())} on this machine, got '{wish}'"
    assert done.stderr.splitlines()[-1] == f"ImportError: NUMPY_ADAGRAD_ISA: {expected}"
