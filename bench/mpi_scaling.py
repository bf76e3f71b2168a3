"""Measure steps over MPI: in shared memory, and between hosts on links of a limited rate; write a result file.

    python bench/mpi_scaling.py --link "shared memory" --out shared.json
    python bench/mpi_scaling.py --link "1 Gbit/s" --out fast.json
    python bench/mpi_scaling.py --link "100 Mbit/s" --out slow.json

Each takes a minute. The hosts are network namespaces of this machine (`links.py`): Linux, with the commands
unshare, nsenter, ip and tc, and MPICH. `mpi_scaling_report.py` makes tables and pictures of the result files.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from arguments import COUNT, new_file
from links import ON_LINKS, enter_own_network, hosts
from machine import command_line, machine

SCHEMA = 1
SHARED_MEMORY, SLOW = "shared memory", "100 Mbit/s"
RATES = {
    SHARED_MEMORY: "",
    # The burst, which passes at once, is what the link sends while a process waits for a processor.
    "1 Gbit/s": "rate 1gbit burst 128kb",
    SLOW: "rate 100mbit burst 32kb",
}
RANKS = {SHARED_MEMORY: [1, 2], "1 Gbit/s": [2, 4], SLOW: [2, 4, 8]}
# The smallest steps have the latency; others are longer than the burst.
ELEMENTS = {
    SHARED_MEMORY: [100, 10**5, 10**6, 10**7],
    "1 Gbit/s": [100, 10**6, 5 * 10**6],
    SLOW: [100, 10**6],
}
AVERAGED = {SHARED_MEMORY: 10**7, "1 Gbit/s": 10**7, SLOW: 8 * 10**6}
TABLE = {"rows": 200_000, "batch": 4096, "dim": 64}
WORKER = Path(__file__).with_name("mpi_scaling_worker.py")
Request = dict[str, Any]


def requests(link: str, ranks: int) -> list[Request]:
    found: list[Request] = []
    for elements in ELEMENTS[link]:
        rounds = 50 if elements < 10**6 else 15 if link == SHARED_MEMORY else 5
        names = ["Replicated", "Sharded", *(["update"] if link == SHARED_MEMORY else [])]
        found += [{"step": name, "elements": elements, "rounds": rounds} for name in names]
    found += [{"step": name, "rounds": 5, **TABLE} for name in ("ShardedTable", "Replicated, rows")]
    found.append({"step": "memory", "elements": 10**7, "rounds": 0})
    if ranks == 2:
        workload = {"step": "averaging", "elements": AVERAGED[link], "rounds": 5 if link == SLOW else 11}
        found += [
            {"kind": kind, "dtype": dtype, **workload}
            for dtype in ("float32", "float16")
            for kind in ("overlapped", "in turn", "exchange", "addition")
        ]
    return found


def measure(link: str, ranks: int) -> list[dict[str, Any]]:
    """Return for each request itself, the number of ranks and what `mpi_scaling_worker.py` found."""
    asked = requests(link, ranks)
    settings = {"OMP_NUM_THREADS": "1", **(ON_LINKS if RATES[link] else {})}
    if ranks > (os.cpu_count() or 1):
        settings["MPIR_CVAR_ENABLE_HEAVY_YIELD"] = "1"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        program = [sys.executable, "-m", "mpi4py", str(WORKER), file.name]
        if not RATES[link]:
            found = run_job(["-n", str(ranks), *program], settings)
        else:
            with hosts(ranks, RATES[link]) as arguments:
                found = run_job([*arguments, "-n", str(ranks), *program], settings)
    return [{"link": link, "ranks": ranks, **own, **result} for own, result in zip(asked, found, strict=True)]


def run_job(arguments: list[str], settings: dict[str, str]) -> list[dict[str, Any]]:
    command = [str(Path(sys.executable).with_name("mpiexec")), *arguments]
    done = subprocess.run(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=True)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--link", choices=RATES, required=True)
    parser.add_argument("--ranks", type=COUNT, nargs="*", help="the numbers of ranks (default: those of the page)")
    parser.add_argument("--out", type=new_file, required=True)
    options = parser.parse_args()
    command = command_line()
    enter_own_network()
    result = {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "command": command,
        "measurements": [
            each for ranks in options.ranks or RANKS[options.link] for each in measure(options.link, ranks)
        ],
    }
    options.out.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
