"""What is wrong on one rank raises the same error on all, and nothing changes."""

import pytest
from helpers.mpi_job import job


def differ(label: str, first: object, last: object) -> str:
    return f"ValueError: {label}: expected the same on every rank, got {first} on rank 0 and {last} on rank {{last}}"


W = "grads[0] ('W')"
# What the last of the ranks causes; {last} is its number.
MESSAGES = {
    "shape": differ("params[0] ('W')", "(4, 3) float32", "(4, 5) float32"),
    "dtype": differ("params[0] ('W')", "(4, 3) float32", "(4, 3) float64"),
    "option": differ("param_groups[0]['lr']", 0.25, 0.5),
    "schedule": differ(
        "param_groups[0]['lr']",
        "exponential(lr=0.5, gamma=0.5, decay_steps=1)",
        "exponential(lr=0.5, gamma=0.25, decay_steps=1)",
    ),
    "own_schedule": differ("param_groups[0]['lr']", "Rate(start=0.5)", "Rate(start=0.25)"),
    "undecodable": "RuntimeError: rank {last}: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte "
    "(UnicodeDecodeError)",
    "exhausted": "RuntimeError: rank {last}: next() found no item (StopIteration)",
    "file_lookup": "ValueError: rank {last}: params[0]: expected a file of 32 bytes, got one cut short to 0",
    "file_step": "ValueError: rank {last}: params[0]: expected a file of 32 bytes, got one cut short to 0",
    "file_sharded": "ValueError: rank {last}: params[0]: expected a file of 48 bytes, got one cut short to 0",
    "file_replicated": "ValueError: rank {last}: params[0]: expected a file of 48 bytes, got one cut short to 0",
    "fractional_steps": "ValueError: rank {last}: step[0]: expected a whole number of steps, got 0.5",
    "name": differ("names", ["W", "b"], ["W", "c"]),
    "number": differ("params", "2 arrays", "1 arrays"),
    "steps": differ("steps", [0.0, 0.0], [1.0, 1.0]),
    "bucket": "ValueError: rank {last}: bucket_size: expected a whole number above 0, got 0",
    "no_optimizer": "TypeError: rank {last}: opt: expected an optimizer of numpy_adagrad, such as TorchAdagrad, "
    "got builtins.NoneType",
    "grad_shape": f"ValueError: rank {{last}}: {W}: expected shape (4, 3), got (4, 2)",
    "grad_dtype": differ(W, "an array of float32", "an array of float16"),
    "grad_cast": f"TypeError: rank {{last}}: {W}: expected float32, got float64; cast it with .astype(np.float32)",
    "grad_int": f"TypeError: rank {{last}}: {W}: expected a floating-point dtype up to float64 or complex128, "
    "got int32",
    "grad_order": f"ValueError: rank {{last}}: {W}: expected native byte order, got >f4; "
    "convert it with .astype(np.float32)",
    "grad_mask": f"TypeError: rank {{last}}: {W}: expected an array without a mask, got MaskedArray; "
    "fill it with .filled(0)",
    "grad_none": differ(W, "an array of float32", "None"),
    "grad_missing": 'KeyError: "rank {last}: grads: expected one for each parameter (None for no gradient), '
    "got none for 'W'\"",
    "grad_sparse": differ(W, "an array of float32", "rows of float32"),
    "grad_row": f"IndexError: rank {{last}}: {W}.indices: expected indices in [0, 4), got 4 at position 0",
    "grad_kind": f"TypeError: rank {{last}}: {W}: expected a NumPy array, got str",
    "step_option": differ("max_norm", 2, 1),
    "debug_option": differ("param_groups[0]['lr']", 0.5, 0.25),
    "tied": "ValueError: rank 0: params[1]: expected its own memory, got the same array as params[0]",
    "overlapping": "ValueError: rank 0: params[1] ('b'): expected its own memory, got an overlap with params[0] ('a')",
    "sharded_option": differ("param_groups[0]['lr']", 0.25, 0.5),
    "sharded_argument": "ValueError: rank {last}: Invalid learning rate: -1",
    "sharded_accum": differ("accum", 0.1, 0.2),
    "table_accum": differ("accum", 0.1, 0.2),
    "sharded_centralization": "ValueError: rank {last}: param_groups[0]['grad_centralization']: expected False, "
    "as it needs whole rows, got True",
    "sharded_order": "KeyError: \"rank 0: param_groups: expected groups with an entry 'params', got the keys "
    "['order_params']\"",
    "sharded_grad_shape": f"ValueError: rank {{last}}: {W}: expected shape (4, 3), got (4, 2)",
    "sharded_grad_dtype": f"TypeError: rank {{last}}: {W}: expected float32, the dtype of the parameter, got float16",
    "sharded_grad_sparse": f"TypeError: rank {{last}}: {W}: expected an array, got a sparse gradient; "
    "use ShardedTable or Replicated",
    "sharded_grad_none": differ(W, "an array of float32", "None"),
    "sharded_call": differ("call", "Sharded.step", "save"),
    "sharded_step_option": "ValueError: rank 0: on_nonfinite: expected one of ('propagate', 'skip', 'raise'), "
    "got 'stop'",
    "sharded_class": "TypeError: rank 0: optimizer_class: expected a class of numpy_adagrad, such as TorchAdagrad, "
    "got a numpy_adagrad.optimizers.torch.TorchAdagrad",
    "table_class": "TypeError: rank 0: optimizer_class: expected a class of numpy_adagrad, such as TorchAdagrad, "
    "got builtins.dict",
    "table_list": "TypeError: rank {last}: create: expected a NumPy array, got list",
    "table_complex": "TypeError: rank {last}: create: expected real numbers, as sparse gradients are real, "
    "got complex64",
    "no_communicator": "TypeError: comm: expected an mpi4py.MPI.Intracomm, got NoneType",
    "null_communicator": "ValueError: comm: expected a communicator that this rank belongs to, got MPI.COMM_NULL",
    "unprintable": "RuntimeError: rank {last}: no message",
    "print": "RuntimeError: rank {last}: only here",
    "other_optimizer": differ("optimizer, in the order of construction", 0, 1),
    "wrong_everywhere": "ValueError: rank 0: grad_scale: expected a positive number within float32, got -1",
}
for kind in ("replicated", "sharded", "table"):
    for what in ("own_rate", "plateau"):
        MESSAGES[f"{what}_{kind}"] = differ("param_groups[0]['lr'] after 1 steps", 0.5, 0.25)
    for suffix in ("", "_norm"):
        MESSAGES[f"schedule_{kind}{suffix}"] = "ArithmeticError: rank {last}: only here"
        MESSAGES[f"rate_{kind}{suffix}"] = (
            "TypeError: rank {last}: param_groups[0]['lr']: expected a number or a 1-element array, got str"
        )
# Of these, the messages also have digests of the values.
VALUES = {"value", "debug_value", "sharded_value"}


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_ranks_raise_the_same_error_and_change_nothing(ranks: int) -> None:
    lines = job(ranks, "mpi_failures").splitlines()
    printed = dict(line.split(": ", 1) for line in lines)
    assert len(printed) == len(lines)
    for name in VALUES:
        assert printed.pop(name).startswith("ValueError: values of params: expected the same on every rank, got ")
    assert printed == {name: message.format(last=ranks - 1) for name, message in MESSAGES.items()}
