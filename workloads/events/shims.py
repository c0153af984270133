"""`object-store events shims`: how often each event led to its bytes by a path, and whether its paths may go.

Exit status: 0 in the period there were uses, and none was by a path; 1 one was, or nothing was seen, or what was seen
is not enough; 2 it cannot tell.

The rule: a path may go if it was not used and references were. What is silent, damaged, or counted for less than the
period proves nothing.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, nearest
from model.terminal_text import printable
from object_store import CorruptBody, IncompleteTransfer, NotFound, ObjectRef, StaleReference
from workloads.archive import clock
from workloads.context import EVENTS, Context, Options, Told, ended, expires_after_days, opened
from workloads.events import use as uses
from workloads.events.models import BY_NAME, MODELS
from workloads.events.use import Use
from workloads.settings import TIME_FORM, time_of
from workloads.table import print_table

PERIOD_DAYS: Final = 30
"""The period without `--since`; the docs name it."""
SHIMS: Final = tuple((model.NAME, place) for model in MODELS for place in model.PLACES if place.shims)
"""Every reference with paths that it takes the place of, with its event."""
_AT_ONCE: Final = 16
_BATCH: Final = 1000
_DAMAGED: Final = (CorruptBody, IncompleteTransfer, NotFound, StaleReference)


class Verdict(StrEnum):
    """Whether the paths of an event may go."""

    MAY_GO = "may go"
    IN_USE = "in use"
    TOO_EARLY = "too early"
    CANNOT_TELL = "cannot tell"
    NOT_SEEN = "not seen"


@dataclass(frozen=True)
class ShimsOptions(Options):
    """The options of `shims`.

    Attributes:
        since: The beginning of the period; empty for 30 days.
        event: Only this event; empty for all.
    """

    since: str = ""
    event: str = ""

    def begin(self, now: datetime, kept_days: int) -> datetime:
        """The beginning of the period. Raise InvalidInputError."""
        if not self.since:
            return now - timedelta(days=PERIOD_DAYS)
        try:
            since = time_of(self.since).astimezone(UTC)
        except (ValueError, OverflowError):
            wrong = "is not a time"
        else:
            wrong = "is to come" if since > now else ""
            if now - since > timedelta(days=kept_days):
                wrong = f"is longer ago than receipts are kept: {kept_days} days"
            if not wrong:
                return since
        paste = f"--since {now - timedelta(days=PERIOD_DAYS):%Y-%m-%d}"
        raise InvalidInputError([Problem("--since", f"{self.since!r} {wrong}", TIME_FORM, paste)])

    def events(self) -> frozenset[str]:
        """The events that are asked about. Raise InvalidInputError."""
        legal = tuple(name for name, _ in SHIMS)
        if not self.event:
            return frozenset(legal)
        name = BY_NAME[self.event].NAME if self.event in BY_NAME else self.event
        if name not in legal:
            wrong, write = f"{name[:100]!r} has no path that may go", f"--event {nearest(name, legal)}"
            raise InvalidInputError([Problem("--event", wrong, ", ".join(legal), write)])
        return frozenset({name})


@dataclass
class Tally:
    """The uses of a reference of an event in the period.

    Attributes:
        reference: By the reference alone.
        path: By a path alone, also those that failed.
        both: By the reference, with a path beside it.
        given: How many references gave their bytes.
        failed: How many uses did not.
        last_path: The last use of a path.
        damaged: Receipts that cannot be read.
        first: The first use of the event, also before the period; None without any.
    """

    reference: int = 0
    path: int = 0
    both: int = 0
    given: int = 0
    failed: int = 0
    last_path: Use | None = None
    damaged: int = 0
    first: datetime | None = None

    def add(self, use: Use) -> None:
        """Count a use."""
        self.reference += use.form == "reference"
        self.path += use.form == "path"
        self.both += use.form == "both"
        self.failed += use.status != "given"
        self.given += use.status == "given" and use.form != "path"
        if use.form == "path":
            self.last_path = max((use, self.last_path or use), key=lambda one: one.run)

    def verdict(self, since: datetime, *, is_given: bool) -> tuple[Verdict, str]:
        """Whether the paths may go, and why not.

        Args:
            since: The beginning of the period.
            is_given: Whether a person chose it, and so how long is long enough.
        """
        if self.last_path is not None:
            return Verdict.IN_USE, f"last on {self.last_path.machine}"
        if self.damaged:
            return Verdict.CANNOT_TELL, f"receipts that cannot be read: {self.damaged}"
        if not self.reference + self.both:
            return Verdict.NOT_SEEN, "silence proves nothing"
        if not self.given:
            return Verdict.CANNOT_TELL, "no reference gave its bytes"
        if not is_given and self.first is not None and self.first > since:
            again = self.first + timedelta(days=PERIOD_DAYS)
            return Verdict.TOO_EARLY, f"counted since {self.first:%Y-%m-%d}; ask again on {again:%Y-%m-%d}"
        return Verdict.MAY_GO, ""


class Ledger:
    """What the receipts say.

    Attributes:
        tallies: By event and field.
        wrong: The receipts that cannot be read, and other objects in their place, with the reason of each.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.tallies = {(model.NAME, place.ref): Tally() for model in MODELS for place in model.PLACES}
        self.wrong: dict[str, str] = {}

    def saw(self, event: str, when: datetime) -> None:
        """Take that an event was used at a time, in the period or before."""
        for tally in self._of(event):
            tally.first = min(tally.first or when, when)

    def note(self, key: str, found: Use | str) -> None:
        """Count a receipt; one that cannot be read may be of a path, and of any field of its event."""
        if isinstance(found, Use):
            self.tallies[found.event, found.field].add(found)
            return
        self.wrong[key] = found
        event, _ = uses.named(key) or ("", None)
        for tally in self._of(event):
            tally.damaged += 1

    def _of(self, event: str) -> Iterator[Tally]:
        return (tally for (name, _), tally in self.tallies.items() if name == event)


def run(options: ShimsOptions) -> ExitCode:
    """Count, and print what may go."""
    try:
        asked = options.events()
        with opened(options, EVENTS, locked=False) as context:
            since = options.begin(clock.now_utc(), expires_after_days(EVENTS) or 365)
            with context.doing("reading the receipts") as tell:
                ledger = counted(context, since, tell)
            bucket = context.bucket
    except Told as error:
        return ended(error)
    rows = []
    for name, place in SHIMS:
        if name in asked:
            tally = ledger.tallies[name, place.ref]
            rows.append(
                (name, place.ref, tuple(place.shims), tally, *tally.verdict(since, is_given=bool(options.since)))
            )
    if options.as_json:
        told = {"since": since.isoformat(), "shims": [_told(*row) for row in rows], "wrong": ledger.wrong}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    elif not options.quiet:
        sys.stdout.write(f"uses since {since:%Y-%m-%d %H:%M} UTC\n")
        print_table((*_TEXTS, *_NUMBERS, "last path (UTC)", "the paths"), (_cells(*row) for row in rows), _NUMBERS)
    for key, wrong in ledger.wrong.items():
        where = f"s3://{bucket}/{key}" if key.startswith(uses.PREFIX) else key
        sys.stderr.write(f"NOT COUNTED {printable(where)}: {printable(wrong)}\n")
    seen = {verdict for *_, verdict, _ in rows} - {Verdict.NOT_SEEN}
    return ExitCode.DONE if seen == {Verdict.MAY_GO} and not ledger.wrong else ExitCode.WRONG


def counted(context: Context, since: datetime, tell: Callable[[int], None]) -> Ledger:
    """Count the receipts of the store since a time, and those that this machine still has.

    Raises:
        ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
    """
    ledger, here = Ledger(), dict[str, Use]()
    for path, use in uses.left(context):
        if isinstance(use, Use):
            here[use.key] = use
        else:
            ledger.wrong[str(path)] = use
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for batch in _batches(_in_period(context, since, ledger, here)):
            for ref, found in zip(batch, pool.map(lambda ref: _read(context, ref), batch), strict=True):
                tell(ref.size)
                ledger.note(ref.key, found)
    for use in here.values():
        ledger.saw(use.event, use.at)
        if use.at >= since:
            ledger.note(use.key, use)
    return ledger


def _in_period(context: Context, since: datetime, ledger: Ledger, here: dict[str, Use]) -> Iterator[ObjectRef]:
    """The receipts of the period in the store; those that this machine still has as well leave `here`."""
    for ref in context.store.list(context.bucket, uses.PREFIX):
        here.pop(ref.key, None)
        found = uses.named(ref.key)
        if found is not None:
            ledger.saw(*found)
            if found[1] >= since:
                yield ref
        elif not ref.key.endswith("/"):  # the mark of a folder
            ledger.wrong[ref.key] = "is not the key of a receipt; if it is of no use: object-store rm"


def _read(context: Context, ref: ObjectRef) -> Use | str:
    """A receipt of the store, or what is wrong with it."""
    if ref.size > uses.BYTES_MAXIMUM:
        return f"has {ref.size} bytes, and a receipt has at most {uses.BYTES_MAXIMUM}"
    try:
        use = Use.of(context.store.download(ref.bucket, ref.key, etag=ref.etag))
    except _DAMAGED as fault:
        return fault.reason
    except ValueError as fault:
        return uses.why(fault)
    return use if use.key == ref.key else f"is a copy of {use.key}"


def _batches(refs: Iterable[ObjectRef]) -> Iterator[list[ObjectRef]]:
    each = iter(refs)
    while batch := list(islice(each, _BATCH)):
        yield batch


_TEXTS: Final = ("event", "paths")
_NUMBERS: Final = ("by reference", "by path", "by both", "failed")


def _told(name: str, ref: str, shims: tuple[str, ...], tally: Tally, verdict: Verdict, reason: str) -> dict[str, Any]:
    last = tally.last_path
    return {
        "event": name,
        "field": ref,
        "paths": list(shims),
        "byReference": tally.reference,
        "byPath": tally.path,
        "byBoth": tally.both,
        "failed": tally.failed,
        "lastPath": last and {"at": last.at.isoformat(), "machine": last.machine, "eventId": last.event_id},
        "countedSince": tally.first and tally.first.isoformat(),
        "verdict": verdict.value,
        "reason": reason,
    }


def _cells(name: str, _: str, shims: tuple[str, ...], tally: Tally, verdict: Verdict, reason: str) -> tuple[str, ...]:
    counts = (str(one) for one in (tally.reference, tally.path, tally.both, tally.failed))
    last = f"{tally.last_path.at:%Y-%m-%d %H:%M}" if tally.last_path else ""
    return name, ", ".join(shims), *counts, last, f"{verdict}{reason and f': {reason}'}"
