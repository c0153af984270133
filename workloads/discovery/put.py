"""`object-store discovery put`: fetches a discovery and archives it, before anything is made of it.

Exit status: 0 it is archived, and what is printed leads to it; 1 it could not be fetched as a whole, which is archived
with the reason; 2 nothing could be archived, or the call is wrong: the step that called must fail, so that no note is
made.

The rule: bytes, then text, then the record, each read back. The keys are made of the address and the event's time, and
never of this run, so a second call for one event finds what the first one archived, and prints the same.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from object_store import AlreadyExists, ObjectRef
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, Counts, Stored, sha256_of
from workloads.archive.disk import on_disk
from workloads.archive.proven import put_proven, read_back
from workloads.context import DISCOVERY, Context, Options, Told, ended, opened
from workloads.discovery import capture as captures
from workloads.discovery.address import Address, AddressError
from workloads.discovery.capture import Answered, Capture, Kept, folder_of, held, record_key
from workloads.discovery.fetch import TOOL
from workloads.discovery.making import Made, made_of
from workloads.discovery.reach import PUBLIC, Reach
from workloads.events.event import Event
from workloads.receipt import Receipt, SourceReceipt, Status, said
from workloads.running import begun_receipt, end, ended_receipt
from workloads.settings import TIME_FORM, time_of

EVENT: Final = "discovery/captured"
_STANDARD_INPUT: Final = "-"
_CLOCKS_DIFFER: Final = timedelta(days=1)
_LEFT_OVER_SECONDS: Final = 86400.0
"""What is as old as this in the spool was left by a killed run: no run takes a tenth of it."""


@dataclass(frozen=True)
class PutOptions(Options):
    """The options of `put`.

    Attributes:
        url: The address; `-` for the first line of standard input.
        at: When the event happened that named it.
    """

    url: str = ""
    at: str = ""

    def address(self) -> Address:
        """What is asked for. Raise InvalidInputError."""
        given = sys.stdin.readline() if self.url == _STANDARD_INPUT else self.url
        try:
            return Address.parse(given)
        except AddressError as fault:
            problem = Problem(
                "URL", f"the address {fault}", "http:// or https://, without user and password", "https://HOST/PATH"
            )
            raise InvalidInputError([problem]) from None

    def when(self) -> datetime:
        """The event's time in UTC. Raise InvalidInputError."""
        wrong = ""
        try:
            when = time_of(self.at).astimezone(UTC)
            if when > clock.now_utc() + _CLOCKS_DIFFER:
                wrong = "is to come"
        except (ValueError, OverflowError):
            wrong = "is not a time"
        if wrong:
            raise InvalidInputError([Problem("--at", f"{self.at!r} {wrong}", TIME_FORM, "--at 2026-11-30T04:00:00Z")])
        return when


@dataclass(frozen=True)
class _Course:
    """What all steps of a run share."""

    context: Context
    address: Address
    when: datetime
    run: str
    reach: Reach
    folder: Path
    stage: Callable[[str], None]


def run(options: PutOptions, *, reach: Reach = PUBLIC, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Fetch, archive, write the receipt, and print what leads to it."""
    try:
        address, when = options.address(), options.when()
        with opened(options, DISCOVERY, locked=False) as context:
            receipt, found = _receipted(context, address, when, reach, stage or (lambda _: None))
            if found is not None:
                _show(options, context.bucket, receipt, *found)
    except Told as error:
        return ended(error)
    if receipt.error:
        return ended(RuntimeError(receipt.error))
    return ExitCode.WRONG if receipt.failed else ExitCode.DONE


def _receipted(
    context: Context, address: Address, when: datetime, reach: Reach, stage: Callable[[str], None]
) -> tuple[Receipt, tuple[Capture, Stored] | None]:
    receipt = begun_receipt(context, DISCOVERY.kind)
    found: tuple[Capture, Stored] | None = None
    status: Status = "complete"
    error = ""
    try:
        with _spool(context.state.folder / "spool") as folder:
            found = _put(_Course(context, address, when, receipt.run, reach, folder, stage))
        if found[0].status == "failed":
            status = "incomplete"
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", (), {}, ()), sent=False)
        raise
    except Told as fault:
        status, error = "failed", said(fault)
    sources = (_source(address, *found),) if found is not None else ()
    notes = found[0].notes if found is not None else ()
    if found is not None and found[0].run != receipt.run:
        notes = (*notes, f"archived by an earlier call, {found[0].run}")
    return end(context, ended_receipt(receipt, status, error, sources, {}, notes), sent=True), found


def _source(address: Address, capture: Capture, stored: Stored) -> SourceReceipt:
    objects = list(captures.kept(capture))
    return SourceReceipt(
        name="discovery",
        root=address.shown,
        commit=stored.key,
        commit_sha256=stored.sha256,
        counts=Counts(
            seen=1,
            seen_bytes=capture.raw.stored.size if capture.raw else 0,
            content_bytes=sum(one.stored.size for one in objects),
            stored_bytes=sum(one.stored.size for one in objects) + stored.size,
            packs=len(objects),
        ),
        problems=(capture.reason,) if capture.reason else (),
    )


@contextmanager
def _spool(base: Path) -> Iterator[Path]:
    """A folder for what is fetched; what killed runs left there goes."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in base.iterdir():
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_OVER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="put-", dir=base) as folder:
        yield Path(folder)


def _put(course: _Course) -> tuple[Capture, Stored]:
    context = course.context
    found = held(context.store, context.bucket, course.address, course.when)
    if not isinstance(found, int):
        return found
    course.stage("looked")
    with context.doing("fetching"), on_disk(course.folder):
        made = made_of(course.address, course.folder, context.settings.discovery, course.reach)
    course.stage("fetched")
    capture = _stored(course, made)
    course.stage("stored")
    return _recorded(course, capture, found)


def _stored(course: _Course, made: Made) -> Capture:
    """Store bytes and text, and make the record."""
    fetched = made.fetched
    raw = extract = None
    if made.raw is not None:
        raw = _kept(course, made.raw, f"{made.identity}/{made.name}", made.content_type)
        course.stage("raw")
    if made.extract is not None:
        kind = "text/markdown" if made.extract.suffix == ".md" else "text/plain"
        extract = _kept(course, made.extract, f"{made.identity}/{made.extract.name}", f"{kind}; charset=utf-8")
    return Capture(
        status="failed" if made.reason else "captured",
        reason=made.reason,
        kind=made.kind,
        url=course.address.shown,
        event_time=course.when,
        captured_at=clock.now_utc(),
        machine=course.context.machine,
        run=course.run,
        tool=TOOL,
        answers=tuple(Answered(url=one.url, address=one.address, status=one.status) for one in fetched.hops),
        headers={name: fetched.headers[name][:1000] for name in captures.HEADERS if name in fetched.headers},
        raw=raw,
        extract=extract,
        **made.more,
    )


def _kept(course: _Course, path: Path, name: str, content_type: str) -> Kept:
    """Store a file, or find it stored by the same bytes."""
    context, first = course.context, f"{folder_of(course.address, course.when)}{name}"
    stem, dot, suffix = name.partition(".")
    keys = f"{folder_of(course.address, course.when)}{stem}"
    digest = _sha256(path)
    stored, _ = put_proven(
        context.store,
        context.bucket,
        lambda number: first if number == 1 else f"{keys}.{number}{dot}{suffix}",
        path,
        digest,
        content_type=content_type,
    )
    return Kept(stored=stored, content_type=content_type)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded(course: _Course, capture: Capture, number: int) -> tuple[Capture, Stored]:
    """Put the record, and read it back; if another run was quicker, its record counts."""
    context, body = course.context, capture.to_bytes()
    sha256 = sha256_of(body)
    if capture.status == "failed":
        stored, _ = put_proven(
            context.store,
            context.bucket,
            lambda each: record_key(course.address, course.when, "failed", each),
            body,
            sha256,
            content_type=captures.RECORD,
        )
        return capture, stored
    key, stored_at = record_key(course.address, course.when, "captured", number), clock.now_utc()
    try:
        ref = context.store.upload(
            context.bucket, key, body, captures.RECORD, metadata={SHA256_METADATA: sha256}, if_absent=True
        )
    except AlreadyExists:
        there = held(context.store, context.bucket, course.address, course.when)
        if isinstance(there, int):
            return _recorded(course, capture, there)
        return there
    stored = Stored(key=key, etag=ref.etag, size=ref.size, sha256=sha256, stored_at=stored_at)
    read_back(context.store, context.bucket, stored)
    return capture, stored


def told(bucket: str, capture: Capture, stored: Stored) -> dict[str, Any]:
    """What the step that called goes on with: status, references, what the event carries, and what it still needs.

    The rest of the event is known when the note is made.
    """
    meta = ObjectRef(bucket=bucket, key=stored.key, etag=stored.etag, size=stored.size, content_type=captures.RECORD)
    refs = {"rawRef": capture.raw, "extractRef": capture.extract}
    carried = {name: one.ref(bucket).model_dump(mode="json") for name, one in refs.items() if one is not None}
    found: dict[str, Any] = {
        "status": capture.status,
        "reason": capture.reason,
        "kind": capture.kind,
        "url": capture.url,
        "title": capture.title,
        "commit": capture.commit,
        "notes": list(capture.notes),
        "metaRef": meta.model_dump(mode="json"),
        **carried,
    }
    if capture.status == "captured":
        found["event"] = {"name": EVENT, "data": carried}
        found["eventNeeds"] = list(Event.needs(EVENT, carried))
    return found


def _show(options: PutOptions, bucket: str, receipt: Receipt, capture: Capture, stored: Stored) -> None:
    if options.as_json:
        sys.stdout.write(redacted(json.dumps(told(bucket, capture, stored), indent=1)) + "\n")
        return
    if options.quiet:
        return
    lines = [f"{capture.status}: {capture.url}", *([capture.reason] if capture.reason else []), *capture.notes]
    named = (("raw", capture.raw), ("extract", capture.extract))
    lines += [f"{name}: {one.ref(bucket).uri}, {one.stored.size} bytes" for name, one in named if one is not None]
    lines += [f"meta: s3://{bucket}/{stored.key}", f"{receipt.status}: receipt {receipt.file_name}"]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
