"""The running stores that the trials are done to."""

from tests.running_stores import any_store, aws_store, store

__all__ = ["any_store", "aws_store", "store"]
