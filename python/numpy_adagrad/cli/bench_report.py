"""`numpy-adagrad bench`: a few workloads, everyone who is installed, a table in the terminal."""

import statistics
from collections.abc import Sequence
from itertools import islice

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from .. import _core
from ..benchmark.candidates import participants, versions
from ..benchmark.comparison import Round, dense_race
from ..benchmark.figures import duration, kept, median_ratio, multiple
from ..benchmark.workloads import WORKLOADS

SHORT = ("1e3", "1e5", "1e6", "1e7", "2000x256")


def run(rounds: int, workloads: Sequence[str] = SHORT) -> None:
    """Let everyone who is installed step, with the threads that they take by themselves, and print the times."""
    console = Console()
    threads = _core.max_threads()
    done: dict[str, list[Round]] = {}
    notes = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rounds"))
    # No thread that draws while others are timed.
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    with bar as progress:
        console.show_cursor()  # once MindSpore has run, Ctrl-C ends the process at once: nobody would show it again
        task = progress.add_task("", total=rounds * len(workloads))
        for name in workloads:
            progress.update(task, description=f"{name}: first steps", refresh=True)
            race = dense_race(WORKLOADS[name], participants(WORKLOADS[name]))
            notes += [f"{name}, {who}: {what}" for who, wrong in race.complaints.items() for what in wrong]
            progress.update(task, description=f"{name}: timing", refresh=True)
            done[name] = []
            for one in islice(race.rounds(), rounds):
                done[name].append(one)
                progress.update(task, advance=1, refresh=True)
    console.print(table(done))
    busy = [name for name, all_rounds in done.items() if not any(one.quiet for one in all_rounds)]
    if busy:
        notes.append(f"Other processes kept the machine busy in every round of {', '.join(busy)}: measure again.")
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    for note in (*notes, f"{used}; {threads} threads, instruction set {_core.isa}"):
        console.print(note, markup=False, highlight=False)


def table(done: dict[str, list[Round]]) -> Table:
    """Sum up. With a column for each workload it fits into 80 characters, however many take part."""
    result = Table(title="Median time of a step in float32, and how many times the floor's", show_lines=True)
    result.add_column("")
    for name in done:
        result.add_column(name, justify="right")
    for who in next(iter(done.values()))[0].seconds:
        result.add_row(who, *(cell(rounds, who) for rounds in done.values()))
    result.caption = "floor: the same memory traffic with next to no arithmetic"
    return result


def cell(rounds: list[Round], who: str) -> str:
    """From the rounds that count or, if there are none, from all."""
    quiet = [one.quiet for one in rounds] if any(one.quiet for one in rounds) else [True] * len(rounds)
    seconds, floors = (kept([one.seconds[name] for one in rounds], quiet) for name in (who, "floor"))
    return f"{duration(statistics.median(seconds))}\n{multiple(median_ratio(seconds, floors))}"
