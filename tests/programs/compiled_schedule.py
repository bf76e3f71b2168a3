"""Print a rate of a MindSpore schedule in a process that runs no operator before it.

With NumPy 2 the first operator of a process fails unless MindSpore compiles it.
"""

from helpers.mindspore_arrays import ArithmeticSchedule
from numpy_adagrad.optimizers._mindspore_cells import FromCell

if __name__ == "__main__":
    print(FromCell(ArithmeticSchedule(0.5))(10))
