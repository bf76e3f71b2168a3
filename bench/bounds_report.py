"""Turn a result file of `bounds.py` into the tables and the picture of the documentation.

    python bench/bounds_report.py bounds.json --out docs/internals/performance.md \
        --picture docs/internals/performance-pauses.png

A result file holds `schema`, `date`, `machine` and `command` as in `result.py`, and whether a process was `busy`. Each
of its `measurements` holds the number of `threads`, the `pause` between two steps, the `workload` as `bounds_worker.py`
takes it, and for each implementation the `seconds`: the median of each round.
"""

import argparse
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from arguments import new_file, old_file
from bounds import ARRAYS, BOUNDS, INDEXING, INDICES, OURS, PAUSES, RIVAL, SCHEMA, SPARSE_RIVAL
from numpy_adagrad.benchmark.figures import format_duration, format_ratio, format_threads, median_ratio
from page import markdown_table, write_block
from picture import draw_pauses
from result import measured_on, read_json

Found = dict[str, Any]
PAUSE_NAMES = dict(zip(PAUSES, ["asleep", "NumPy on one thread", "matrix products"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=old_file, help="written by bench/bounds.py")
    parser.add_argument("--out", type=new_file, required=True, help="the Markdown page with the generated block")
    parser.add_argument("--picture", type=new_file, help="the PNG file to write")
    options = parser.parse_args()
    result = read_json(options.result, SCHEMA)
    found = result["measurements"]
    texts = [measured_on(result)]
    for threads in dict.fromkeys(each["threads"] for each in found):
        texts += sections([each for each in found if each["threads"] == threads], format_threads(threads))
    write_block(options.out, "bounds, busy" if result["busy"] else "bounds", "\n\n".join(texts))
    after_products = [each for each in found if each["pause"] == "matrix_products"]
    if options.picture and after_products:
        draw_pauses(after_products, options.picture)


def sections(found: list[Found], threads: str) -> Iterable[str]:
    """Return a heading and a table for each kind of workload that was measured."""
    single = [each for each in found if "length" in each["workload"] and each["pause"] == "none"]
    paused = [each for each in found if each["pause"] != "none"]
    starts = [each for each in found if "start" in each["workload"]]
    sparse = [each for each in found if "width" in each["workload"]]
    if single:
        yield f"### Steps in a row, {threads}\n\n{dense_table(single)}"
    if paused:
        yield f"### 3 ms between two steps, {threads}\n\n{paused_table(paused)}"
    if sparse:
        yield (
            f"### {INDICES:,} rows of a table, {threads}\n\n"
            f"Time of a step, and its ratio to `rows_bound`:\n\n{sparse_table(sparse, over_bound)}\n\n"
            f"{SPARSE_RIVAL} / {OURS}:\n\n{sparse_table(sparse, over_ours)}"
        )
    if starts:
        yield f"### A new optimizer, {threads}\n\n{start_table(starts)}"


def duration(each: Found, name: str) -> str:
    return format_duration(statistics.median(each["seconds"][name]))


def ratio(each: Found, name: str, base: str) -> str:
    return format_ratio(median_ratio(each["seconds"][name], each["seconds"][base]))


def dense_table(found: list[Found]) -> str:
    rows = []
    for each in found:
        name = f"{each['workload']['length']:,}" + (", odd gradient" if each["workload"].get("skipped") else "")
        times = [duration(each, name) for name in (*BOUNDS, OURS)]
        ratios = [ratio(each, OURS, name) for name in BOUNDS]
        rows.append([name, *times, *ratios, duration(each, RIVAL), ratio(each, RIVAL, OURS)])
    return markdown_table(["elements", *BOUNDS, OURS, *(f"/ {name}" for name in BOUNDS), RIVAL, f"/ {OURS}"], rows)


def paused_table(found: list[Found]) -> str:
    rows = [[PAUSE_NAMES[each["pause"]], f"{each['workload']['length']:,}", *beside_rival(each)] for each in found]
    return markdown_table(["between", "elements", OURS, RIVAL, f"/ {OURS}"], rows)


def start_table(found: list[Found]) -> str:
    sizes = {count: f"{count:,} array{'s' * (count > 1)} of {size:,}" for count, size in ARRAYS.items()}
    rows = [[each["workload"]["start"], sizes[each["workload"]["arrays"]], *beside_rival(each)] for each in found]
    return markdown_table(["new optimizer", "parameters", OURS, RIVAL, f"/ {OURS}"], rows)


def beside_rival(each: Found) -> list[str]:
    return [duration(each, OURS), duration(each, RIVAL), ratio(each, RIVAL, OURS)]


def over_bound(each: Found) -> str:
    return f"{duration(each, OURS)} ({ratio(each, OURS, 'rows_bound')})"


def over_ours(each: Found) -> str:
    return ratio(each, SPARSE_RIVAL, OURS)


def sparse_table(found: list[Found], cell: Callable[[Found], str]) -> str:
    """Return a table with a row for each kind of rows and a column for each width."""
    widths = dict.fromkeys(each["workload"]["width"] for each in found)
    kinds: dict[str, list[str]] = {}
    for each in found:
        kinds.setdefault(each["workload"]["rows"], []).append(cell(each))
        if cell is over_ours and INDEXING in each["seconds"]:
            kinds.setdefault(f"{each['workload']['rows']}: NumPy's indexing", []).append(ratio(each, INDEXING, OURS))
    return markdown_table(
        ["rows", *(f"width {width}" for width in widths)], [[kind, *each] for kind, each in kinds.items()]
    )


if __name__ == "__main__":
    main()
