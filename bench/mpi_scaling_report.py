"""Turn result files of `mpi_scaling.py` into the tables and the picture of the documentation.

    python bench/mpi_scaling_report.py shared.json fast.json slow.json --out docs/internals/scaling.md \
        --picture docs/internals/scaling.png

A result file holds `schema`, `date`, `machine` and `command` as in `result.py`. Each of its `measurements` holds the
request, as `mpi_scaling.py` makes it, the `link`, the number of `ranks`, and what `mpi_scaling_worker.py` found.
"""

import argparse
import math
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np
from arguments import new_file, old_file
from mpi_scaling import SCHEMA, SHARED_MEMORY, TABLE
from numpy_adagrad.benchmark.figures import format_duration
from page import markdown_table, write_block
from picture_scaling import LARGE, draw_scaling
from result import measured_on, read_json
from scaling_model import Link, Work, bytes_sent, fit, row_bytes_sent, seconds, seconds_of_work

DENSE = ("Replicated", "Sharded")
TABLES = ("Replicated, rows", "ShardedTable")
ASSUMED = {"100 Gbit/s, assumed": Link(message=5e-6, byte=8 / 100e9)}
Found = dict[str, Any]
Point = tuple[str, int, int, float]
"""A class, its numbers of ranks and of elements, and the measured seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=old_file, nargs="+", help="written by bench/mpi_scaling.py")
    parser.add_argument("--out", type=new_file, required=True, help="the Markdown page with the generated block")
    parser.add_argument("--picture", type=new_file, help="the PNG file to write")
    options = parser.parse_args()
    results = [read_json(path, SCHEMA) for path in options.results]
    found = [each for result in results for each in result["measurements"]]
    work = measured_work(found)
    links = {link: fit([each for each in points(found, link) if is_fitted(each)], work) for link in links_of(found)}
    texts = [
        *map(measured_on, results),
        f"### Bytes that a rank sends in a step\n\n{byte_table(found)}",
        f"### Accumulators of a rank\n\n{memory_table(found)}",
        f"### Exchange and addition of gradients\n\n{overlap_table(found)}",
        f"### The model's parameters\n\n{parameter_table(links, work)}",
        f"### The model beside the measurements\n\n{residual_table(found, links, work)}",
        f"### What sharding saves of a step on {LARGE:,} elements, by the model\n\n"
        f"{saving_table(links | ASSUMED, work)}",
    ]
    write_block(options.out, "scaling", "\n\n".join(texts))
    if options.picture:
        draw_scaling(points_by_link(found), row_points(found), links, ASSUMED, work, options.picture)


def of(found: Iterable[Found], **wanted: Any) -> list[Found]:
    """Return the measurements with these entries."""
    return [each for each in found if all(each.get(key) == value for key, value in wanted.items())]


def median(each: Found) -> float:
    return float(statistics.median(each["seconds"]))


def links_of(found: list[Found]) -> list[str]:
    return [link for link in dict.fromkeys(each["link"] for each in found) if link != SHARED_MEMORY]


def measured_work(found: list[Found]) -> Work:
    """Return the work on an element, measured in one process on the longest arrays."""
    alone = of(found, link=SHARED_MEMORY, ranks=1)
    elements = max(each["elements"] for each in of(alone, step="update"))
    update, step = (median(of(alone, step=name, elements=elements)[0]) / elements for name in ("update", "Sharded"))
    return Work(gradient=step - update, update=update)


def points(found: list[Found], link: str) -> list[Point]:
    dense = [each for name in DENSE for each in of(found, link=link, step=name)]
    return [(each["step"], each["ranks"], each["elements"], median(each)) for each in dense]


def is_fitted(point: Point) -> bool:
    """Whether no two ranks shared a processor. The other points check the model."""
    return point[1] <= 2


def points_by_link(found: list[Found]) -> dict[str, list[Point]]:
    return {link: points(found, link) for link in links_of(found)}


def row_points(found: list[Found]) -> dict[str, list[tuple[int, float]]]:
    """Return the numbers of ranks and the bytes that were sent for the rows of a batch."""
    slow = [each for each in found if each["link"] == links_of(found)[-1]]
    return {name: [(each["ranks"], each["bytes"]) for each in of(slow, step=name)] for name in TABLES}


def distinct_rows() -> int:
    """Return how many of the rows of rank 0's batch differ."""
    return len(np.unique(np.random.default_rng(0).integers(0, TABLE["rows"], TABLE["batch"])))


def byte_table(found: list[Found]) -> str:
    rows = []
    for each in found:
        is_short = each.get("elements", math.inf) < 1e6
        if each["link"] == SHARED_MEMORY or each["step"] not in (*DENSE, *TABLES) or is_short:
            continue
        if each["step"] in DENSE:
            size, expected = f"{each['elements']:,} elements", bytes_sent(each["ranks"], each["elements"])
        else:
            size = f"{TABLE['batch']:,} rows of {TABLE['dim']}"
            expected = row_bytes_sent(each["step"], each["ranks"], TABLE["batch"], distinct_rows(), TABLE["dim"])
        cells = [f"{expected / 1e6:.2f} MB", f"{each['bytes'] / 1e6:.2f} MB", f"{each['bytes'] / expected:.3f}x"]
        rows.append([each["step"], size, str(each["ranks"]), each["link"], *cells, format_duration(median(each))])
    rows.sort(key=lambda row: [*DENSE, *TABLES].index(row[0]))
    return markdown_table(["class", "gradient", "ranks", "link", "formula", "counted", "ratio", "time"], rows)


def memory_table(found: list[Found]) -> str:
    rows = []
    for ranks, each in sorted({each["ranks"]: each for each in of(found, step="memory")}.items()):
        whole = 4 * each["elements"]
        shares = [size / whole for size in each["bytes"]]
        largest = f"{max(each['bytes']) / 1e6:.3f} MB"
        rows.append([str(ranks), largest, f"{min(shares):.5f} to {max(shares):.5f}", f"{1 / ranks:.5f}"])
    return markdown_table(["ranks", "largest part of 40 MB", "shares", "1/n"], rows)


def overlap_table(found: list[Found]) -> str:
    rows = []
    averages = of(found, step="averaging")
    for link, dtype in dict.fromkeys((each["link"], each["dtype"]) for each in averages):
        own = {each["kind"]: each for each in of(averages, link=link, dtype=dtype)}
        times = {kind: median(each) for kind, each in own.items()}
        saved = times["in turn"] - times["overlapped"]
        cells = [format_duration(times[kind]) for kind in ("exchange", "addition", "in turn", "overlapped")]
        rows.append([link, dtype, f"{own['in turn']['elements']:,}", *cells, f"{saved / times['in turn']:.1%}"])
    header = ["link", "dtype", "elements", "exchange alone", "addition alone", "in turn", "overlapped", "saved"]
    return markdown_table(header, rows)


def parameter_table(links: dict[str, Link], work: Work) -> str:
    rows = [["copy and mean of a gradient", "all", f"{work.gradient * 1e9:.2f} ns per element"]]
    rows.append(["update of a parameter", "all", f"{work.update * 1e9:.2f} ns per element"])
    for name, link in (links | ASSUMED).items():
        rows.append(["message", name, f"{link.message * 1e6:.0f} µs"])
        rows.append(["byte", name, f"{link.byte * 1e9:.3g} ns, {8 / link.byte / 1e9:.3g} Gbit/s"])
    return markdown_table(["part", "link", "value"], rows)


def residual_table(found: list[Found], links: dict[str, Link], work: Work) -> str:
    rows = []
    for link, parameters in links.items():
        for point in points(found, link):
            name, ranks, elements, measured = point
            model = seconds(name, ranks, elements, parameters, work)
            times = format_duration(measured), format_duration(model), f"{model / measured - 1:+.0%}"
            rows.append([link, name, str(ranks), f"{elements:,}", *times, "fit" if is_fitted(point) else "check"])
    return markdown_table(["link", "class", "ranks", "elements", "measured", "model", "residual", "for"], rows)


def saving_table(links: dict[str, Link], work: Work) -> str:
    rows = []
    for name, link in links.items():
        for ranks in (8, 64, 1024):
            slow, fast = (seconds(each, ranks, LARGE, link, work) for each in DENSE)
            at_work = seconds_of_work("Replicated", ranks, LARGE, work) / slow
            rows.append([name, f"{ranks:,}", *map(format_duration, (slow, fast)), f"{1 - fast / slow:.1%}"])
            rows[-1].append(f"{at_work:.1%}")
    return markdown_table(["link", "ranks", *DENSE, "saved", "work in Replicated"], rows)


if __name__ == "__main__":
    main()
