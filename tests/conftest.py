"""The fixture over all rules. It needs NumPy alone until a test uses it, as test_minimal.py does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from numpy_adagrad.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from helpers.dialects import Dialect


@pytest.fixture(scope="module", params=OPTIMIZERS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each rule in turn, also those that are yet to be written."""
    from helpers.dialects import DIALECTS

    return DIALECTS[request.param]
