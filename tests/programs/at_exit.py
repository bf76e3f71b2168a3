"""Steps while the interpreter exits: in a thread that it waits for, in handlers, and in finalizers.

`python tests/programs/at_exit.py RULE`: prints for each of them whether the step had the right bits
"""

import atexit
import sys
import threading
import weakref

rule = sys.argv[1]


def tell(name: str) -> None:
    from programs.processes import make_and_step

    print(name, make_and_step(rule) == expected, flush=True)


class Late:
    """Steps when it dies."""

    def __del__(self) -> None:
        tell("object")


def wait_and_tell() -> None:
    threading.main_thread().join()  # returns when the interpreter begins to exit; it waits for this thread
    tell("thread")


atexit.register(tell, "first handler")  # before the package is imported

from programs.processes import make_and_step  # noqa: E402

expected = make_and_step(rule)  # also starts the threads of this process
atexit.register(tell, "last handler")
weakref.finalize(tell, tell, "finalizer")
kept = [Late()]
atexit.register(kept.clear)
threading.Thread(target=wait_and_tell).start()
