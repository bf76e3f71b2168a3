"""`python -m numpy_adagrad` is `numpy-adagrad`."""

from .cli.main import main

if __name__ == "__main__":
    main()
