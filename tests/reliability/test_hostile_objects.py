"""A short run of the fuzzer of hostile objects; `nox -s asan` runs a long one under AddressSanitizer."""

from helpers.interpreters import TESTS, succeed


def test_only_documented_exceptions() -> None:
    printed = succeed(str(TESTS / "reliability" / "hostile_objects.py"), "5000", "1")
    assert printed.startswith("5000 calls, seed 1: ")
