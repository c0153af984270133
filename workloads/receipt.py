"""A receipt: what one run did and proved, as one JSON document (`schemas/receipt.schema.json`).

The rule: there is one for every run, also for one that failed or was stopped. It is written to a local folder when the
run begins and again at its end, and to the store at its end; a run that ended without a word is one that is still open.
It holds names and numbers, and no content. Of an archive that is encrypted the copy in the store holds no names either.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from model.secrecy.redaction import redacted
from model.whole_file import write_whole
from object_store import ObjectRef, ObjectStore, ObjectStoreError
from workloads.archive.commit import SHA256_METADATA, Counts, sha256_of

PREFIX = "receipts/v1/"
ENDED, STARTED = ".json", ".started.json"
VERSION: Literal[1] = 1
_CLOCKS_DIFFER = timedelta(days=1)
Status = Literal["running", "complete", "incomplete", "failed", "stopped"]
Side = Literal["equal", "missing", "different", "unknown"]
"""What a side holds of an object: its bytes, nothing, other bytes; unknown, if it does not say."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceReceipt(_Written):
    """One source of a run.

    Attributes:
        name: The source's name.
        root: Its folder or file.
        commit: The key of the commit; empty if there was nothing new.
        commit_sha256: Of the commit.
        commits: SHA-256 of each commit by its key, if the run made several; `commit` is the last one.
        counts: What the run met and stored.
        problems: Why the source is not complete.
        left_out: What holds no data and is not archived.
        hollow: Files that shrank by more than half: an earlier state is worth more.
        missing: Files that were there in the last weeks, were young, and are gone.
    """

    name: str
    root: str
    commit: str = ""
    commit_sha256: str = ""
    commits: Mapping[str, str] = Field(default_factory=dict)
    counts: Counts = Counts()
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    hollow: tuple[str, ...] = ()
    missing: int = 0

    @property
    def all_commits(self) -> Mapping[str, str]:
        """SHA-256 of each commit of the run by its key."""
        return {**self.commits, self.commit: self.commit_sha256} if self.commit else self.commits


class FileSides(_Written):
    """What the NAS and the store hold of one object.

    Attributes:
        key: Its key; also its path below the folder on the NAS.
        sha256: What it must have, by its receipt or its commit; empty if neither tells.
        nas: What the NAS holds.
        store: What the store holds.
        reason: Why a side is not as it must be, if there is more to say.
    """

    key: str
    sha256: str
    nas: Side
    store: Side
    reason: str = ""

    @property
    def equal(self) -> bool:
        """Whether both sides hold the committed bytes."""
        return self.nas == self.store == "equal"


class WindowReceipt(_Written):
    """Both sides of an archive, at the end of a run in the window between NAS and store.

    Attributes:
        nas: The folder on the NAS.
        since: When the window began.
        reason: Why it was begun.
        missing: Why the NAS is missing; empty if it is there.
        equal: How many committed objects both sides hold.
        unequal: How many they do not.
        files: What the run committed, and what is not equal; of many, the first ones.
    """

    nas: str
    since: str
    reason: str
    missing: str = ""
    equal: int = 0
    unequal: int = 0
    files: tuple[FileSides, ...] = ()

    @property
    def green(self) -> bool:
        """Whether both sides hold all that is committed."""
        return not self.missing and not self.unequal


class Receipt(_Written):
    """One run.

    Attributes:
        version: Of this form.
        kind: Such as `sessions.archive`.
        run: The receipt's id: its time and random digits.
        machine: The machine's name.
        store: The endpoint and bucket that it is about.
        started_at: When the run began.
        ended_at: When it ended; None while it runs, or if it never ended.
        status: How it ended.
        error: Why it failed.
        notes: What a reader should know.
        sources: The sources.
        proven: Packs of earlier runs that were read back now, by key, and what was wrong with them (empty: nothing).
        pruned: Local files that were removed, with the commit that holds each.
        kept: Local files that were to be removed and are still there, and why.
        snapshot: The commit that a drill restored.
        restore_proven_at: When all of it had come back and was compared.
        expires_after_days: Days after which the store deletes what this run stored; None for never.
        window: Both sides, if the run was in the window between NAS and store and got so far.
    """

    version: Literal[1] = VERSION
    kind: str
    run: str
    machine: str
    store: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    status: Status = "running"
    error: str = ""
    notes: tuple[str, ...] = ()
    sources: tuple[SourceReceipt, ...] = ()
    proven: Mapping[str, str] = Field(default_factory=dict)
    pruned: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    snapshot: str = ""
    restore_proven_at: datetime | None = None
    expires_after_days: int | None = None
    window: WindowReceipt | None = None

    @property
    def failed(self) -> bool:
        """Whether somebody must look at it."""
        return self.status != "complete"

    def to_text(self) -> str:
        """Its JSON; no secret that this process has read is in it."""
        return redacted(json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=True)) + "\n"

    @property
    def started_key(self) -> str:
        """The key in the store while the run has not ended, and after it."""
        return f"{self.key.removesuffix(ENDED)}{STARTED}"

    @property
    def file_name(self) -> str:
        """The name of the local file."""
        return f"{self.kind}-{self.machine}-{self.run}.json"

    @property
    def key(self) -> str:
        """The key in the store."""
        return f"{PREFIX}{self.machine}/{self.run[:4]}/{self.run[4:6]}/{self.run[6:8]}/{self.kind}-{self.run}.json"


def json_schema() -> dict[str, Any]:
    """JSON Schema of a receipt."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Receipt.model_json_schema(mode="serialization"),
    }


def keep(receipt: Receipt, folder: Path) -> None:
    """Write a receipt to the local folder, readable for its owner alone: names of files may tell much."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / receipt.file_name, receipt.to_text(), 0o600)


def send(receipt: Receipt, store: ObjectStore, bucket: str) -> None:
    """Write an ended receipt to the store, once."""
    body = receipt.to_text().encode()
    store.upload(
        bucket, receipt.key, body, "application/json", metadata={SHA256_METADATA: sha256_of(body)}, if_absent=True
    )


def send_begun(receipt: Receipt, store: ObjectStore, bucket: str) -> None:
    """Write a receipt to the store at the beginning of its run, for those who look from another machine."""
    body = receipt.to_text().encode()
    metadata = {SHA256_METADATA: sha256_of(body)}
    store.upload(bucket, receipt.started_key, body, "application/json", metadata=metadata, if_absent=True)


def withheld(receipt: Receipt) -> Receipt:
    """The receipt of an archive that is encrypted, as the store may have it: numbers, keys and times, and no names."""
    text = f"see {receipt.file_name} on {receipt.machine}"
    return receipt.model_copy(
        update={
            "error": receipt.error and text,
            "notes": tuple(text for _ in receipt.notes),
            "sources": tuple(
                one.model_copy(
                    update={"root": ""}
                    | {name: tuple(text for _ in vars(one)[name]) for name in ("problems", "left_out", "hollow")}
                )
                for one in receipt.sources
            ),
            "proven": {key: wrong and text for key, wrong in receipt.proven.items()},
            "pruned": tuple((text, commit) for _, commit in receipt.pruned),
            "kept": tuple(text for _ in receipt.kept),
            "window": receipt.window and _withheld_window(receipt.window, text),
        }
    )


def _withheld_window(window: WindowReceipt, text: str) -> WindowReceipt:
    files = tuple(one.model_copy(update={"reason": one.reason and text}) for one in window.files)
    return window.model_copy(update={"nas": "", "reason": text, "missing": window.missing and text, "files": files})


def of_folder(folder: Path) -> list[Receipt]:
    """The receipts of the local folder; one that cannot be read is left out, the store has it."""
    found = []
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".json":
                with suppress(OSError, ValidationError):
                    found.append(Receipt.model_validate_json(path.read_bytes()))
    return found


def of_store(store: ObjectStore, bucket: str, since: datetime, known: Iterable[str] = ()) -> list[Receipt]:
    """The receipts in the store since a time, and the last one of each machine and kind, however old it is.

    Of a run that began and did not end, it is the one of its beginning.

    Args:
        store: The store.
        bucket: The bucket's name.
        since: The first day that counts.
        known: Ids of receipts that need not be read.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    skip, found = set(known), []
    day = f"{since.astimezone(UTC) - timedelta(days=1):%Y/%m/%d}"
    there: dict[tuple[str, str, str], ObjectRef] = {}
    last: dict[tuple[str, str], tuple[str, str]] = {}
    for ref in store.list(bucket, PREFIX):
        parts = ref.key.removeprefix(PREFIX).split("/")
        if len(parts) != 5 or not parts[-1]:  # noqa: PLR2004 - machine, year, month, day, name; a folder's mark has none
            continue
        machine, *date, name = parts
        kind, _, run = name.removesuffix(ENDED).removesuffix(STARTED.removesuffix(ENDED)).partition("-")
        if (machine, kind, run) not in there or not name.endswith(STARTED):
            there[machine, kind, run] = ref
        last[machine, kind] = max(last.get((machine, kind), ("", "")), ("/".join(date), run))
    for (machine, kind, run), ref in there.items():
        date_of = "/".join(ref.key.removeprefix(PREFIX).split("/")[1:4])
        if run not in skip and (date_of >= day or last[machine, kind] == (date_of, run)):
            with suppress(ValidationError):
                found.append(Receipt.model_validate_json(store.download(bucket, ref.key, etag=ref.etag)))
    return found


def newest_first(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Each receipt once, the newest first; an ended one counts before the same one open."""
    by_run: dict[tuple[str, str], Receipt] = {}
    for one in receipts:
        held = by_run.get((one.machine, one.run))
        if held is None or held.ended_at is None:
            by_run[one.machine, one.run] = one
    return sorted(by_run.values(), key=lambda one: (one.started_at, one.run), reverse=True)


def until(receipts: Iterable[Receipt], now: datetime) -> list[Receipt]:
    """The receipts without those that began in a time to come: what a wrong clock says does not silence an alarm."""
    return [one for one in receipts if one.started_at <= now + _CLOCKS_DIFFER]


def late(receipts: Iterable[Receipt], kind: str, every: timedelta, now: datetime) -> dict[str, datetime]:
    """The machines whose last complete run of a kind is more than two periods ago, with its time."""
    last: dict[str, datetime] = {}
    for one in receipts:
        if one.kind == kind:
            done = one.started_at if one.status == "complete" else datetime.min.replace(tzinfo=UTC)
            last[one.machine] = max(last.get(one.machine, done), done)
    return {machine: when for machine, when in last.items() if now - when > 2 * every}


def unproven(receipts: Iterable[Receipt], workload: str, days: float, now: datetime) -> dict[str, datetime | None]:
    """The machines whose last proven restore is more than some days ago, with its time; None for never."""
    last: dict[str, datetime | None] = {}
    for one in receipts:
        if one.kind.startswith(f"{workload}."):
            found = [when for when in (last.get(one.machine), one.restore_proven_at) if when is not None]
            last[one.machine] = max(found, default=None)
    return {machine: when for machine, when in last.items() if when is None or now - when > timedelta(days=days)}


def said(error: BaseException) -> str:
    """What a receipt says of an error: one line, without a secret."""
    if isinstance(error, OSError) and not isinstance(error, ObjectStoreError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return redacted(f"{where}{error.strerror}")
    if type(error) is sqlite3.DatabaseError:
        return f"state.sqlite: {error}; it is put aside, and the same command makes it again from the store"
    if isinstance(error, sqlite3.Error):
        return f"state.sqlite: {error}"
    return redacted(" ".join(str(error).split()) or type(error).__name__)
