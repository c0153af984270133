"""Names the place of an error of the disk that names none, as one that is full does.

The rule: a name that the error has stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def on_disk(place: Path) -> Iterator[None]:
    """Give an OSError of the block the file or folder that it is about."""
    try:
        yield
    except OSError as fault:
        if fault.filename is None and fault.errno is not None:
            raise OSError(fault.errno, fault.strerror, str(place)) from None
        raise
