"""The running stores for the trials."""

from tests.running_stores import any_store, aws_store, store

__all__ = ["any_store", "aws_store", "store"]
