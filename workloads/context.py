"""What every command of a workload begins with: configuration, store, bucket, machine and state.

The rule: everything that can be wrong before a request is found here, and every failure of a command ends here as one
message and an exit status.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, nearest
from model.secrecy.redaction import keep_secret, redacted
from model.taxonomy_file import load as load_taxonomy
from model.terminal_text import printable
from object_store import ObjectStore, ObjectStoreError
from stack.runner import EngineError
from workloads.archive.history import Followed, follow
from workloads.archive.pack import DamagedError
from workloads.archive.proven import ColdError
from workloads.archive.restore import RestoreError
from workloads.archive.run import AgedError
from workloads.archive.sealing import ClosedError, Keys
from workloads.archive.source import SourceError
from workloads.archive.state import BusyError, State
from workloads.encryption import keys_of
from workloads.machine import machine_of
from workloads.needs import NEEDS
from workloads.otel.clickhouse import ClickHouseError
from workloads.otel.days import Parts, otel_parts
from workloads.otel.typesense import TypesenseError
from workloads.place import place_of
from workloads.receipt import said
from workloads.settings import Workloads, load

PROGRESS_AFTER_SECONDS = 2.0
_NAMES_A_SECRET = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE)$")
"""How the variables of other programs end that hold a secret; a transcript's path may hold it, too."""
Told = (
    InvalidInputError,
    ClickHouseError,
    TypesenseError,
    ObjectStoreError,
    ClosedError,
    ColdError,
    DamagedError,
    AgedError,
    RestoreError,
    SourceError,
    BusyError,
    EngineError,
    OSError,
    sqlite3.Error,
)


@dataclass(frozen=True)
class Work:
    """A workload.

    Attributes:
        name: Its name in keys of receipts, and of its folder of state.
        domain: The domain of its bucket.
        roots: Folder or file of each source.
        kind: Of the receipts of its regular run.
        every: How often it runs.
        proven_within_days: Days within which a restore must have been proven; None if it need not be.
        exact: Whether each commit is the whole state of its source.
        parts: How what is committed is found, if it holds no files.
    """

    name: str
    domain: str
    roots: Callable[[Workloads], dict[str, Path]]
    kind: str
    every: Callable[[Workloads], timedelta]
    proven_within_days: int | None = None
    exact: bool = False
    parts: Callable[[ObjectStore, str], Parts] | None = None


SESSIONS = Work(
    "sessions",
    "session-archive",
    lambda given: given.sessions.roots(),
    "sessions.archive",
    lambda given: timedelta(given.sessions.every_days),
)
VAULT = Work(
    "vault",
    "vault-backups",
    lambda given: {"vault": Path(given.vault.path).expanduser()},
    "vault.snapshot",
    lambda given: timedelta(given.vault.every_days),
    proven_within_days=7,
    exact=True,
)
OTEL = Work(
    "otel",
    "otel-archive",
    lambda _: {},
    "otel.export",
    lambda given: timedelta(given.otel.every_days),
    parts=otel_parts,
)
DISCOVERY = Work("discovery", "discovery-raw", lambda _: {}, "discovery.put", lambda _: timedelta(days=1))
"""It runs for events and not by the clock, so it is in no schedule, and no silence of it alarms."""
DOCUMENTS = Work("documents", "docs-raw", lambda _: {}, "documents.put", lambda _: timedelta(days=1))
"""Likewise: by events, and once for all that was there before."""
EVENTS = Work("events", "media-derived", lambda _: {}, "events.resolve", lambda _: timedelta(days=1))
"""Likewise. The bucket is that of its receipts: what is in it expires; in `media-raw` each would be locked a year."""
MEDIA = Work("media", "media-derived", lambda _: {}, "media.put", lambda _: timedelta(days=1))
"""Likewise, and for the same reason."""
WORKS = {one.name: one for one in (SESSIONS, VAULT, OTEL)}


@dataclass(frozen=True)
class Options:
    """The options that all commands share.

    Attributes:
        config: The configuration file; None for the default.
        store: A file or folder of variables in place of the configured one.
        machine: Another machine than this one.
        sources: Only these; empty for all.
        quiet: Show no progress.
        as_json: Print JSON.
        identities: Files with secret keys, in place of the configured one.
        wait_seconds: How long to wait for another run that has the state.
    """

    config: Path | None = None
    store: Path | None = None
    machine: str | None = None
    sources: Sequence[str] = ()
    quiet: bool = False
    as_json: bool = False
    identities: Sequence[Path] = field(default=(), kw_only=True)
    wait_seconds: int = field(default=0, kw_only=True)


@dataclass(frozen=True)
class Context:
    """An opened store with the machine's settings.

    Attributes:
        options: The command's options.
        work: The workload.
        settings: The configuration.
        where: Its name in messages.
        machine: The machine's name.
        store: The store.
        bucket: The workload's bucket.
        state: The machine's state; of a command that needs none it is not opened.
        keys: To whom is encrypted, and what can be opened.
        console: For progress and messages.
        buckets: The granted bucket of each domain, for a workload that has several.
    """

    options: Options
    work: Work
    settings: Workloads
    where: str
    machine: str
    store: ObjectStore
    bucket: str
    state: State
    keys: Keys
    console: Console
    buckets: Callable[[str], str]

    @property
    def receipts(self) -> Path:
        """The local folder of receipts."""
        return Path(self.settings.receipts).expanduser()

    @property
    def roots(self) -> dict[str, Path]:
        """The sources that were asked for, with their folders or files."""
        roots = self.work.roots(self.settings)
        return {name: path for name, path in roots.items() if not self.options.sources or name in self.options.sources}

    @property
    def place(self) -> str:
        """The store and bucket, for receipts."""
        return f"{self.store.config.endpoint or 'AWS S3 in ' + self.store.config.region} {self.bucket}"

    def follow(self, machine: str = "") -> Followed:
        """Bring the state up to what the store holds of a machine; empty for this one."""
        with self.doing("reading what is archived") as tell:
            of = machine or self.machine
            if self.work.parts is not None:
                found = self.work.parts(self.store, self.bucket)
                with self.state.transaction():
                    self.state.hold_parts(of, self.work.name, found.stored)
                return Followed(found.keys, needs=found.needs)
            return follow(
                self.store,
                self.bucket,
                of,
                self.state,
                tell,
                self.keys,
                latest=self.work.exact,
                expires_after_days=expires_after_days(self.work),
            )

    @contextmanager
    def doing(self, what: str) -> Iterator[Callable[[int], None]]:
        """Show what is being done and how many bytes, if it takes longer than two seconds."""
        if self.options.quiet or not self.console.is_terminal:
            yield lambda _: None
            return
        # They take a tenth of a run's start, and most runs show nothing.
        from rich.progress import (  # noqa: PLC0415
            DownloadColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (SpinnerColumn(), TextColumn(what), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, refresh_per_second=4) as progress:
            task = progress.add_task(what, total=None, visible=False)

            def tell(size: int) -> None:
                shown = (progress.tasks[0].elapsed or 0) > PROGRESS_AFTER_SECONDS
                progress.update(task, advance=size, visible=shown)

            yield tell


@contextmanager
def opened(options: Options, work: Work, *, locked: bool = True) -> Iterator[Context]:
    """Open everything; the state is opened and locked, unless the command needs none: a run that hangs has it.

    Raises:
        InvalidInputError: A setting or an option is wrong.
        BusyError: Another run has the state.
    """
    for name, value in os.environ.items():
        if _NAMES_A_SECRET.search(name) and not value.startswith("/"):
            keep_secret(value)
    settings, where = load(options.config, os.environ)
    known = tuple(work.roots(settings))
    wrong = [name for name in options.sources if name not in known]
    if wrong:
        raise InvalidInputError(
            [
                Problem("--source", f"unknown source {name!r}", ", ".join(known), f"--source {nearest(name, known)}")
                for name in wrong
            ]
        )
    keys = keys_of(settings, where, options.identities)
    need = NEEDS[work.name]
    place = settings.store_of(work.name)
    path = options.store or (Path(place.variables).expanduser() if place.variables else None)
    credentials = None
    if path is None and place.deployment is not None and place.credentials is not None:
        path, credentials = Path(place.deployment).expanduser(), Path(place.credentials).expanduser()
    found = place_of(path, need, os.environ, credentials)
    bucket = found.bucket(work.domain)
    base = Path(settings.state).expanduser()
    machine = machine_of(settings, base)
    console = Console(stderr=True, quiet=options.quiet)
    state = State(base / work.name / bucket, options.wait_seconds)
    with ObjectStore(found.config) as store, state if locked else nullcontext():
        yield Context(options, work, settings, where, machine, store, bucket, state, keys, console, found.bucket)


def expires_after_days(work: Work) -> int | None:
    """Days after which the store deletes what a workload stored, as the taxonomy has it."""
    taxonomy = load_taxonomy()
    if work.domain not in taxonomy.domains:
        legal = ", ".join(sorted(taxonomy.domains))
        where = f"infra/taxonomy.yaml: domains.{work.domain}"
        raise InvalidInputError(
            [
                Problem(
                    where, f"is missing, and {work.name} is stored there", f"it is one of {legal}", f"{work.domain}: …"
                )
            ]
        )
    domain = taxonomy.domains[work.domain]
    return domain.expire_after_days or getattr(getattr(taxonomy.bands, domain.band), "expire_after_days", None)


def ended(error: BaseException) -> ExitCode:
    """Say why a command could not run or finish."""
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, ObjectStoreError) and error.strerror:
        name = os.fsdecode(error.filename) if error.filename else "this machine"
        text = f"{name}: {error.strerror}"
    if isinstance(error, sqlite3.Error):
        text = said(error)
    sys.stderr.write(redacted(printable(text)) + "\n")
    return ExitCode.CANNOT


def time_of(text: str) -> float | None:
    """The end of the second that `--at` gives, in seconds since 1970; None without one. Raise InvalidInputError.

    What a list shows is cut to the second, and names that very state.
    """
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            [
                Problem(
                    "--at", f"{text!r} is not a time", "2026-11-30 or 2026-11-30T04:00:00Z", "--at 2026-11-30T04:00:00Z"
                )
            ]
        ) from None
    when = when if when.microsecond else when.replace(microsecond=999_999)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
