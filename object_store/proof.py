"""Whether a body is the one that was stored: its digest beside the transfer, and what the answer says of it.

The rule: a body passes as proven only if a digest of the server's own was computed again from what arrived. S3 names
digests in several ways. A SHA-256, which this adapter stores with every object, is of the whole body, or of the SHA-256
of each part with `-N`. An etag is the MD5 of the body, or of the MD5 of each part with `-N`, but not with a key of KMS
or of the client, and on other servers it can be anything. So a SHA-256 that does not fit is a fault, and so is an MD5
that does not fit an etag in the form of one; an etag of parts that does not fit proves nothing, because the parts may
have had another size. Left out: CRC32C and CRC64NVME, which Python has not.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from object_store.body import PART_SIZE
from object_store.errors import CorruptBody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ETAG = re.compile(r"([0-9a-f]{32})(?:-([0-9]{1,5}))?")
_CHECKSUM = re.compile(r"([A-Za-z0-9+/]+={0,2})(?:-([0-9]{1,5}))?")
_HASHES_AT_ONCE: Final = 4
#: AWS stores no plain body any more; with its own keys the etag still is the MD5.
_PLAIN: Final = {"", "AES256"}


class _Digest(Protocol):
    def update(self, data: bytes | memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """zlib's CRC32 in the form of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_KINDS: Final[Mapping[str, Callable[[], _Digest]]] = {
    "sha256": hashlib.sha256,
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "crc32": _Crc32,
    "md5": partial(hashlib.md5, usedforsecurity=False),
}


@dataclass
class _Part:
    """The digest of the first bytes of a part."""

    digest: _Digest
    size: int = 0


@dataclass(frozen=True)
class Expected:
    """A digest that a server named.

    Attributes:
        kind: how it is computed.
        digest: the digest itself.
        parts: the number of parts whose digests it is made of; None for one of the whole body.
        certain: whether another digest is a fault: an etag can be something else than a digest.
    """

    kind: Literal["sha256", "sha1", "crc32", "md5"]
    digest: bytes
    parts: int | None
    certain: bool

    def of_this_size(self, size: int) -> bool:
        """Whether parts of 8 MiB, as this adapter and others send them, give that many parts."""
        return self.parts is None or self.parts == max(1, -(-size // PART_SIZE))


def expected(headers: Mapping[str, str], etag: str, size: int) -> Expected | None:
    """Return the digest that an answer names and that can be computed again; None if there is none.

    Args:
        headers: of the answer with the whole body, or of the answer to a HEAD.
        etag: without its quotes.
        size: bytes of the whole body.
    """
    for kind in ("sha256", "sha1", "crc32"):
        found = _CHECKSUM.fullmatch(headers.get(f"x-amz-checksum-{kind}", ""))
        if found is not None:
            try:
                digest = b64decode(found[1], validate=True)
            except ValueError:
                continue
            named = Expected(kind, digest, int(found[2]) if found[2] else None, certain=True)
            if named.of_this_size(size):
                return named
    found = _ETAG.fullmatch(etag)
    if found is None or not may_be_md5(headers):
        return None
    named = Expected("md5", bytes.fromhex(found[1]), int(found[2]) if found[2] else None, certain=not found[2])
    return named if named.of_this_size(size) else None


def may_be_md5(headers: Mapping[str, str]) -> bool:
    """Whether an etag is of the body itself: it is none with a key of KMS or of the client."""
    return (
        headers.get("x-amz-server-side-encryption", "") in _PLAIN
        and "x-amz-server-side-encryption-customer-algorithm" not in headers
    )


class Proof:
    """The digest of a body that passes block by block.

    Attributes:
        proven: after `end`, whether the body is the one that the server named.
    """

    def __init__(self, wanted: Expected | None) -> None:
        """Compute what the expected digest needs, and nothing if there is none."""
        self._wanted = wanted
        self._whole: _Digest | None = _KINDS[wanted.kind]() if wanted is not None else None
        self._part: _Digest | None = _KINDS[wanted.kind]() if wanted is not None and wanted.parts is not None else None
        self._left = PART_SIZE
        self._parts: dict[int, _Part] = {}
        self.proven = False

    @property
    def is_of_parts(self) -> bool:
        """Whether the digest depends on how the body was cut into parts."""
        return self._wanted is not None and self._wanted.parts is not None

    def update(self, block: bytes | memoryview) -> None:
        """Add the next block."""
        if self._whole is None:
            return
        if self._part is None:
            self._whole.update(block)
            return
        rest = memoryview(block)
        while rest:
            piece, rest = rest[: self._left], rest[self._left :]
            self._part.update(piece)
            self._left -= len(piece)
            if not self._left:
                self._end_part()

    def update_at(self, offset: int, block: memoryview) -> None:
        """Add a block of a body that arrives in ranges; those of one part come from one thread, in order."""
        wanted = self._wanted
        if wanted is None or wanted.parts is None:
            return
        while block:
            index, inside = divmod(offset, PART_SIZE)
            piece, block = block[: PART_SIZE - inside], block[PART_SIZE - inside :]
            part = self._parts.setdefault(index, _Part(_KINDS[wanted.kind]()))
            if part.size == inside:  # else `of_file` reads the part
                part.digest.update(piece)
                part.size += len(piece)
            offset += len(piece)

    def end(self, bucket: str, key: str) -> None:
        """Compare. Raise CorruptBody if the body is certainly another one."""
        if self._wanted is None or self._whole is None:
            return
        if self._part is not None and self._left < PART_SIZE:
            self._end_part()
        self.judge(self._whole.digest(), bucket, key)

    def judge(self, digest: bytes, bucket: str, key: str) -> None:
        """Compare a digest that was computed elsewhere. Raise CorruptBody if the body is certainly another one."""
        wanted = self._wanted
        if wanted is None:
            return
        self.proven = digest == wanted.digest
        if not self.proven and wanted.certain:
            raise CorruptBody(
                f"the body that arrived is not the one that was stored: its {wanted.kind.upper()} is another",
                bucket=bucket,
                key=key,
            )

    def of_file(self, read_at: Callable[[int, int], bytes], size: int, bucket: str, key: str) -> None:
        """Compare what was written to a file, in any order. Raise CorruptBody as `end`; read errors pass."""
        wanted = self._wanted
        if wanted is None:
            return
        if wanted.parts is None:
            for at in range(0, size, PART_SIZE):
                self.update(read_at(at, PART_SIZE))
            self.end(bucket, key)
            return

        def of_part(at: int) -> bytes:
            part = self._parts.get(at // PART_SIZE)
            if part is not None and part.size == min(PART_SIZE, size - at):
                return part.digest.digest()
            digest = _KINDS[wanted.kind]()
            digest.update(read_at(at, PART_SIZE))
            return digest.digest()

        whole = _KINDS[wanted.kind]()
        with ThreadPoolExecutor(_HASHES_AT_ONCE, thread_name_prefix="object-store-digest") as pool:
            for digest in pool.map(of_part, range(0, size, PART_SIZE)):
                whole.update(digest)
        self.judge(whole.digest(), bucket, key)

    def _end_part(self) -> None:
        if self._whole is not None and self._part is not None and self._wanted is not None:
            self._whole.update(self._part.digest())
            self._part = _KINDS[self._wanted.kind]()
            self._left = PART_SIZE
