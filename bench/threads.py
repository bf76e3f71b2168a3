"""Set the number of threads of all libraries at once; needs threadpoolctl."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from numpy_adagrad import _core
from threadpoolctl import threadpool_limits

PROCESSORS = len(os.sched_getaffinity(0))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let the package, torch and numba use this number of threads. A library that is imported later is not limited."""
    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    with ExitStack() as stack:
        if numba is not None:
            stack.callback(numba.set_num_threads, numba.get_num_threads())
            numba.set_num_threads(count)
        # After numba, which sets the limit of the OpenMP runtime when it starts. torch uses the limit of OpenMP.
        # torch.set_num_threads() would also set MKL's, whose threads then nest in torch's, because numba allows nested
        # parallelism in the whole process: steps of 40 us took 4 ms.
        stack.enter_context(threadpool_limits(count))
        assert torch is None or torch.get_num_threads() == count
        assert _core.max_threads() == count
        yield
        assert _core.max_threads() == count, "a library has changed the number of threads"
