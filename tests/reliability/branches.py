"""Count the branches of cpp/ that a build with --coverage has taken; fail below a percentage.

Some branches are no decisions of ours, and are left out:
- gcc counts two for each call: one returns, one throws;
- it attributes what it adds for exceptions to lines of punctuation alone, such as the end of a function;
- the guard of a static variable, and what pybind11 makes of PYBIND11_MODULE;
- headers of other packages.
A template, or a function that several files include, has many copies of its branches: one copy must have taken each.
Prints the numbers of the lines with branches that none has taken.

`python tests/reliability/branches.py BUILD PERCENTAGE`
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CPP = Path(__file__).parents[2] / "cpp"
NOT_OURS = re.compile(r"\W*$|\s+static [^(]*=|PYBIND11_MODULE\(")
Json = dict[str, Any]


def decisions(branches: list[Json]) -> list[bool]:
    """Whether each branch was taken; without calls, whose two branches stand side by side."""
    calls: set[int] = set()
    for i, branch in enumerate(branches):
        if branch["throw"]:
            calls |= {i, i - 1 if i > 0 and i - 1 not in calls else i + 1}
    return [branch["count"] > 0 for i, branch in enumerate(branches) if i not in calls]


def lines(build: Path) -> Iterator[tuple[Path, int, list[bool]]]:
    for counts in sorted(build.rglob("*.gcda")):
        gcov = subprocess.run(["gcov", "--json-format", "--stdout", "-b", counts], capture_output=True, check=True)
        for document in map(json.loads, gcov.stdout.splitlines()):
            for file in document["files"]:
                path = Path(document["current_working_directory"], file["file"]).resolve()
                if not path.is_relative_to(CPP):
                    continue
                source = path.read_text().splitlines()
                for line in file["lines"]:
                    number = line["line_number"]
                    if not NOT_OURS.match(source[number - 1]):
                        yield path.relative_to(CPP), number, decisions(line["branches"])


def main(build: str, percentage: str) -> None:
    # Copies that the compiler gave other branches, as where `if constexpr` leaves some out, are counted apart.
    taken: dict[tuple[Path, int, int], list[bool]] = {}
    for path, line, copy in lines(Path(build)):
        before = taken.get((path, line, len(copy)), copy)
        taken[path, line, len(copy)] = [one or other for one, other in zip(before, copy, strict=True)]
    files: dict[Path, list[bool]] = defaultdict(list)
    missing: dict[Path, list[int]] = defaultdict(list)
    for (path, line, _), branches in sorted(taken.items()):
        files[path] += branches
        missing[path] += [line] * (not all(branches))
    for path, branches in files.items():
        print(f"{path}: {sum(branches)} of {len(branches)}", *missing[path])
    every = [branch for branches in files.values() for branch in branches]
    print(f"branches: {100 * sum(every) / len(every):.1f}% ({sum(every)} of {len(every)})")
    sys.exit(100 * sum(every) < float(percentage) * len(every))


if __name__ == "__main__":
    main(*sys.argv[1:])
