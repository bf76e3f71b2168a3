"""A rank that ends early raises an error on the others, or ends the job; nothing waits forever."""

import pytest
from helpers.interpreters import script
from helpers.mpi_job import job, launch

PROGRAM = script("mpi_alone")
CASES = ["own_messages", "leave_parts", "options_in_another_order", "options_of_other_types", "finalize"]


def test_an_exception_on_one_rank_ends_the_job_with_its_message() -> None:
    done = launch(3, PROGRAM, "raise_alone")
    assert done.returncode != 0
    assert "ArithmeticError: only here" in done.stderr


def ended(call: str) -> str:
    ranks = f"got {call} on rank 0 and the end of the program on rank 2"
    return f"ValueError: call: expected the same on every rank, {ranks}"


@pytest.mark.parametrize(
    ("case", "call", "aborts"),
    [
        ("leave", "Replicated.step", True),
        ("leave", "Replicated.step", False),
        ("leave_later", "ShardedTable.lookup", True),
        ("leave_with_status", "Replicated.step", False),
        ("raise_later", "Replicated.step", False),
    ],
)
def test_a_rank_that_ends_early_raises_an_error_on_the_others(case: str, call: str, aborts: bool) -> None:
    done = launch(3, PROGRAM, case, aborts=aborts)
    assert done.returncode != 0
    assert ended(call) in done.stderr


@pytest.mark.parametrize("aborts", [True, False])
def test_a_rank_that_ends_waits_for_all_its_communicators_at_a_time(aborts: bool) -> None:
    done = launch(4, PROGRAM, "leave_between", aborts=aborts)
    assert done.returncode != 0
    assert "got Replicated.step on rank 0 and the end of the program on rank 1" in done.stderr


def test_the_others_may_catch_the_error_and_end_normally() -> None:
    lines = job(3, "mpi_alone", "leave_and_go_on").splitlines()
    assert lines == [ended("Replicated.step")] * 4


@pytest.mark.parametrize("case", ["leave_with_status", "leave_program"])
def test_an_exit_with_a_status_ends_the_job_at_once_whatever_the_others_do(case: str) -> None:
    assert launch(3, PROGRAM, case).returncode == 3


@pytest.mark.parametrize("case", CASES)
def test_a_program_may_use_the_communicator_between_steps_and_free_it(case: str) -> None:
    assert job(4, "mpi_alone", case) == ""


@pytest.mark.parametrize("kind", ["replicated", "sharded", "table"])
def test_an_error_that_the_others_cannot_learn_of_ends_the_job(kind: str) -> None:
    done = launch(3, PROGRAM, "lack_memory", kind, aborts=False)
    assert done.returncode != 0
    assert "MemoryError: only here" in done.stderr


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("interrupt", "KeyboardInterrupt"),
        ("save", "RuntimeError: save: called from inside Sharded.step, which is half done; call it afterwards"),
    ],
)
@pytest.mark.parametrize("machines", [1, 2])
def test_what_stops_half_a_step_ends_the_job(action: str, message: str, machines: int) -> None:
    done = launch(2, PROGRAM, "stop_half_way", action, aborts=False, machines=machines)
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize("kind", ["replicated", "sharded", "table"])
def test_an_interrupt_when_messages_are_on_their_way_ends_the_job(kind: str) -> None:
    """The other ranks waited forever, or took the messages of the next call for those of this one."""
    done = launch(2, PROGRAM, "stop_waiting", kind, aborts=False)
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr


def test_a_forked_child_is_no_rank() -> None:
    """It told the other ranks that the program of its parent had ended."""
    assert job(2, "mpi_alone", "fork") == ""


def test_a_killed_rank_ends_the_job() -> None:
    done = launch(3, PROGRAM, "die")
    assert done.returncode != 0
    assert "signal 9" in done.stdout + done.stderr  # MPICH's, Open MPI's
