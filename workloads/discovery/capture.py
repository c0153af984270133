"""The record of a capture: the one object that makes bytes and text of a discovery count, or says why there are none.

The rule: it is put last, with `If-None-Match: *`, and read back. Of an address and an event's time the first one counts
that is theirs and whose objects are as it says; a later run finds it and fetches nothing. No address in it has a value
that looks like a secret.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from object_store import NotFound, ObjectRef, ObjectStore
from workloads.archive.commit import SHA256_METADATA, Stored, Time, sha256_of
from workloads.discovery.address import Address

VERSION: Literal[1] = 1
RECORD: Final = "application/json"
HEADERS: Final = (
    "age",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "cf-mitigated",
    "x-amzn-waf-action",
)
"""The headers that are kept; what sets or asks for a secret is none of them."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Answered(_Written):
    """One answer of the chain that led to the capture.

    Attributes:
        url: The address that was asked, as it may be shown.
        address: The address of the server to which the connection went.
        status: The answer's status.
    """

    url: str
    address: str
    status: int


class Kept(_Written):
    """An object of a capture.

    Attributes:
        stored: The object as it was read back.
        content_type: Of the object.
    """

    stored: Stored
    content_type: str

    def ref(self, bucket: str) -> ObjectRef:
        """What an event carries."""
        one = self.stored
        return ObjectRef(bucket=bucket, key=one.key, etag=one.etag, size=one.size, content_type=self.content_type)


class Text(_Written):
    """How the text was made of the bytes.

    Attributes:
        charset: Python's name of the charset.
        charset_found: What decided: byte order mark, header, page, bytes, or default.
        replaced: How many signs could not be read, and are U+FFFD in the text.
        characters: How many the text has, without white space.
    """

    charset: str
    charset_found: str
    replaced: int
    characters: int


class Capture(_Written):
    """What became of one discovery.

    Attributes:
        version: Of this form.
        status: `captured`, or `failed`.
        reason: Why it failed; empty if it did not.
        kind: A page (any answer of HTTP), or a repository of git.
        url: The address that was asked for, as it may be shown.
        event_time: When the event happened that named it.
        captured_at: When this was fetched, by the machine's clock.
        machine: The machine that fetched.
        run: The run's id.
        tool: The program and its version.
        answers: The chain of answers.
        headers: Of the last answer, those that are kept.
        raw: The bytes as they came, or the bundle; None if they did not come as a whole.
        extract: The text; None for what is none, and for a failed capture.
        text: How the text was made; None likewise.
        title: The page's title; empty for none.
        commit: Of a repository, the commit.
        branch: Of a repository, its branch.
        notes: What a reader should know.
    """

    version: Literal[1] = VERSION
    status: Literal["captured", "failed"]
    reason: str = ""
    kind: Literal["page", "repository"]
    url: str
    event_time: Time
    captured_at: Time
    machine: str
    run: str
    tool: str
    answers: tuple[Answered, ...] = ()
    headers: Annotated[dict[str, str], Field(default_factory=dict)]
    raw: Kept | None = None
    extract: Kept | None = None
    text: Text | None = None
    title: str = ""
    commit: str = ""
    branch: str = ""
    notes: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Its JSON."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode()


def folder_of(address: Address, when: datetime) -> str:
    """Where the captures of an address on the day of an event are."""
    return f"v1/{when:%Y/%m/%d}/{address.identity}/"


def record_key(address: Address, when: datetime, status: str, number: int) -> str:
    """The key of a record: `meta` for one that counts, `failed` for another."""
    name = "meta" if status == "captured" else "failed"
    return f"{folder_of(address, when)}{when:%H%M%S.%f}Z.{name}{f'.{number}' if number > 1 else ''}.json"


def held(store: ObjectStore, bucket: str, address: Address, when: datetime) -> tuple[Capture, Stored] | int:
    """The capture of an address and an event's time that counts; the next free number if there is none.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    for number in count(1):
        try:
            found = store.fetch(bucket, record_key(address, when, "captured", number))
        except NotFound:
            return number
        try:
            capture = Capture.model_validate_json(found.body)
        except ValidationError:
            continue
        sha256 = sha256_of(found.body)
        is_own = capture.event_time == when and any(
            one.stored.key.startswith(folder_of(address, when)) for one in kept(capture)
        )
        if (
            is_own
            and found.metadata.get(SHA256_METADATA) == sha256
            and all(_is_there(store, bucket, one) for one in kept(capture))
        ):
            ref = found.ref
            stored = Stored(key=ref.key, etag=ref.etag, size=ref.size, sha256=sha256, stored_at=capture.captured_at)
            return capture, stored
    raise AssertionError


def kept(capture: Capture) -> Iterator[Kept]:
    """The objects of a capture."""
    yield from (one for one in (capture.raw, capture.extract) if one is not None)


def _is_there(store: ObjectStore, bucket: str, one: Kept) -> bool:
    try:
        there = store.stat(bucket, one.stored.key)
    except NotFound:
        return False
    return (there.ref.etag, there.ref.size) == (one.stored.etag, one.stored.size)
