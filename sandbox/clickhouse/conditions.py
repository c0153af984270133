"""What a test orders of the server: a profile of settings, and faults.

The rule: values only, which go as JSON from a test to the server's process.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal

from sandbox.clickhouse.failures import Form

#: How an answer ends early: as if it were whole; in the middle of a chunk; with a reset connection; because the process
#: of the server starts afresh, on the same port; because that process is killed and does not come back by itself.
Ending = Literal["whole", "cut", "reset", "restart", "kill"]


@dataclass(frozen=True)
class Profile:
    """The settings of the account.

    Attributes:
        settings: What holds for each query that does not set it.
        fixed: Names of settings that a query may not change (a constraint `const`).
    """

    settings: dict[str, str] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """What goes wrong with queries.

    Attributes:
        matching: Only with those whose SQL contains this text.
        skipped: How many of these go well first.
        times: With how many it goes wrong after that; None for all.
        wait_seconds: How long it waits before the first byte.
        refuses_password: The password is wrong.
        status: The HTTP status of a proxy in front of the server, which answers itself.
        error_after_rows: An error comes in the middle of the answer, after that many lines.
        form: How the server writes an error in the middle; None for what the query's settings say.
        end_after_bytes: The answer ends early, after that many bytes as they are sent.
        ending: How it does.
    """

    matching: str = ""
    skipped: int = 0
    times: int | None = None
    wait_seconds: float = 0
    refuses_password: bool = False
    status: int | None = None
    error_after_rows: int | None = None
    form: Form | None = None
    end_after_bytes: int | None = None
    ending: Ending = "cut"


class Armed:
    """A fault, and with how many queries it has met."""

    def __init__(self, fault: Fault | None = None) -> None:
        """Not met yet."""
        self._fault = fault
        self._met = 0
        self._counting = threading.Lock()

    def of(self, sql: str) -> Fault:
        """What goes wrong with a query that begins now."""
        fault = self._fault
        if fault is None or fault.matching not in sql:
            return Fault()
        with self._counting:
            self._met += 1
            past = self._met - fault.skipped
        return fault if past > 0 and (fault.times is None or past <= fault.times) else Fault()
