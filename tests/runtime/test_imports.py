"""Importing the package: quick, silent, with no trace in the process, in any order with torch and MindSpore."""

import itertools

import numpy_adagrad
import pytest
from helpers.interpreters import output, run


def test_import_is_silent() -> None:
    assert output("import numpy_adagrad") == ""


def test_import_is_quick() -> None:
    """Beyond NumPy's own time. The best of several, as the machine may be busy."""
    code = (
        "from time import perf_counter; import numpy\n"
        "start = perf_counter(); import numpy_adagrad; print(perf_counter() - start)"
    )
    assert min(float(output(code)) for _ in range(5)) < 0.2


def test_import_brings_only_numpy() -> None:
    code = (
        "import sys, numpy; import numpy_adagrad\n"
        "print(sorted({'torch', 'mindspore', 'ml_dtypes', 'scipy', 'typer', 'rich', 'matplotlib'} & set(sys.modules)))"
    )
    assert output(code) == "[]\n"


def test_what_few_programs_use_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys, numpy_adagrad; late = ['numpy_adagrad.checkpoint.content', 'numpy_adagrad.migration']\n"
        "print([name in sys.modules for name in late], set(numpy_adagrad.__all__) <= set(dir(numpy_adagrad)))\n"
        "from numpy_adagrad import translate\n"
        "print([name in sys.modules for name in late], translate.__module__)"
    )
    expected = "[False, False] True\n[False, True] numpy_adagrad.migration.translate\n"
    assert output(code) == expected


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'numpy_adagrad' has no attribute 'AdamW'$"):
        numpy_adagrad.AdamW  # noqa: B018


def test_import_leaves_the_floating_point_mode_alone() -> None:
    code = (
        "import numpy as np; tiny = np.float32(1e-38); least = 5e-324\n"
        "import numpy_adagrad\n"
        "print(tiny * np.float32(0.1) > 0, least * 1.0 == 5e-324, np.full(99, least).sum() == 99 * least)"
    )
    assert output(code) == "True True True\n"


RESULTS = """
import numpy as np
rng = np.random.default_rng(1)
params = [rng.standard_normal(size).astype(np.float32) for size in (7, 100_000)]
grads = [rng.standard_normal(size).astype(np.float32) for size in (7, 100_000)]
optimizers = numpy_adagrad.TorchAdagrad(params, 0.3), numpy_adagrad.MindSporeAdagrad([p.copy() for p in params], 0.1)
import hashlib
digest = hashlib.sha256()
for _ in range(3):
    for optimizer in optimizers:
        optimizer.step(grads)
        for param in optimizer.param_groups[0]["params"]:
            digest.update(param)
print(digest.hexdigest())
"""
BUSY = {
    "torch": "\nimport torch; torch.ones(1000, 1000) @ torch.ones(1000, 1000)",
    "mindspore": "\nimport mindspore; mindspore.Tensor([1.0])",
    "numpy_adagrad": "",
}


@pytest.fixture(scope="module")
def result_alone() -> str:
    return output("import numpy_adagrad" + RESULTS)


@pytest.mark.parametrize("order", list(itertools.permutations(BUSY)), ids=" ".join)
def test_order_of_imports(order: tuple[str, ...], result_alone: str) -> None:
    """Each of the others has also run something, so that its threads are there. MindSpore writes of NumPy 2."""
    code = "".join(f"\nimport {name}{BUSY[name]}" for name in order) + RESULTS
    assert run(code, GLOG_v="3").stdout.splitlines()[-1:] == result_alone.splitlines()


@pytest.mark.parametrize("first", ["torch", "numpy_adagrad"])
def test_threadpoolctl_is_obeyed_beside_torch(first: str) -> None:
    """Whichever libgomp the linker chose: torch brings one, and a wheel of this package another."""
    code = (
        f"import {first}, torch, numpy_adagrad\n"
        "from threadpoolctl import threadpool_limits\n"
        "for limit in 1, 3:\n"
        "    with threadpool_limits(limit):\n"
        "        print(numpy_adagrad.show_config()['threads'])"
    )
    assert output(code, OMP_NUM_THREADS="2") == "1\n3\n"
