"""What a preview says: one change of a domain or an identity, what it is about, and what it may cost.

The rule: a change is acknowledged by its very sentence. Values only; what is a change is `ops.preview.explain`'s.
"""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Risk(StrEnum):
    """What a change may cost."""

    SAFE = "safe"
    NOTICE = "notice"
    DANGER = "danger"


@unique
class Aspect(StrEnum):
    """What of a bucket or an identity a change is about; WHOLE is all of it."""

    WHOLE = "whole"
    BUCKET = "bucket"
    LIFECYCLE = "lifecycle"
    RETENTION = "retention"
    VERSIONING = "versioning"
    PUBLIC_ACCESS = "public access"
    OWNERSHIP = "ownership"
    ENCRYPTION = "encryption"
    POLICY = "policy"
    USER = "user"
    ACCESS = "access"
    KEY = "key"
    TRUST = "trust"
    CONNECTION = "connection"
    OTHER = "other"


@dataclass(frozen=True)
class Change:
    """One thing that a person should know.

    Attributes:
        subject: The domain or identity, or `stack`.
        what: What happens to it.
        risk: What it may cost.
        aspect: What it is about.
        advice: What to do about it, where there is something.
    """

    subject: str
    what: str
    risk: Risk
    aspect: Aspect
    advice: str = ""

    @property
    def sentence(self) -> str:
        """The change as it is said and acknowledged."""
        return f"{self.subject}: {self.what}"


@dataclass(frozen=True)
class Touched:
    """A resource that the engine would change.

    Attributes:
        subject: The domain or identity, or `stack`.
        aspect: What it is about.
        operation: create, update, delete or replace.
        properties: Names of the inputs that differ.
    """

    subject: str
    aspect: Aspect
    operation: str
    properties: tuple[str, ...] = ()
