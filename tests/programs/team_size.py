"""Steps once, prints the limit of threads and how many were started, then the limit after the environment changed.

`python tests/programs/team_size.py RULE LENGTH`
"""

import os
import sys

import numpy as np
from helpers.dialects import DIALECTS
from helpers.process import thread_count
from numpy_adagrad import show_config

before = thread_count()
param = np.ones(int(sys.argv[2]), np.float32)
DIALECTS[sys.argv[1]].make([param]).step([param.copy()])
print(show_config()["threads"], thread_count() - before)
os.environ["OMP_NUM_THREADS"] = "7"
print(show_config()["threads"])
