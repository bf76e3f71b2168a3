"""Measure one step of every candidate on every workload, and write a result file.

The results of the first steps are checked before anything is timed; the program stops at the first wrong one.

    python bench/run.py --out result.json                        all workloads: 13 minutes, 16 GB of memory
    python bench/run.py --small --rounds 1 --out result.json     a quick check of the results
"""

import argparse
import datetime
import gc
import platform
import tempfile
from collections.abc import Iterator

from arguments import COUNT, new_file
from bound_loops import DenseBound, build_bounds, rows_bound
from machine import command_line, machine
from numpy_adagrad.benchmark.candidates import MEMORY_BOUND, Candidate, Step, participants, versions
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES, EVERY_KIND
from numpy_adagrad.benchmark.dense_comparison import compare_dense
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS, DenseWorkload
from numpy_adagrad.benchmark.figures import format_threads
from numpy_adagrad.benchmark.formulas import FORMULAS, Formula
from numpy_adagrad.inputs.types import Array
from result import Measurement, Result, write
from sparse_candidates import SPARSE_CANDIDATES, in_turn
from sparse_comparison import compare_sparse
from sparse_workloads import SPARSE_WORKLOADS, Batch, SparseWorkload
from threads import PROCESSORS, threads

Workload = DenseWorkload | SparseWorkload

SMALL_ELEMENTS = 10**6


def main() -> None:
    command = command_line()
    options = read_options()
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        use_independent_bounds(build_bounds(folder))
        for workload in chosen_workloads(options.workloads, options.small):
            measurements.extend(measure(workload, options.threads, options.rounds))
    used = versions([*DENSE_CANDIDATES.values(), *SPARSE_CANDIDATES.values()])
    result = Result(
        datetime.date.today().isoformat(),
        machine(),
        {"Python": platform.python_version(), **used},
        command,
        measurements,
    )
    write(result, options.out)


def use_independent_bounds(library: str) -> None:
    """Let the candidate `memory_bound` be a loop of `bounds.cpp` in place of the package's own.

    It changes no more than the last bit of each parameter, and the results are checked for that.
    """

    def dense(workload: DenseWorkload, params: list[Array], grads: list[Array]) -> Step:
        clips = workload.max_norm is not None
        bound = DenseBound(library, MEMORY_BOUND, params, grads, workload.state_dtype, clips)
        bound.tune()
        return Step(bound.run)

    def sparse(table: Array, batches: list[Batch]) -> Step:
        return in_turn(rows_bound(library, table, batches))

    FORMULAS["unchanged"] = Formula(lambda p, s, g: (p, s), clips=False)
    DENSE_CANDIDATES[MEMORY_BOUND] = Candidate(dense, "unchanged", kinds=EVERY_KIND)
    SPARSE_CANDIDATES[MEMORY_BOUND] = Candidate(sparse, "unchanged")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    counts = sorted({1, PROCESSORS})
    known = [*DENSE_WORKLOADS, *SPARSE_WORKLOADS]
    parser.add_argument("--rounds", type=COUNT, default=9, help="rounds on an idle machine (%(default)s)")
    parser.add_argument("--out", type=new_file, required=True, help="the result file to write")
    parser.add_argument("--small", action="store_true", help=f"up to {SMALL_ELEMENTS:,} elements, and small tables")
    parser.add_argument("--workloads", nargs="+", metavar="NAME", choices=known, default=known, help=", ".join(known))
    parser.add_argument("--threads", nargs="+", type=COUNT, metavar="N", default=counts, help=f"{counts} if not given")
    return parser.parse_args()


def chosen_workloads(names: list[str], small: bool) -> Iterator[Workload]:
    for name in names:
        if name in SPARSE_WORKLOADS:
            yield SPARSE_WORKLOADS[name].small() if small else SPARSE_WORKLOADS[name]
        elif not small or DENSE_WORKLOADS[name].elements <= SMALL_ELEMENTS:
            yield DENSE_WORKLOADS[name]
        else:
            print(f"{name} is left out: it is not small")


def measure(workload: Workload, counts: list[int], rounds: int) -> Iterator[Measurement]:
    """Check the results of all candidates on a workload, then time them with each number of threads."""
    gc.collect()  # the arrays of the previous workload: they might not fit into memory beside the next ones
    names = participating(workload, PROCESSORS)
    with threads(PROCESSORS):
        if isinstance(workload, SparseWorkload):
            comparison, rows = compare_sparse(workload, names), workload.updated_rows
        else:
            comparison, rows = compare_dense(workload, names), None
    errors = [f"{workload.name}, {name}: {error}" for name, found in comparison.errors.items() for error in found]
    if errors:
        raise SystemExit("\n".join(errors))
    for count in counts:
        with threads(count):
            done = comparison.run(rounds, participating(workload, count))
        idle = [each.idle for each in done]
        busy = len(done) - sum(idle)
        print(f"{workload.name}, {format_threads(count)}: {sum(idle)} rounds, and {busy} on a busy machine", flush=True)
        seconds = {name: [each.seconds[name] for each in done] for name in done[0].seconds}
        yield Measurement(workload.name, count, workload.bytes, rows, idle, seconds)


def participating(workload: Workload, count: int) -> list[str]:
    """Return the candidates whose number of threads is `count`, by default or because it can be set."""
    candidates = SPARSE_CANDIDATES if isinstance(workload, SparseWorkload) else DENSE_CANDIDATES
    return participants(candidates, workload.kind, threads_set=count != PROCESSORS)


if __name__ == "__main__":
    main()
