"""The size of the tests: small and the same each time for a change, full with `make long`.

The rule: sizes differ, but cases do not. A change runs the same code as `make long`. A case of minutes that holds for
each stack runs on one of them for a change (`on`); the report names the others as skipped.
"""

import os
from collections.abc import Sequence

import pytest
from hypothesis import settings

IS_LONG = os.environ.get("OBJECT_STORE_LONG") == "1"

#: Of a case that a change runs on another stack or cloud.
ELSEWHERE = pytest.mark.skipif(not IS_LONG, reason="for a change it runs elsewhere; `make long` runs it here, too")


def on(fixture: str, tried: Sequence[str], *, left: Sequence[str]) -> pytest.MarkDecorator:
    """The values of a fixture that a test runs with: for a change those of `tried`, with `make long` all."""
    values = [*tried, *(pytest.param(value, marks=ELSEWHERE) for value in left)]
    return pytest.mark.parametrize(fixture, values, indirect=True)


def sized(small: int, full: int) -> int:
    """A number of examples, keys or bytes: the small one, or with `make long` the full one."""
    return full if IS_LONG else small


def load_examples() -> None:
    """Let hypothesis try the same few examples for each change, and many others with `make long`.

    Neither has a deadline for one example: on a loaded machine, the load would make it fail.
    """
    settings.register_profile("change", max_examples=40, derandomize=True, deadline=None)
    settings.register_profile("long", max_examples=2000, deadline=None)
    settings.load_profile("long" if IS_LONG else "change")
