"""`python -m numpy_adagrad` is `numpy-adagrad`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
