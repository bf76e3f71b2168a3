"""`bench/run.py` with a candidate that does nothing, and without other libraries. Needs bench/ on the path."""

import run
from numpy_adagrad.benchmark.candidates import Candidate, Step
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES

for name in [name for name, candidate in DENSE_CANDIDATES.items() if candidate.modules]:
    del DENSE_CANDIDATES[name]
DENSE_CANDIDATES["NumPy"] = Candidate(lambda *_: Step(lambda: None), "torch")
run.main()
