"""`object-store events resolve`: the bytes of an event, by its reference or still by a path.

Exit status: 0 the file has the bytes; 1 the event does not lead to them: the object or file is gone, was replaced, or
is not where an event may name one; 2 it could not be done: the store is away or refuses the key, the disk is full, the
event is not one, or the file exists.

The rule: the reference goes first, and one that fails is an error: the path beside it is not tried. The file has all of
the bytes or is not there. Each use is counted by its form, so that one sees when the paths may go.
"""

import json
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from model.written import read_written
from object_store import (
    AccessDenied,
    NotFound,
    ObjectRef,
    ObjectStoreError,
    PayloadUnresolved,
    RequestRefused,
    StaleReference,
)
from object_store.files import replacing
from object_store.partials import sweep
from workloads.archive.proven import as_cold
from workloads.context import EVENTS, Context, Options, Told, ended, opened
from workloads.events import use as uses
from workloads.events.event import EVENT_BYTES, Event, Form
from workloads.events.models import Place
from workloads.events.path import opened_file
from workloads.events.use import Use
from workloads.receipt import said

_STANDARD_INPUT: Final = "-"
_BLOCK: Final = 2**20
_LEADS_NOWHERE: Final = (PayloadUnresolved, NotFound, StaleReference)


@dataclass(frozen=True)
class ResolveOptions(Options):
    """The options of `resolve`.

    Attributes:
        event: The file of the event; `-` for standard input.
        to: Where the bytes go.
        field: The field of the reference; empty for the main one.
        replace: Whether a file that is there is replaced.
    """

    event: str = ""
    to: Path = Path()
    field: str = ""
    replace: bool = False

    def read(self) -> Event:
        """The event. Raise InvalidInputError."""
        if self.event == _STANDARD_INPUT:
            return Event.parse(sys.stdin.buffer.read(EVENT_BYTES + 1))
        return Event.parse(read_written(Path(self.event), self.event, EVENT_BYTES))

    def check_target(self) -> None:
        """Raise InvalidInputError if the bytes cannot go there."""
        try:
            mode = self.to.lstat().st_mode
        except FileNotFoundError:
            mode = None
        except OSError as fault:
            raise InvalidInputError([_target(f"{self.to}: {fault.strerror}", "--to FILE")]) from None
        if str(self.to) == _STANDARD_INPUT:
            raise InvalidInputError([_target("standard output has the report", "--to FILE")])
        if not self.to.parent.is_dir():
            raise InvalidInputError([_target(f"{self.to.parent} is not a folder", f"mkdir -p {self.to.parent}")])
        if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise InvalidInputError([_target(f"{self.to} is not a regular file", "--to FILE")])
        if mode is not None and not self.replace:
            raise InvalidInputError([_target(f"{self.to} exists", "--replace")])


@dataclass(frozen=True)
class Given:
    """Bytes that were given.

    Attributes:
        used: The field that led to them.
        size: How many.
        verified: Whether a digest of the server proves them.
        ref: The object; None for a path.
        path: The file; None for a reference.
    """

    used: str
    size: int
    verified: bool
    ref: ObjectRef | None = None
    path: Path | None = None


def run(options: ResolveOptions) -> ExitCode:
    """Give the bytes, count the use, and say what led to them."""
    try:
        event = options.read()
        place = event.place(options.field)
        if event.form(place.ref) == Form.NEITHER:
            raise InvalidInputError([_neither(event, place)])
        options.check_target()
        with opened(options, EVENTS, locked=False) as context:
            return _counted(context, options, event, place)
    except Told as error:
        return ended(error)


def _counted(context: Context, options: ResolveOptions, event: Event, place: Place) -> ExitCode:
    """Give the bytes between the two receipts."""
    form: Any = event.form(place.ref).value
    use = uses.begun(context, event.data.NAME, place.ref, form, event.envelope.get("id"))
    given: Given | None = None
    fault: BaseException | None = None
    try:
        given = _given(context, options, event, place)
    except KeyboardInterrupt as interrupt:
        uses.ended(context, use, interrupt)
        raise
    except Told as error:
        fault = error
    use = uses.ended(context, use, fault)
    unsent = uses.send(context, use)
    _show(options, use, given, fault, unsent)
    if fault is None:
        return ExitCode.DONE
    status = ended(fault)
    return ExitCode.WRONG if isinstance(fault, _LEADS_NOWHERE) else status


def _given(context: Context, options: ResolveOptions, event: Event, place: Place) -> Given:
    if place.ref in event.given:
        ref = ObjectRef.parse(event.given[place.ref])
        return _by_reference(context, options, place, ref)
    return _by_path(context, options, event, place)


def _by_reference(context: Context, options: ResolveOptions, place: Place, ref: ObjectRef) -> Given:
    unproven: list[ObjectRef] = []
    try:
        found = context.store.head(ref.bucket, ref.key)
        if found.etag == ref.etag and found.size != ref.size:
            text = f"the object has {found.size} bytes, but the reference says {ref.size}"
            raise StaleReference(text, bucket=ref.bucket, key=ref.key)
        with context.doing("reading") as tell:
            found = context.store.download_file(
                ref.bucket,
                ref.key,
                options.to,
                etag=ref.etag,
                replace=options.replace,
                progress=tell,
                unverified=unproven.append,
            )
    except (AccessDenied, RequestRefused) as refusal:
        raise as_cold(refusal, ref.bucket, ref.key) or refusal from None
    return Given(place.ref, found.size, not unproven, ref=ref)


def _by_path(context: Context, options: ResolveOptions, event: Event, place: Place) -> Given:
    size = 0
    with opened_file(event.given, place, context.settings.events) as source:
        before = os.fstat(source.descriptor)
        if options.to.exists() and os.path.samestat(before, options.to.stat()):
            raise InvalidInputError([_target(f"{options.to} is the file that the event names", "--to FILE")])
        with suppress(OSError):  # a folder that cannot be read may still be writable
            sweep(options.to.parent)
        with context.doing("reading") as tell, replacing(options.to, replace=options.replace) as partial:
            while block := os.read(source.descriptor, _BLOCK):
                partial.write(block)
                size += len(block)
                tell(len(block))
            after = os.fstat(source.descriptor)
            if not size == before.st_size == after.st_size or before.st_mtime_ns != after.st_mtime_ns:
                raise PayloadUnresolved(f"{source.field} {str(source.path)!r} changed while it was read")
    return Given(source.field, size, verified=False, path=source.path)


def _neither(event: Event, place: Place) -> Problem:
    shims = ", ".join(place.shims) or "no path"
    others = [one.ref for one in event.data.PLACES if event.form(one.ref) != Form.NEITHER]
    write = f"--field {others[0]}" if others else f'"{place.ref}": {{…}}'
    return Problem(f"{event.name}: {place.ref}", "nothing leads to bytes", f"{place.ref}, or {shims}", write)


def _target(wrong: str, write: str) -> Problem:
    return Problem("--to", wrong, "a new file in a folder that exists, or --replace", write)


def _show(options: ResolveOptions, use: Use, given: Given | None, fault: BaseException | None, unsent: str) -> None:
    if unsent:
        sys.stderr.write(redacted(printable(f"the use is counted on this machine until a later call: {unsent}")) + "\n")
    if given is not None and given.ref is not None and not given.verified:
        text = f"not verified: {given.ref.uri}: the server names no digest that can be computed"
        sys.stderr.write(printable(text) + "\n")
    if options.as_json:
        told: dict[str, Any] = {"event": use.event, "field": use.field, "form": use.form, "sent": not unsent}
        if given is not None:
            told |= {"used": given.used, "file": str(options.to), "size": given.size, "verified": given.verified}
            led = {"path": str(given.path)} if given.ref is None else {"ref": given.ref.model_dump(mode="json")}
            told |= led
        elif fault is not None:
            told |= {"error": type(fault).__name__, "reason": _reason(fault)}
        sys.stdout.write(redacted(json.dumps(told, indent=1)) + "\n")
    elif given is not None and not options.quiet:
        where = given.ref.uri if given.ref is not None else given.path
        text = f"{use.event} by {given.used}: {where}, {given.size} bytes in {options.to}"
        sys.stdout.write(redacted(printable(text)) + "\n")


def _reason(fault: BaseException) -> str:
    return fault.reason if isinstance(fault, ObjectStoreError) else said(fault)
