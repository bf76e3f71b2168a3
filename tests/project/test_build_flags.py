"""The build stops without a compiler, and at compiler and linker flags that change results."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.sources import ROOT

# The environment, the options of CMake, the variable that the message names, the flag.
FLAGS: dict[str, tuple[dict[str, str], list[str], str, str]] = {
    "CXXFLAGS": ({"CXXFLAGS": "-O2 -ffast-math -g"}, [], "CMAKE_CXX_FLAGS", "-ffast-math"),
    "LDFLAGS": ({"LDFLAGS": "-s -ffast-math"}, [], "CMAKE_EXE_LINKER_FLAGS", "-ffast-math"),
    "CXX": ({"CXX": "c++ -ffinite-math-only"}, [], "CMAKE_CXX_COMPILER_ARG1", "-ffinite-math-only"),
    "release": ({}, ["-DCMAKE_CXX_FLAGS_RELEASE=-Ofast"], "CMAKE_CXX_FLAGS_RELEASE", "-Ofast"),
    "denormals": ({}, ["-DCMAKE_CXX_FLAGS_RELEASE=-mdaz-ftz"], "CMAKE_CXX_FLAGS_RELEASE", "-mdaz-ftz"),
    "module": (
        {},
        ["-DCMAKE_MODULE_LINKER_FLAGS=-funsafe-math-optimizations"],
        "CMAKE_MODULE_LINKER_FLAGS",
        "-funsafe-math-optimizations",
    ),
    "associative": ({}, ["-DCMAKE_CXX_FLAGS=-fassociative-math"], "CMAKE_CXX_FLAGS", "-fassociative-math"),
    "single": ({"CXXFLAGS": "-fsingle-precision-constant"}, [], "CMAKE_CXX_FLAGS", "-fsingle-precision-constant"),
    "reciprocal": ({}, ["-DCMAKE_CXX_FLAGS=-freciprocal-math"], "CMAKE_CXX_FLAGS", "-freciprocal-math"),
}
EXPECTED = "expected flags that change no result, got"


def configure(folder: Path, environment: dict[str, str], options: list[str]) -> subprocess.CompletedProcess[str]:
    """Run CMake as far as it comes; the errors are in stderr."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CXXFLAGS", "LDFLAGS", "CXX")}
    command = ["cmake", "-S", str(ROOT), "-B", str(folder), *options]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize(("environment", "options", "name", "flag"), FLAGS.values(), ids=FLAGS)
def test_flags_that_change_results(
    tmp_path: Path, environment: dict[str, str], options: list[str], name: str, flag: str
) -> None:
    done = configure(tmp_path, environment, options)
    assert done.returncode != 0
    assert f" {name}: {EXPECTED} {flag}\n" in done.stderr


def test_other_flags(tmp_path: Path) -> None:
    flags = "-O2 -march=x86-64 -fno-fast-math -DNOTE=-ffast-math-is-off"
    done = configure(tmp_path, {"CXXFLAGS": flags, "LDFLAGS": "-s"}, [])
    assert "Found Python" in done.stdout  # the line after the check
    assert EXPECTED not in done.stderr


@pytest.mark.parametrize(("compiler", "version"), [("GNU", "11.4.0"), ("Clang", "19.1.7")])
def test_another_compiler(tmp_path: Path, compiler: str, version: str) -> None:
    """GCC before 12 does not know the levels of x86-64 processors, and Clang not all options."""
    known = ["ID_RUN=1", f"ID={compiler}", f"VERSION={version}", "FORCED=1"]
    done = configure(tmp_path, {}, [f"-DCMAKE_CXX_COMPILER_{one}" for one in known])
    assert done.returncode != 0
    assert f" numpy-adagrad: expected GCC 12 or later, found {compiler} {version}; set CXX\n" in done.stderr


def test_32_bits(tmp_path: Path) -> None:
    known = ["COMPILER_FORCED=1", "ABI_COMPILED=1"]
    done = configure(tmp_path, {}, [*(f"-DCMAKE_CXX_{one}" for one in known), "-DCMAKE_SIZEOF_VOID_P=4"])
    assert done.returncode != 0
    assert " numpy-adagrad: expected pointers of 8 bytes, found 4; build for 64 bits\n" in done.stderr


def test_headers_of_numpy_1(tmp_path: Path) -> None:
    package = tmp_path / "numpy" / "__init__.py"
    package.parent.mkdir()
    package.write_text(f"__version__ = '1.26.4'\ndef get_include(): return {np.get_include()!r}\n")
    done = configure(tmp_path / "build", {"PYTHONPATH": str(tmp_path)}, [])
    assert done.returncode != 0
    assert " numpy-adagrad: expected NumPy 2 or later to build with, found 1.26.4\n" in done.stderr


def test_a_flag_that_does_not_exist(tmp_path: Path) -> None:
    """The error was that there is no compiler."""
    done = configure(tmp_path, {"CXXFLAGS": "-fno-such-flag"}, [])
    assert done.returncode != 0
    assert "found none" not in done.stderr
    assert "-fno-such-flag" in done.stderr


@pytest.mark.parametrize("flag", ["-mfpmath=both", "-mfpmath=sse,387", "--fast-math", "-Wp,-ffast-math"])
def test_other_spellings_stop_the_compiler(flag: str) -> None:
    command = ["c++", "-std=c++20", "-fsyntax-only", "-x", "c++", "-I", str(ROOT / "cpp"), flag, "-"]
    done = subprocess.run(command, input='#include "rules/rule.hpp"\n', capture_output=True, text=True)
    assert done.returncode != 0
    assert EXPECTED in done.stderr


def test_no_compiler(tmp_path: Path) -> None:
    done = configure(tmp_path, {"CXX": str(tmp_path / "none")}, [])
    assert done.returncode != 0
    line = " numpy-adagrad: expected a C++ compiler, found none; run `apt install g++` or set CXX\n"
    assert line in done.stderr
