"""Tasks: `nox -s tests`, `nox -s lint`, `nox -s docs`, `nox -s bench`, `nox -s wheel`."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]


@nox.session(python=["3.10", "3.11", "3.12"])
def tests(session: nox.Session) -> None:
    """Run the test suite, torch and MindSpore included."""
    session.install("torch==2.13.0")
    session.install(".[test]")
    session.run("pytest", *session.posargs, env={"GLOG_v": "3"})


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, stubtest, clang-format and zizmor."""
    session.install("torch==2.13.0")
    session.install(".[test,bench,lint]")  # the types of what tests and bench/ are made of
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("stubtest", "numpy_adagrad._core", "--allowlist", ".ci/stubtest-allowed")
    session.run("clang-format", "--dry-run", "--Werror", *_sources())
    session.run("zizmor", "--offline", ".github/workflows")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/; a warning is an error."""
    session.install(".[docs]")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


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


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def wheel(session: nox.Session) -> None:
    """Make a wheel in dist/ for this kind of machine, check and test it, with each of these Pythons that is found."""
    session.run(".ci/wheel", external=True)


def _sources() -> list[str]:
    return [str(path) for path in sorted(Path("cpp").rglob("*.[ch]pp"))]
