"""`workloads.yaml`: what the workloads of one machine store, and where.

The rule: every key has a default, the owner's; an unknown key is an error, and all mistakes are reported at once. The
file is the one of `--config`, else of OBJECT_STORE_WORKLOADS, else `~/.config/object-store/workloads.yaml`, if that
exists.
Where the store is comes from `place`, not from here.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from model.problems import InvalidInputError, Problem, key_path, nearest
from model.written_yaml import read_yaml_file
from object_store.mounts import DEFAULT_MOUNTS

VARIABLE = "OBJECT_STORE_WORKLOADS"
DEFAULT_FILE = Path("~/.config/object-store/workloads.yaml")
NAME_FORM = "lower case letters, digits and single hyphens, starting with a letter (claude-projects)"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: Names are in keys, and in the names of files.
NAME_LENGTH_MAXIMUM = 63
PATH_FORM = "an absolute path, or one below ~ (~/.claude/projects)"
TIME_FORM = "a date, or a time with its zone (2026-11-30T04:00:00Z)"

#: How pydantic names the other form of `encryption` in an error; it says nothing that the first form's does not.
_NONE = "literal['none']"
#: The places of the agents' transcripts, by the keys that the owner's own backup uses.
SOURCES: Mapping[str, str] = {
    "pi-agent-sessions": "~/.pi/agent/sessions",
    "pi-run-history": "~/.pi/agent/run-history.jsonl",
    "pi-notes-events": "~/.pi/notes-bridge/events.jsonl",
    "claude-projects": "~/.claude/projects",
    "codex-sessions": "~/.codex/sessions",
    "codex-archived-sessions": "~/.codex/archived_sessions",
    "codex-session-index": "~/.codex/session_index.jsonl",
    "joelclaw-runs-dev": "~/.joelclaw/runs-dev",
    "joelclaw-outbox": "~/.joelclaw/outbox",
    "joelclaw-gateway-sessions": "~/.joelclaw/sessions/gateway",
}
#: A pack that live files lean on is replaced before it is this old.
RENEW_DAYS_MAXIMUM = 180
#: No snapshot of the vault leans on an older pack, so that all of it stays locked for 335 days of the 365.
LEAN_DAYS_MAXIMUM = 30
PRUNE_DAYS_MINIMUM = 7
#: ClickHouse sorts the rows of a part in its memory.
SLICE_ROWS_MAXIMUM = 2_000_000
#: Other programs delete transcripts after 30 days.
ALARM_DAYS_MAXIMUM = 29


def _named(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(NAME_FORM)
    if len(value) > NAME_LENGTH_MAXIMUM:
        raise ValueError(f"at most {NAME_LENGTH_MAXIMUM} characters")
    return value


def _placed(value: str) -> str:
    """Refuse what would be another place with each working folder, as under launchd and cron."""
    try:
        placed = Path(value).expanduser()
    except RuntimeError:  # `~` of a user whom the system does not know
        raise ValueError(PATH_FORM) from None
    if not placed.is_absolute() or "\0" in value:
        raise ValueError(PATH_FORM)
    return value


def time_of(value: str) -> datetime:
    """A time as it is written; a date is its beginning in UTC. Raise ValueError."""
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(TIME_FORM) from None
    if when.tzinfo is None:
        if when.time() != datetime.min.time():
            raise ValueError(TIME_FORM)
        when = when.replace(tzinfo=UTC)
    return when


def _timed(value: str) -> str:
    time_of(value)
    return value


def _below(value: str) -> str:
    """Refuse the root: a sender of events would name any file of the machine."""
    if os.path.normpath(Path(_placed(value)).expanduser()).strip("/") == "":
        raise ValueError("a folder, and not the root")
    return value


def _exported(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/") or value.strip("/") == "":
        raise ValueError("a folder of the NAS, by its own name (/volume1/joelclaw)")
    return value


Exported = Annotated[str, AfterValidator(_exported)]
Below = Annotated[str, AfterValidator(_below)]
Name = Annotated[str, AfterValidator(_named)]
Location = Annotated[str, AfterValidator(_placed)]
Time = Annotated[str, AfterValidator(_timed)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(_Declared):
    """Where the store is: one of the forms that `place.place_of` reads.

    Attributes:
        variables: A file of variables, or a folder with a file for each; None for the process's environment.
        deployment: A published deployment; it needs `credentials`.
        credentials: The stack's published credentials.
    """

    variables: Location | None = None
    deployment: Location | None = None
    credentials: Location | None = None


class Prune(_Declared):
    """Which local files go after they were archived; without it, none.

    Attributes:
        after_days: Days since a file was last written.
        sources: The sources whose files go.
    """

    after_days: Annotated[int, Field(ge=PRUNE_DAYS_MINIMUM, le=3650, strict=True)]
    sources: Annotated[tuple[Name, ...], Field(min_length=1)]


class Encryption(_Declared):
    """To whom what is stored is encrypted, by age: `recipients`, or a file of them.

    Attributes:
        recipients: Public keys (`age1…`); each of them opens everything.
        recipients_file: A file with one public key in each line.
        identity: A file with the secret key, for a machine that restores or prunes; what only archives needs none.
    """

    recipients: tuple[str, ...] = ()
    recipients_file: Location | None = None
    identity: Location | None = None


class Sessions(_Declared):
    """The session transcripts.

    Attributes:
        sources: Folder or file of each source; null switches a default source off.
        renew_after_days: Age in days at which what is still live is stored again.
        alarm_after_days: Age in days of a file in no commit at which `coverage` fails.
        every_days: How often the archive runs; it is late after two such periods.
        prune: Which local files go.
        store: Where the store is, if other workloads of this machine have another key.
    """

    sources: dict[Name, Location | None] = Field(default_factory=dict)
    renew_after_days: Annotated[int, Field(ge=1, le=RENEW_DAYS_MAXIMUM - 1, strict=True)] = 150
    alarm_after_days: Annotated[int, Field(ge=1, le=ALARM_DAYS_MAXIMUM, strict=True)] = 20
    every_days: Annotated[int, Field(ge=1, le=7, strict=True)] = 1
    prune: Prune | None = None
    store: Store | None = None

    def roots(self) -> dict[str, Path]:
        """Folder or file of each source that is on, with `~` resolved."""
        merged = {**SOURCES, **self.sources}
        return {name: Path(path).expanduser() for name, path in merged.items() if path is not None}


class Vault(_Declared):
    """The vault of notes.

    Attributes:
        path: Its folder.
        exclude: What is left out, as patterns of paths below it; the git repository travels as a bundle anyway.
        renew_after_days: Age in days at which content is stored again: no snapshot leans on an older pack.
        every_days: How often it is stored; it is late after two such periods.
        store: Where the store is, if other workloads of this machine have another key.
    """

    path: Annotated[str, Field(min_length=1)] = "~/Vault"
    exclude: tuple[Annotated[str, Field(min_length=1)], ...] = (".obsidian/workspace*",)
    renew_after_days: Annotated[int, Field(ge=1, le=LEAN_DAYS_MAXIMUM - 1, strict=True)] = LEAN_DAYS_MAXIMUM - 2
    every_days: Annotated[int, Field(ge=1, le=7, strict=True)] = 1
    store: Store | None = None


class Typesense(_Declared):
    """Where the events were before ClickHouse, for `otel backfill`.

    Attributes:
        url: Typesense; None for TYPESENSE_URL, else http://127.0.0.1:8108.
        collection: The collection.
        api_key_file: A file with a key that may read it; None for TYPESENSE_API_KEY.
    """

    url: Annotated[str, Field(min_length=1)] | None = None
    collection: Annotated[str, Field(min_length=1)] = "otel_events"
    api_key_file: Location | None = None


class Otel(_Declared):
    """The OTEL events.

    Attributes:
        url: ClickHouse's HTTP interface; None for CLICKHOUSE_URL, else http://127.0.0.1:8123.
        database: The database; None for CLICKHOUSE_DATABASE, else joelclaw.
        table: The table; None for CLICKHOUSE_OTEL_TABLE, else otel_events.
        user: The user; None for CLICKHOUSE_USER, else default.
        password_file: A file with the password; None for CLICKHOUSE_PASSWORD.
        outbox: The folder of events that have not reached ClickHouse.
        slice_rows: Rows of a part at most.
        alarm_after_days: Age in days of a day that is not stored at which `gaps` says that the TTL is near.
        every_days: How often it is exported; it is late after two such periods.
        typesense: Where the events were before ClickHouse.
        store: Where the store is, if other workloads of this machine have another key.
    """

    url: Annotated[str, Field(min_length=1)] | None = None
    database: Annotated[str, Field(min_length=1)] | None = None
    table: Annotated[str, Field(min_length=1)] | None = None
    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Location | None = None
    outbox: Location = "~/.joelclaw/spool/otel"
    slice_rows: Annotated[int, Field(ge=1, le=SLICE_ROWS_MAXIMUM, strict=True)] = 1_000_000
    alarm_after_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 150
    every_days: Annotated[int, Field(ge=1, le=7, strict=True)] = 1
    typesense: Typesense = Typesense()
    store: Store | None = None


class Discovery(_Declared):
    """The discoveries: pages and repositories that are archived before a note is made of them.

    Attributes:
        max_bytes: Bytes of a page at most, as they come and decoded.
        max_seconds: Seconds that a page may take, and as many that the making of its text may.
        clone: The hosts of which a repository is cloned; of others, the page is fetched.
        clone_max_bytes: Bytes of a repository with its history at most.
        clone_max_seconds: Seconds that a repository may take.
        store: Where the store is, if other workloads of this machine have another key.
    """

    max_bytes: Annotated[int, Field(ge=1, le=10**9, strict=True)] = 50_000_000
    max_seconds: Annotated[int, Field(ge=1, le=600, strict=True)] = 30
    clone: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?$")], ...] = ("github.com",)
    clone_max_bytes: Annotated[int, Field(ge=1, le=10**10, strict=True)] = 500_000_000
    clone_max_seconds: Annotated[int, Field(ge=1, le=3600, strict=True)] = 300
    store: Store | None = None


class Documents(_Declared):
    """How documents are stored.

    Attributes:
        store: Where the store is, if it is not that of all workloads: its key is that of `worker`.
    """

    store: Store | None = None


class Media(_Declared):
    """How files of chats and downloads are stored.

    Attributes:
        store: Where the store is, if it is not that of all workloads: its key is that of `worker`.
    """

    store: Store | None = None


class Events(_Declared):
    """Where the files are that events name by a path.

    Attributes:
        mounts: Where this machine mounts each folder that the NAS exports, by the NAS's own names.
        folders: Folders of this machine below which an event may name a file, besides the mounts.
        store: Where the store is, if it is not that of all workloads: its key is that of `worker`.
    """

    mounts: dict[Exported, Below] = Field(
        default_factory=lambda: {exported: str(mount) for exported, mount in DEFAULT_MOUNTS.items()}
    )
    folders: tuple[Below, ...] = ()
    store: Store | None = None

    def mounted(self) -> dict[str, Path]:
        """Where each folder of the NAS is mounted, with `~` resolved."""
        return {exported: Path(mount).expanduser() for exported, mount in self.mounts.items()}


class Window(_Declared):
    """A time in which each run of a workload also writes to the NAS; `window end` ends it.

    Attributes:
        nas: The folder on the NAS. It is never made, and counts as the NAS only with the file `.object-store-window`.
        since: When it began: a window that ended later than that is over.
        reason: Why.
    """

    nas: Location
    since: Time
    reason: Text


class Windows(_Declared):
    """The window of each workload; without one, the store alone is written to.

    Attributes:
        sessions: That of the session transcripts.
        vault: That of the vault.
        otel: That of the OTEL events.
    """

    sessions: Window | None = None
    vault: Window | None = None
    otel: Window | None = None


class Scrub(_Declared):
    """How stored packs are read back in turn, the one whose last proof is the oldest first.

    Attributes:
        bytes_a_day: How many bytes; a pack that is larger is read alone.
        every_days: How often `scrub` runs; it is late after two such periods.
    """

    bytes_a_day: Annotated[int, Field(ge=1, strict=True)] = 10**9
    every_days: Annotated[int, Field(ge=1, le=30, strict=True)] = 1


class Workloads(_Declared):
    """The content of `workloads.yaml`.

    Attributes:
        version: Of this form.
        machine: The machine's name in keys; None for the one that was fixed at its first use.
        state: The folder of what this machine knows about its archives; it can be made again from the store.
        receipts: The folder of the receipts.
        store: Where the store is.
        encryption: To whom what is stored is encrypted; without it, or with `none`, it is stored in clear. `none` says
            that it is meant, on a machine whose archive is encrypted.
        sessions: The session transcripts.
        vault: The vault of notes.
        otel: The OTEL events.
        discovery: The discoveries.
        media: Files of chats and downloads.
        documents: The documents.
        events: The files that events name by a path.
        window: In which each run also writes to the NAS.
        scrub: How stored packs are read back.
        retired: Machines that no longer run, and that no check misses.
    """

    version: Literal[1] = 1
    machine: Name | None = None
    state: Location = "~/.local/state/object-store"
    receipts: Location = "~/.local/state/object-store/receipts"
    store: Store = Store()
    encryption: Encryption | Literal["none"] | None = None
    sessions: Sessions = Sessions()
    vault: Vault = Vault()
    otel: Otel = Otel()
    discovery: Discovery = Discovery()
    media: Media = Media()
    documents: Documents = Documents()
    events: Events = Events()
    window: Windows = Windows()
    scrub: Scrub = Scrub()
    retired: tuple[Name, ...] = ()

    def store_of(self, workload: str) -> Store:
        """Where the store of a workload is."""
        stores = {
            "sessions": self.sessions.store,
            "vault": self.vault.store,
            "otel": self.otel.store,
            "discovery": self.discovery.store,
            "media": self.media.store,
            "documents": self.documents.store,
            "events": self.events.store,
        }
        return stores[workload] or self.store


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Workloads.model_json_schema()}


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Workloads, str]:
    """Read the configuration, and the name of its source for messages.

    Raises:
        InvalidInputError: It breaks a rule; the error names every problem.
    """
    if path is None and environ.get(VARIABLE):
        path = Path(environ[VARIABLE])
    if path is None:
        default = DEFAULT_FILE.expanduser()
        if not default.exists():
            return Workloads(), str(DEFAULT_FILE)
        path = default
    where = str(path)
    return parse(read_yaml_file(path, where), where), where


def parse(content: object, where: str) -> Workloads:
    """Check the content of a configuration file.

    Raises:
        InvalidInputError: It breaks a rule; the error names every problem.
    """
    if content is None:
        return Workloads()
    if not isinstance(content, Mapping):
        legal = ", ".join(Workloads.model_fields)
        raise InvalidInputError([Problem(where, "is not a mapping", f"the keys {legal}", "sessions: {}")])
    try:
        settings = Workloads.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError([_mistake(one, where) for one in error.errors() if _NONE not in one["loc"]]) from None
    _check(settings, where)
    return settings


def _check(settings: Workloads, where: str) -> None:
    problems = []
    for key, store in (
        ("store", settings.store),
        ("sessions.store", settings.sessions.store or Store()),
        ("vault.store", settings.vault.store or Store()),
        ("otel.store", settings.otel.store or Store()),
        ("discovery.store", settings.discovery.store or Store()),
        ("documents.store", settings.documents.store or Store()),
        ("events.store", settings.events.store or Store()),
    ):
        if (store.deployment is None) != (store.credentials is None):
            problems.append(
                Problem(
                    key_path(where, key),
                    "has one of deployment and credentials without the other",
                    "both, or variables",
                    "store: {deployment: FILE, credentials: FILE}",
                )
            )
        if store.deployment is not None and store.variables is not None:
            problems.append(Problem(key_path(where, key), "has two places", "one of them", "store: {variables: FILE}"))
    prune = settings.sessions.prune
    known = tuple(settings.sessions.roots())
    problems += [
        Problem(
            key_path(where, "sessions.prune.sources"),
            f"unknown source {name!r}",
            ", ".join(known) or "none: every source is off",
            f"sources: [{nearest(name, known) if known else ''}]",
        )
        for name in (prune.sources if prune else ())
        if name not in known
    ]
    if not known:
        problems.append(
            Problem(
                key_path(where, "sessions.sources"),
                "every source is off",
                "one source",
                "claude-projects: ~/.claude/projects",
            )
        )
    problems += overlaps(settings.sessions.roots(), key_path(where, "sessions.sources"))
    problems += _nas_overlaps(settings, where)
    problems += _own_overlaps(settings, where)
    if problems:
        raise InvalidInputError(problems)


def overlaps(roots: Mapping[str, Path], where: str) -> list[Problem]:
    """One problem for each two sources of which one is in the other, links resolved."""
    real = {name: Path(os.path.realpath(path)) for name, path in roots.items()}
    names = list(real)
    return [
        Problem(
            f"{where}.{two}",
            f"overlaps with {one}: {real[two]} and {real[one]}",
            "folders of which none is in another",
            f"{two}: null",
        )
        for index, one in enumerate(names)
        for two in names[index + 1 :]
        if real[one].is_relative_to(real[two]) or real[two].is_relative_to(real[one])
    ]


def _archived(settings: Workloads) -> dict[str, Path]:
    """What is archived, by its key."""
    places = {f"sessions.sources.{name}": path for name, path in settings.sessions.roots().items()}
    return places | {"vault.path": Path(settings.vault.path).expanduser()}


def _own_overlaps(settings: Workloads, where: str) -> list[Problem]:
    """One problem for each folder of ours that is in what is archived: a run would change what it reads."""
    own = Workloads()
    return [
        Problem(key_path(where, key), f"{given} is in {name}, {path}", "a folder outside of it", f"{key}: {default}")
        for key, given, default in (
            ("state", settings.state, own.state),
            ("receipts", settings.receipts, own.receipts),
        )
        for name, path in _archived(settings).items()
        if Path(given).expanduser().is_relative_to(path)
    ]


def _nas_overlaps(settings: Workloads, where: str) -> list[Problem]:
    """One problem for each folder of the NAS that is in another one, or in what is archived.

    By the names alone: to look at a mount may take for ever.
    """
    places = _archived(settings)
    problems = []
    for name, window in settings.window:
        if window is None:
            continue
        nas = Path(window.nas).expanduser()
        problems += [
            Problem(
                key_path(where, f"window.{name}.nas"),
                f"overlaps with {other}: {nas} and {path}",
                "a folder of its own",
                f"nas: {nas.parent / f'object-store-{name}'}",
            )
            for other, path in places.items()
            if nas.is_relative_to(path) or path.is_relative_to(nas)
        ]
        places[f"window.{name}.nas"] = nas
    return problems


def _mistake(detail: ErrorDetails, where: str) -> Problem:
    """One of pydantic's errors as place, mistake, legal values and line."""
    path = [part for part in detail["loc"] if part not in ("[key]", Encryption.__name__)]
    key = str(path[-1])
    place = key_path(where, ".".join(map(str, path)))
    if detail["type"] == "extra_forbidden":
        legal = tuple(_model_at(path[:-1]).model_fields)
        return Problem(place, f"unknown key {key!r}", ", ".join(legal), f"{nearest(key, legal)}: …")
    if detail["type"] == "missing":
        return Problem(place, "is missing", "a value", f"{key}: …")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "model_type":
        none = "none, or " if path == ["encryption"] else ""
        message = f"{none}the keys {', '.join(_model_at(path).model_fields)}"
    # A secret key that was written among the public ones must not be shown.
    hidden = isinstance(detail["input"], Mapping) or path[0] == "encryption"
    shown = "the entry" if hidden else repr(detail["input"])
    return Problem(place, f"{shown} is not allowed here", message[0].lower() + message[1:], f"{key}: (a legal value)")


def _model_at(path: list[Any]) -> type[BaseModel]:
    """The model whose keys are below a path."""
    models: dict[tuple[str, ...], type[BaseModel]] = {
        ("store",): Store,
        ("encryption",): Encryption,
        ("sessions",): Sessions,
        ("vault",): Vault,
        ("scrub",): Scrub,
        ("sessions", "prune"): Prune,
        ("sessions", "store"): Store,
        ("vault", "store"): Store,
        ("otel",): Otel,
        ("otel", "store"): Store,
        ("otel", "typesense"): Typesense,
        ("discovery",): Discovery,
        ("discovery", "store"): Store,
        ("documents",): Documents,
        ("documents", "store"): Store,
        ("events",): Events,
        ("events", "store"): Store,
        ("window",): Windows,
        ("window", "sessions"): Window,
        ("window", "vault"): Window,
        ("window", "otel"): Window,
    }
    return models.get(tuple(map(str, path)), Workloads)
