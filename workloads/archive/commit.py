"""The commit of a run: the one object that makes packs and a manifest count.

The rule: it is put last, with `If-None-Match: *`, and read back. It names each object with its SHA-256 and etag, and
its own SHA-256 is in its metadata, so a reader sees when one of them is not the one that was committed.
"""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from model.problems import InvalidInputError, Problem

COMMIT_SUFFIX = ".commit.json"
MANIFEST_SUFFIX = ".manifest.ndjson.zst"
PACK_SUFFIX = ".tar.zst"
ENCRYPTED_MANIFEST_SUFFIX = ".manifest.ndjson.zst.age"
ENCRYPTED_PACK_SUFFIX = ".pack.age"
SHA256_METADATA = "sha256"
VERSION: Literal[1] = 1
SEQUENCE_MAXIMUM = 10**9
"""More than any machine commits, and little enough that a forged commit leaves room for the next one."""
Time = Annotated[AwareDatetime, Field(lt=datetime(9000, 1, 1, tzinfo=UTC))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Stored(_Written):
    """An object as it was read back.

    Attributes:
        key: Its key.
        etag: Its etag.
        size: Its bytes.
        sha256: Of its bytes.
        stored_at: When it was stored.
        recipients: The public keys to which its content is encrypted; none for clear.
    """

    key: Annotated[str, Field(min_length=1)]
    etag: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=0, lt=2**63)]
    sha256: Sha256
    stored_at: Time
    recipients: tuple[str, ...] = ()


class Counts(_Written):
    """What a run met and stored in one source.

    Attributes:
        seen: Files in the source.
        seen_bytes: Their bytes.
        whole: Files that were stored whole, because they are new or were rewritten.
        tails: Files of which only the new end was stored.
        renewed: Unchanged files that were stored again, because their pack was old.
        unchanged: Files that were stored before.
        content_bytes: Bytes of content that this run packed.
        stored_bytes: Bytes of its packs and its manifest.
        packs: How many packs it stored.
    """

    seen: int = 0
    seen_bytes: int = 0
    whole: int = 0
    tails: int = 0
    renewed: int = 0
    unchanged: int = 0
    content_bytes: int = 0
    stored_bytes: int = 0
    packs: int = 0


class History(_Written):
    """The history of a git repository, as a bundle.

    Attributes:
        bundle: The bundle; None if there is no commit in the repository.
        refs_sha256: Of all that the bundle has: the same means that there is nothing new.
        branch: The branch that is checked out; empty if there is none, or if the archive is encrypted.
        dirty: How many paths differ from the last commit in git.
    """

    bundle: Stored | None = None
    refs_sha256: Sha256
    branch: str = ""
    dirty: int = 0


class Commit(_Written):
    """What one run committed.

    Attributes:
        version: Of this form.
        workload: Such as `sessions`.
        machine: The machine whose files these are.
        installation: A random id of the machine's state folder: two machines with one name show.
        source: The source's name.
        run: The run's id.
        sequence: One more than that of the commit before it.
        started_at: When the run began, by the machine's clock.
        packs: The packs of this run.
        manifest: The manifest.
        counts: What the run met and stored.
        history: The history of the repository that the source is.
        problems: How many things make it incomplete.
        meant: Whether it was meant that files are missing.
    """

    version: Literal[1] = VERSION
    workload: str
    machine: str
    installation: str
    source: str
    run: str
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAXIMUM)]
    started_at: Time
    packs: tuple[Stored, ...]
    manifest: Stored
    counts: Counts
    history: History | None = None
    problems: int = 0
    meant: bool = False

    def to_bytes(self) -> bytes:
        """Its JSON; the same for the same commit."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode()


def commit_of(body: bytes, where: str) -> Commit:
    """Read a commit.

    Raises:
        InvalidInputError: It is none, or one of another version.
    """
    try:
        return Commit.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        problem = Problem(
            where, f"is not a commit: {place}: {first['msg']}", "", "restore the object's version that was committed"
        )
        raise InvalidInputError([problem]) from None


def new_run(now: datetime) -> str:
    """An id of a run: its time, and random digits."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def prefix_of(machine: str, source: str = "") -> str:
    """Where a machine's archive is."""
    return f"v1/{machine}/{source}/" if source else f"v1/{machine}/"


def stem_of(machine: str, source: str, run: str) -> str:
    """The beginning of the keys of one run; the date is the run's."""
    return f"{prefix_of(machine, source)}{run[:4]}/{run[4:6]}/{run[6:8]}/{run}"


def numbered(stem: str, number: int, suffix: str) -> str:
    """A key of a run: the first has no number."""
    return f"{stem}{suffix}" if number == 1 else f"{stem}.{number}{suffix}"


def sha256_of(body: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()
