"""What every target of a delivery is, and how a delivery ends.

The rule: a target checks all that can be checked before its first write, leaves alone what is there already, and when
a later write fails says exactly what it holds now. No message holds a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import SecretStr

from model.deployment import KeyPair
from model.handover import Handover

Change = Literal["added", "changed", "unchanged"]


@dataclass(frozen=True)
class Outcome:
    """What became of one name in a target.

    Attributes:
        name: As the target calls it.
        change: What was done.
    """

    name: str
    change: Change


class CannotDeliverError(Exception):
    """The delivery could not begin; nothing was written. The message says what to do."""


class UnfinishedDeliveryError(Exception):
    """A write failed after the checks.

    Attributes:
        written: Names that hold what was to be delivered.
        unwritten: Names that do not.
    """

    def __init__(self, reason: str, written: Sequence[str], unwritten: Sequence[str]) -> None:
        """Hold the names and say them."""
        self.written, self.unwritten = tuple(written), tuple(unwritten)
        has, lacks = ", ".join(written) or "nothing", ", ".join(unwritten) or "nothing"
        super().__init__(f"{reason}\n  written: {has}\n  not written: {lacks}")


class Target(Protocol):
    """A place that credentials are handed over to."""

    def check(self) -> None:
        """See that it can be written to; called before any secret is read.

        Raises:
            CannotDeliverError: It cannot, and why.
        """

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Hand over.

        Raises:
            CannotDeliverError: Something does not fit; nothing was written.
            UnfinishedDeliveryError: A write failed.
        """

    def held(self, identity: str) -> KeyPair:
        """The key pair that the target holds now.

        Raises:
            CannotDeliverError: It holds none, or cannot be read.
        """


def pair_of(key_id: str | None, secret: str | None, where: str) -> KeyPair:
    """A key pair as a target holds it.

    Raises:
        CannotDeliverError: One of the two is missing.
    """
    if not key_id or not secret:
        raise CannotDeliverError(f"{where} holds no whole key pair")
    return KeyPair(access_key_id=key_id, secret_access_key=SecretStr(secret))


def change_of(before: str | None, after: str) -> Change:
    """What handing over a value amounts to, after what is there."""
    if before is None:
        return "added"
    return "unchanged" if before == after else "changed"
