"""The interface of a delivery's targets, and the outcomes of a delivery.

The rule: a target checks everything that it can before its first write, and leaves values that are already correct
unchanged. If a later write fails, it reports exactly what it holds now. No message contains a value.
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
    """The outcome of one name in a target.

    Attributes:
        name: The target's name for it.
        change: What the delivery did.
    """

    name: str
    change: Change


class CannotDeliverError(Exception):
    """The delivery could not start; nothing was written. The message says what to do."""


class UnfinishedDeliveryError(Exception):
    """A write failed after the checks.

    Attributes:
        written: Names that hold the new value.
        unwritten: Names that do not.
    """

    def __init__(self, reason: str, written: Sequence[str], unwritten: Sequence[str]) -> None:
        """Keep the names and put them into the message."""
        self.written, self.unwritten = tuple(written), tuple(unwritten)
        has, lacks = ", ".join(written) or "nothing", ", ".join(unwritten) or "nothing"
        super().__init__(f"{reason}\n  written: {has}\n  not written: {lacks}")


class Target(Protocol):
    """A place that receives credentials."""

    def check(self) -> None:
        """Check that the target can be written; called before any secret is read.

        Raises:
            CannotDeliverError: It cannot be written; the message says why.
        """

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Deliver the key pairs.

        Raises:
            CannotDeliverError: A check failed; nothing was written.
            UnfinishedDeliveryError: A write failed.
        """

    def held(self, identity: str) -> KeyPair:
        """The key pair that the target holds now.

        Raises:
            CannotDeliverError: It holds no key pair, or cannot be read.
        """


def pair_of(key_id: str | None, secret: str | None, where: str) -> KeyPair:
    """A key pair as a target holds it.

    Raises:
        CannotDeliverError: One of the two halves is missing.
    """
    if not key_id or not secret:
        raise CannotDeliverError(f"{where} holds no complete key pair")
    return KeyPair(access_key_id=key_id, secret_access_key=SecretStr(secret))


def change_of(before: str | None, after: str) -> Change:
    """The kind of change from the present value to the delivered one."""
    if before is None:
        return "added"
    return "unchanged" if before == after else "changed"
