"""A receipt of one use of an event: which form led to the bytes, as a small JSON document.

The rule: there is one for each call, also for one that failed: an event with a path alone needs the path, although the
NAS was away. It is on this machine before anything is read, and in the store at the end; what the store did not get
goes there with a later call, and then leaves this machine. It holds names and times, and no path, key or content. The
store deletes it with everything else in its bucket.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.secrecy.redaction import redacted
from model.whole_file import write_whole
from object_store import AlreadyExists, ObjectStoreError
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, new_run, sha256_of
from workloads.context import EVENTS, Context, expires_after_days
from workloads.events.models import MODELS
from workloads.receipt import said

PREFIX: Final = "receipts/events/v1/"
BYTES_MAXIMUM: Final = 4096
"""Each has fewer bytes by far."""
_FOLDER: Final = "uses"
_SENT_AT_ONCE: Final = 100
_DEAD_AFTER: Final = timedelta(days=1)
"""A call that began so long ago runs no more."""
_KEY: Final = re.compile(
    rf"{PREFIX}(?P<event>[a-z0-9.-]+)/\d{{4}}/\d\d/\d\d/(?P<run>\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}})-[a-z][a-z0-9-]*\.json"
)
_FIELDS: Final = {model.NAME: frozenset(place.ref for place in model.PLACES) for model in MODELS}
_NAMED: Final = {name.replace("/", "."): name for name in _FIELDS}


Form = Literal["reference", "path", "both"]


class Use(BaseModel):
    """One use of an event.

    Attributes:
        version: Of this form.
        run: Its id: its time and random digits.
        machine: The machine's name.
        event: The event's name; of an older name, the one of today.
        field: The field of the reference.
        form: What the event had: the reference was used, except for `path`.
        status: Whether the bytes were given; `running` of a call that ended without a word.
        error: The kind of the error.
        event_id: The event's own id, by which its sender can be found; empty if it had none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    run: str = Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")
    machine: str
    event: str
    field: str
    form: Form
    status: Literal["running", "given", "failed"] = "running"
    error: str = ""
    event_id: str = ""

    @property
    def at(self) -> datetime:
        """When it began."""
        return _time_of(self.run)

    @property
    def key(self) -> str:
        """Its key in the store."""
        day = f"{self.run[:4]}/{self.run[4:6]}/{self.run[6:8]}"
        return f"{PREFIX}{self.event.replace('/', '.')}/{day}/{self.run}-{self.machine}.json"

    @property
    def file_name(self) -> str:
        """The name of the local file."""
        return f"{self.run}.json"

    def to_text(self) -> str:
        """Its JSON."""
        return redacted(self.model_dump_json(indent=1)) + "\n"

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Read it. Raise ValueError if it is none, or is of an event that has no such field."""
        use = cls.model_validate_json(text)
        if use.field not in _FIELDS.get(use.event, ()):
            raise ValueError("its event has no such field")
        _time_of(use.run)
        return use


def _time_of(run: str) -> datetime:
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def named(key: str) -> tuple[str, datetime] | None:
    """The event and the time of a receipt by its key; None if it is not the key of one."""
    found = _KEY.fullmatch(key)
    if found is None or found["event"] not in _NAMED:
        return None
    try:
        return _NAMED[found["event"]], _time_of(found["run"])
    except ValueError:
        return None


def begun(context: Context, event: str, field: str, form: Form, event_id: object) -> Use:
    """The receipt at the beginning of a call, kept on this machine. Raise OSError if that is not possible."""
    now = clock.now_utc()
    known = isinstance(event_id, str) and re.fullmatch(r"[\w.:-]{1,100}", event_id, re.ASCII)
    use = Use(
        run=new_run(now),
        machine=context.machine,
        event=event,
        field=field,
        form=form,
        event_id=str(event_id) if known else "",
    )
    _keep(context, use)
    return use


def ended(context: Context, use: Use, error: BaseException | None) -> Use:
    """The receipt at the end of a call, kept on this machine."""
    done = use.model_copy(
        update={"status": "failed" if error else "given", "error": type(error).__name__ if error else ""}
    )
    with suppress(OSError):  # the one of its beginning counts as well
        _keep(context, done)
    return done


def send(context: Context, use: Use) -> str:
    """Send a receipt, and those that earlier calls left; return why it is on this machine alone, empty if it is not."""
    kept = Path(_folder(context), use.file_name)
    try:
        _upload(context, use, kept)
    except ObjectStoreError as fault:
        return said(fault)
    with suppress(ObjectStoreError, OSError):  # a later call tries it again
        _send_left(context)
    return ""


def _send_left(context: Context) -> None:
    now = clock.now_utc()
    oldest, sent = now - timedelta(days=expires_after_days(EVENTS) or 365), 0
    for path, one in left(context):
        if isinstance(one, str) or (one.status == "running" and now - one.at < _DEAD_AFTER):
            continue
        if one.at < oldest:
            path.unlink(missing_ok=True)
            continue
        _upload(context, one, path)
        sent += 1
        if sent == _SENT_AT_ONCE:
            break


def left(context: Context) -> Iterator[tuple[Path, Use | str]]:
    """What the store did not get yet, the oldest first; of what is none, why."""
    folder = _folder(context)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):  # one that is being written
            continue
        try:
            yield path, Use.of(path.read_bytes())
        except FileNotFoundError:  # another call has just sent it
            continue
        except OSError as fault:
            yield path, f"cannot be read: {fault.strerror}"
        except ValueError as fault:
            yield path, why(fault)


def why(fault: ValueError) -> str:
    """What is wrong with a receipt; none of its values is shown."""
    if isinstance(fault, ValidationError):
        errors = fault.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in errors[:3])
    return str(fault)


def _folder(context: Context) -> Path:
    return context.state.folder / _FOLDER


def _keep(context: Context, use: Use) -> None:
    folder = _folder(context)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / use.file_name, use.to_text(), 0o600)


def _upload(context: Context, use: Use, kept: Path) -> None:
    body = use.to_text().encode()
    metadata = {SHA256_METADATA: sha256_of(body)}
    with suppress(AlreadyExists):  # the answer to an earlier try was lost
        context.store.upload(context.bucket, use.key, body, "application/json", metadata=metadata, if_absent=True)
    with suppress(OSError):  # it is sent again, and is there already
        kept.unlink(missing_ok=True)
