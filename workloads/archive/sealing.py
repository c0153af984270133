"""To whom a machine encrypts, and what it can open.

The rule: each entry of a pack is an age file of its own, and so is a manifest, so that one entry still comes out by its
range. Compression comes before encryption. To whom an object is encrypted stands in its commit, in clear, so that it is
known before a byte is read which identity opens it. Without recipients the bytes are stored as they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import pyrage

from workloads.archive.age import NotOpenedError, decrypted
from workloads.archive.commit import Stored
from workloads.archive.pack import DamagedError


class ClosedError(Exception):
    """Something is encrypted, and no identity that is at hand opens it; the message has the line to paste."""


@dataclass(frozen=True)
class Keys:
    """To whom a machine encrypts, and what it can open.

    Attributes:
        recipients: Public keys (`age1…`); none for what is stored in clear.
        identities: Secret keys, which are shown nowhere.
        files: The names of the identities' files, for messages.
    """

    recipients: tuple[str, ...] = ()
    identities: tuple[pyrage.x25519.Identity, ...] = field(default=(), repr=False)
    files: tuple[str, ...] = ()

    @cached_property
    def publics(self) -> frozenset[str]:
        """The public keys of the identities."""
        return frozenset(str(one.to_public()) for one in self.identities)

    def opens(self, recipients: Iterable[str]) -> bool:
        """Whether what is encrypted to these recipients can be read here; what is in clear can."""
        to = frozenset(recipients)
        return not to or bool(to & self.publics)

    def check(self, what: str, recipients: Iterable[str]) -> None:
        """Raise ClosedError if something cannot be read here."""
        if self.opens(recipients):
            return
        have = "no identity is given"
        if self.files:
            have = f"{', '.join(self.files)} has {', '.join(sorted(self.publics))}"
        raise ClosedError(
            f"{what} is encrypted to {', '.join(sorted(recipients))}; {have}\n  write: --identity FILE (the file of "
            "one of these keys; this cannot be read without one)"
        )

    def opened(self, blocks: Iterable[bytes], stored: Stored) -> Iterator[bytes]:
        """Yield what is in a part of an object: a frame of a pack, or a whole manifest.

        Args:
            blocks: The part as it is stored.
            stored: The object.

        Raises:
            ClosedError: No identity opens it.
            DamagedError: It is not what was stored.
        """
        self.check(stored.key, stored.recipients)
        if not stored.recipients:
            yield from blocks
            return
        try:
            yield from decrypted(blocks, self.identities)
        except NotOpenedError:
            raise DamagedError(f"{stored.key}: what is encrypted is damaged") from None


NO_KEYS: Final = Keys()
