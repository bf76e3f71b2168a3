"""Run `numpy-adagrad demo` and press Ctrl-C during the training."""

import signal
import sys
import time
from unittest.mock import patch

from numpy_adagrad.cli import demo_network
from numpy_adagrad.cli.main import main


def press(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)
    time.sleep(60)  # Python may run its handler only later


with patch.object(demo_network, "loss_and_grads", side_effect=press):
    sys.exit(main(["demo"]))
