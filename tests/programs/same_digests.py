"""Compares two outputs of same_bits.py and checks which instruction set the second one used.

`python tests/programs/same_digests.py HERE.json THERE.json PROCESSOR INSTRUCTION_SET`
"""

import json
import sys
from pathlib import Path

here, there = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
for results in (here, there):
    results.pop("threads")
here.pop("instruction set")
used = there.pop("instruction set")
differing = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
processor, expected = sys.argv[3:]
if differing or used != expected:
    sys.exit(f"{processor}, {used}, expected {expected}: {len(differing)} of {len(here)} cases differ: {differing}")
print(f"{processor}, {used}: all {len(here)} cases have the same bits as here")
