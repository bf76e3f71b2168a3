"""The benchmark: what `numpy-adagrad bench` shows in short and `bench/` of the repository measures in full."""
