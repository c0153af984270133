"""The duration of each phase of a command, printed at its end. Phases may overlap: their sum can exceed the total."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Phases:
    """The phases of one command.

    Attributes:
        environment_took: Seconds that the Python environment took before this object was created.
    """

    environment_took: float
    _began: float = field(default_factory=time.monotonic)
    _took: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time one phase, whether it fails or not."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._took[name] = time.monotonic() - began

    def told(self) -> str:
        """One line for each phase, and the total."""
        whole = self.environment_took + time.monotonic() - self._began
        took = {"environment": self.environment_took} if self.environment_took else {}
        lines = [f"  {name:<32} {seconds:5.1f} s" for name, seconds in (took | self._took | {"in all": whole}).items()]
        return "\n".join(["\nTime by phase; phases that run side by side each count in full:", *lines])
