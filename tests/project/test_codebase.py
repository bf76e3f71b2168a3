"""The sources, the compiled kernels and the built module."""

import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy_adagrad
import pytest
from numpy_adagrad import _core

ROOT = Path(__file__).parents[2]
CPP = ROOT / "cpp"
CMAKE = (ROOT / "CMakeLists.txt").read_text()
COMPILER = shutil.which("g++") or "c++"
NM, OBJDUMP = "nm", "objdump"
# What the assembler accepts in the kernels of an instruction set: generic64 is x86-64 with SSE2 alone.
V3 = "generic64+sse4.2+popcnt+movbe+lzcnt+bmi+bmi2+f16c+fma+avx2"
ASSEMBLER = {"baseline": "generic64", "v3": V3, "v4": f"{V3}+avx512f+avx512bw+avx512cd+avx512dq+avx512vl"}
REGISTERS = {"baseline": {"xmm"}, "v3": {"xmm", "ymm"}, "v4": {"xmm", "ymm", "zmm"}}


def command_output(*command: str | Path) -> str:
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def kernel_flags(isa: str) -> list[str]:
    """The flags that CMakeLists.txt gives the kernels of an instruction set, all but the level of optimisation."""
    (common,) = re.findall(r"target_compile_options\(\s*kernel_\$\{isa\} PRIVATE (.*?)\$\{ARGN\}\)", CMAKE, re.DOTALL)
    (own,) = re.findall(rf"add_kernels\({isa}(.*?)\)", CMAKE)
    flags = [*common.split(), *own.split()]
    assert "-O3" in flags
    return [flag for flag in flags if not flag.startswith("-O")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The object file of the kernels of an instruction set at a level of optimisation."""

    @cache
    def compile_kernels(isa: str, level: str) -> Path:
        target = tmp_path_factory.mktemp("kernels") / "kernel.o"
        flags = [*kernel_flags(isa), level, "-std=c++20", "-fPIC", f"-DADAGRAD_TABLE=table_{isa}"]
        if platform.machine() == "x86_64":
            flags.append(f"-Wa,-march={ASSEMBLER[isa]}")
        command_output(COMPILER, *flags, f"-I{CPP}", "-c", CPP / "kernels" / "kernels.cpp", "-o", target)
        return target

    return compile_kernels


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize("isa", REGISTERS)
def test_kernels_export_their_table_alone(isa: str, level: str, compiled: Callable[[str, str], Path]) -> None:
    """A weak symbol compiled for AVX could be the one that the linker keeps for everybody."""
    lines = command_output(NM, "-C", compiled(isa, level)).splitlines()
    symbols = [line[17:].split(maxsplit=1) for line in lines]
    assert [name for kind, name in symbols if kind in "WwVvu"] == []
    assert [name for kind, name in symbols if kind in "TRDBG"] == [f"adagrad::table_{isa}"]
    # The functions of the C library that are called where there is no instruction.
    wanted = {name for kind, name in symbols if kind == "U"}
    assert wanted <= {"fma", "fmaf", "sqrt", "sqrtf", "memset", "memcpy", "_GLOBAL_OFFSET_TABLE_"}


@pytest.mark.parametrize("isa", REGISTERS)
def test_kernels_use_the_registers_of_their_instruction_set(isa: str, compiled: Callable[[str, str], Path]) -> None:
    code = command_output(OBJDUMP, "-d", compiled(isa, "-O3"))
    used = set(re.findall(r"%([xyz]mm)\d", code))
    assert used == REGISTERS[isa]
    assert ("vfmadd" in code) == (isa != "baseline")


ABOVE = {"baseline": "pshufb %xmm0, %xmm1", "v3": "vpaddd %zmm0, %zmm1, %zmm2", "v4": "vpermb %zmm0, %zmm1, %zmm2"}


@pytest.mark.parametrize("isa", ABOVE)
def test_the_assembler_accepts_no_instruction_above(isa: str, tmp_path: Path) -> None:
    """It has seen all instructions of the kernels that were compiled above."""
    source = tmp_path / "above.s"
    source.write_text(f"{ABOVE[isa]}\n")
    command = [COMPILER, "-c", str(source), "-o", str(tmp_path / "above.o")]
    command_output(*command)
    assert subprocess.run([*command, f"-Wa,-march={ASSEMBLER[isa]}"], capture_output=True).returncode != 0


def test_only_kernels_are_compiled_for_an_instruction_set() -> None:
    """The rest must run on every machine, to choose."""
    lines = [line for line in CMAKE.splitlines() if re.search(r"-m(arch|cpu|tune|avx|fma|prefer)", line.split("# ")[0])]
    assert len(lines) == 2
    assert all(line.strip().startswith("add_kernels(") for line in lines)


@pytest.mark.parametrize("name", ["narrow_rows", "sparse_update"])
def test_the_compiler_keeps_prefetches(name: str) -> None:
    """GCC drops the calls of a function that only prefetches, unless it seems to have an effect."""
    source = CPP / "engine" / f"{name}.cpp"
    code = command_output(COMPILER, "-O3", "-std=c++20", "-fPIC", f"-I{CPP}", "-S", source, "-o", "-")
    assert re.search(r"\t(prefetch|prfm)", code)


def test_built_module_exports_its_initialisation_alone() -> None:
    lines = command_output(NM, "-D", "--defined-only", _core.__file__).splitlines()
    strong = [line.split()[-1] for line in lines if line.split()[-2] not in "wWvVu"]
    assert strong == ["PyInit__core"]


def test_no_flag_that_changes_the_meaning_of_arithmetic() -> None:
    """On GCC these change the floating-point mode of a process that loads the library."""
    wrong = re.compile(r"-Ofast|-ffast-math|-funsafe|-fassociative|-ffinite|-freciprocal|-fno-signed|-mdaz|-mrecip")
    files = [ROOT / "CMakeLists.txt", ROOT / "pyproject.toml", *CPP.rglob("*.[ch]pp")]
    assert len(files) > 10
    for path in files:
        text = re.sub(r"set\(VALUE_CHANGING_FLAGS[^)]*\)", "", path.read_text())  # the flags that stop the build
        for number, line in enumerate(text.splitlines(), 1):
            code = re.split(r"#\s|//", line)[0]
            assert not wrong.search(code), f"{path.name}:{number}: {line}"
    assert "-ffp-contract=off" in kernel_flags("baseline")


def test_kernels_include_nothing_shared() -> None:
    """No header of the library, whose inline functions would be compiled for AVX."""
    seen, waiting = set(), {"kernels/kernels.cpp"}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        text = (CPP / name).read_text()
        # The functions of immintrin.h are always inlined; `test_kernels_export_their_table_alone` sees it.
        assert set(re.findall(r"#include <(.*)>", text)) <= {"cstddef", "cstdint", "immintrin.h"}, name
        waiting |= set(re.findall(r'#include "(.*)"', text)) - seen
    folders = {"kernels", "rules"}
    assert seen == {path.relative_to(CPP).as_posix() for folder in folders for path in (CPP / folder).glob("*.[ch]pp")}


def test_update_formulas_stand_in_one_place() -> None:
    """Square roots and fused multiply-adds are written in rules/, half.hpp and roots.hpp.

    One other is the norm's, and one takes the roots of a loop's rest.
    """
    roots = {
        path.relative_to(CPP).as_posix(): len(re.findall(r"\b(?:sqrt|fma)f?\(", path.read_text()))
        for path in CPP.rglob("*.[ch]pp")
        if path.parent.name != "rules"
    }
    del roots["kernels/half.hpp"], roots["kernels/roots.hpp"]
    assert {name: count for name, count in roots.items() if count} == {
        "engine/executor.cpp": 1,
        "kernels/kernels.cpp": 1,
    }


def test_version() -> None:
    (stated,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert stated == numpy_adagrad.__version__ == numpy_adagrad.show_config()["numpy_adagrad"]


def test_size_of_the_built_module() -> None:
    assert Path(_core.__file__).stat().st_size < 2_000_000


def test_types_are_installed() -> None:
    """That the stub is right is seen by stubtest, in `nox -s lint`."""
    package = Path(_core.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "_core.pyi").exists()
