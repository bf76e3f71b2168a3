"""Worker processes, which answer requests in JSON through their standard input and output, and a busy process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

# It ends with its parent, even if that is killed.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


class Worker:
    """A program of this folder in its own process, with its own number of threads."""

    def __init__(self, interpreter: str, program: str, threads: int) -> None:
        self.interpreter = interpreter
        self.process = subprocess.Popen(
            [interpreter, str(Path(__file__).with_name(program))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the reply."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        reply = ""
        with suppress(BrokenPipeError):
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
            reply = self.process.stdout.readline()
        if not reply:
            raise SystemExit(f"{self.interpreter}: the worker process has ended")
        result: dict[str, Any] = json.loads(reply)
        return result

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one processor busy in this block."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def answer(requests: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(requests[request.pop("do")](**request)), flush=True)
