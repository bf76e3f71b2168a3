"""The benchmark of a step: workloads, candidates, and their comparison in paired rounds.

`numpy-adagrad bench` runs a short version of it; `bench/` in the repository measures all of it for the documentation.
"""
