"""Prints how much memory saving and loading a checkpoint takes, each in units of the file's size.

``python checkpoint_memory.py FOLDER``
"""

import sys
from pathlib import Path

import numpy as np
from helpers.process import memory
from numpy_adagrad import TorchAdagrad

folder = Path(sys.argv[1])
optimizer = TorchAdagrad([np.ones(20_000_000, np.float32)[::-1], np.ones(10_000_000, np.float32)])
optimizer.save(folder / "warm")
for call in (optimizer.save, optimizer.load):
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    call(folder / "a", parameters=True)
    print((memory("VmHWM") - before) / (folder / "a").stat().st_size)
