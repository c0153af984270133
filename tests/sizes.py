"""The size of the tests: small and the same each time for a change, full with `make long`.

The rule: sizes differ, but cases do not. A change runs the same code as `make long`.
"""

import os

from hypothesis import settings

IS_LONG = os.environ.get("OBJECT_STORE_LONG") == "1"


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
