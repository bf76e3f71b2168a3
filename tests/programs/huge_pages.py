"""Prints how many kilobytes of a large accumulator lie on huge pages.

`python tests/programs/huge_pages.py RULE`
"""

import re
import sys
from pathlib import Path

import numpy as np
from helpers.dialects import DIALECTS

dialect = DIALECTS[sys.argv[1]]
optimizer = dialect.make([np.ones(10_000_000, np.float32)])
address, inside = dialect.accumulator(optimizer, 0).ctypes.data + 20_000_000, False
for line in Path("/proc/self/smaps").read_text().splitlines():
    if bounds := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
        inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
    elif inside and line.startswith("AnonHugePages:"):
        print(line.split()[1])
