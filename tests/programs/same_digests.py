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
if differing or used != sys.argv[4]:
    sys.exit(f"{sys.argv[3]}, {used}, expected {sys.argv[4]}: {len(differing)} of {len(here)} cases differ: {differing}")
print(f"{sys.argv[3]}, {used}: all {len(here)} cases have the same bits as here")
