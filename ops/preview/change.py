"""One change of a domain or an identity in a preview: its aspect and its risk.

The rule: a change is acknowledged by its exact sentence. Values only; `ops.preview.explain` decides what is a change.
"""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Risk(StrEnum):
    """The risk of a change."""

    SAFE = "safe"
    NOTICE = "notice"
    DANGER = "danger"


@unique
class Aspect(StrEnum):
    """The part of a bucket or an identity that a change affects; WHOLE is all of it."""

    WHOLE = "whole"
    BUCKET = "bucket"
    LIFECYCLE = "lifecycle"
    RETENTION = "retention"
    VERSIONING = "versioning"
    PUBLIC_ACCESS = "public access"
    OWNERSHIP = "ownership"
    ENCRYPTION = "encryption"
    POLICY = "policy"
    NO_POLICY = "guard against bucket policies"
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
        risk: Its risk.
        aspect: The part that it affects.
        advice: What to do about it, if anything.
    """

    subject: str
    what: str
    risk: Risk
    aspect: Aspect
    advice: str = ""

    @property
    def sentence(self) -> str:
        """The sentence that is shown and acknowledged."""
        return f"{self.subject}: {self.what}"


@dataclass(frozen=True)
class Touched:
    """A resource that the engine would change.

    Attributes:
        subject: The domain or identity, or `stack`.
        aspect: The part that the resource describes.
        operation: create, update, delete or replace.
        properties: Names of the inputs that differ.
    """

    subject: str
    aspect: Aspect
    operation: str
    properties: tuple[str, ...] = ()
