"""A process that forks while another thread is in a step of the drop-in."""

from helpers.interpreters import program


def test_a_child_steps_with_its_own_gradients() -> None:
    """It inherits those of a step that nobody ends."""
    assert program("fork_dropin", OMP_NUM_THREADS="2") == "True\n"
