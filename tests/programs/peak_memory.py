"""Steps on 100 million elements. Prints by how many bytes the peak of memory exceeds the memory used before.

`python tests/programs/peak_memory.py RULE OPTIONS`: the options of the step are JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from helpers.dialects import DIALECTS
from helpers.process import memory

param, grad = np.ones(100_000_000, np.float32), np.ones(100_000_000, np.float32)
optimizer = DIALECTS[sys.argv[1]].make([param])
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
optimizer.step([grad], **json.loads(sys.argv[2]))
print(memory("VmHWM") - before)
