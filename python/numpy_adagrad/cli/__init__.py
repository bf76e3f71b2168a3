"""The `numpy-adagrad` command."""
