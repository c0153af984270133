"""The package for the tests of this folder."""

from tests.typescript.fixtures import typescript

__all__ = ["typescript"]
