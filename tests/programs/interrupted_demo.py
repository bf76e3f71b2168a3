"""Run `numpy-adagrad demo` and press Ctrl-C during the training."""

import signal
import sys
from unittest.mock import patch

from numpy_adagrad.cli import demo_network
from numpy_adagrad.cli.main import main

with patch.object(demo_network, "loss_and_grads", side_effect=lambda *_: signal.raise_signal(signal.SIGINT)):
    sys.exit(main(["demo"]))
