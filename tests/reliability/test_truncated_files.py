"""Files cut short under arrays that are mapped: every call that would read them raises an error and changes nothing."""

from helpers.dialects import Dialect
from helpers.interpreters import program


def test_calls_on_arrays_in_files_cut_short(dialect: Dialect) -> None:
    """12 calls for a parameter and for an accumulator, two for a state dict; 4 kinds of mapping, 3 dtypes, 5 sizes."""
    assert program("cut_short_calls", dialect) == f"{(2 * 12 + 2) * 4 * 3 * 5} []\n"
