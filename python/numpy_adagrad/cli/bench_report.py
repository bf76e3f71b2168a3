"""`numpy-adagrad bench`: time a few workloads with all libraries that are installed, and print a table."""

import statistics
from collections.abc import Sequence
from itertools import islice

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from .. import _core
from ..benchmark.candidates import MEMORY_BOUND, participants, versions
from ..benchmark.comparison import Round
from ..benchmark.dense_candidates import DENSE_CANDIDATES
from ..benchmark.dense_comparison import compare_dense
from ..benchmark.dense_workloads import DENSE_WORKLOADS
from ..benchmark.figures import format_duration, format_ratio, format_threads, idle_only, median_ratio
from .console import Console

SHORT = ("1e3", "1e5", "1e6", "1e7", "2000x256")


def run(rounds: int, workloads: Sequence[str] = SHORT) -> None:
    """Time all candidates that are installed, each with its default number of threads, and print the times."""
    console = Console()
    threads = format_threads(_core.max_threads())
    done: dict[str, list[Round]] = {}
    notes = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rounds"))
    # Without auto_refresh no thread draws while steps are timed.
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    with bar as progress:
        # Once MindSpore has run, Ctrl-C ends the process at once, and nothing would show a hidden cursor again.
        console.show_cursor()
        task = progress.add_task("", total=rounds * len(workloads))
        for name in workloads:
            progress.update(task, description=f"{name}: first steps", refresh=True)
            workload = DENSE_WORKLOADS[name]
            comparison = compare_dense(workload, participants(DENSE_CANDIDATES, workload.kind))
            notes += [f"{name}, {who}: {error}" for who, errors in comparison.errors.items() for error in errors]
            progress.update(task, description=f"{name}: timing", refresh=True)
            done[name] = []
            for one in islice(comparison.rounds(), rounds):
                done[name].append(one)
                progress.update(task, advance=1, refresh=True)
    console.print(table(done))
    busy = [name for name, all_rounds in done.items() if not any(one.idle for one in all_rounds)]
    if busy:
        notes.append(f"Other processes were busy in every round of {', '.join(busy)}: measure again.")
    used = ", ".join(f"{name} {number}" for name, number in versions(DENSE_CANDIDATES.values()).items())
    for note in (*notes, f"{used}; {threads}, instruction set {_core.isa}"):
        console.print(note, markup=False, highlight=False)


def table(done: dict[str, list[Round]]) -> Table:
    """Return a table with a column for each workload: it fits into 80 characters with any number of candidates."""
    result = Table(title="Median time of a step in float32, and its ratio to memory_bound", show_lines=True)
    result.add_column("")
    for name in done:
        result.add_column(name, justify="right")
    for candidate in next(iter(done.values()))[0].seconds:
        result.add_row(candidate, *(cell(rounds, candidate) for rounds in done.values()))
    result.caption = "memory_bound: the same memory traffic with next to no arithmetic"
    return result


def cell(rounds: list[Round], candidate: str) -> str:
    """Return time and ratio, from the rounds on an idle machine or, if there are none, from all rounds."""
    idle = [one.idle for one in rounds] if any(one.idle for one in rounds) else [True] * len(rounds)
    seconds, bound = (idle_only([one.seconds[name] for one in rounds], idle) for name in (candidate, MEMORY_BOUND))
    return f"{format_duration(statistics.median(seconds))}\n{format_ratio(median_ratio(seconds, bound))}"
