"""Saves a checkpoint larger than the system allows a file to be; prints the error and the files in the folder.

``python save_beyond_limit.py FOLDER``
"""

import os
import resource
import signal
import sys

import numpy as np
from numpy_adagrad import TorchAdagrad

folder = sys.argv[1]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
optimizer = TorchAdagrad([np.ones(100_000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    optimizer.save(os.path.join(folder, "a"))
except OSError as error:
    print(error, os.listdir(folder))
