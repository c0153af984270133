"""Whether a workload's window is open: what the configuration says, and what `window end` recorded.

The rule: a window that began after the last end is open, so a rollback is a line of configuration. An end is an object
beside the receipts, put once, and all machines see it. Each keeps a copy beside its own receipts, because the store
deletes the object in its time.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from model.whole_file import write_whole
from workloads.archive.commit import sha256_of
from workloads.archive.pack import DamagedError
from workloads.archive.proven import put_proven
from workloads.context import Context
from workloads.settings import Window, time_of

PREFIX: Final = "receipts/window/v1/"
_FOLDER: Final = "window"


class Ended(BaseModel):
    """The end of a window: from then on the store alone is written to.

    Attributes:
        version: Of this form.
        workload: Such as `sessions`.
        state: The side that is left.
        run: Its id: the time and random digits.
        ended_at: When.
        reason: Why.
        machine: Where it was ended.
        nas: The folder on the NAS; empty if the archive is encrypted.
        since: When the window began, as it was configured.
        since_reason: Why it was begun.
        green_days: For each machine, the days in a row on which both sides were equal.
        objects: How many objects both sides held.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    workload: str
    state: Literal["s3"] = "s3"
    run: str
    ended_at: AwareDatetime
    reason: str
    machine: str
    nas: str
    since: str
    since_reason: str
    green_days: dict[str, int]
    objects: int

    @property
    def key(self) -> str:
        """Its key in the store; the time is in it."""
        return f"{PREFIX}{self.workload}/{self.run}.json"

    def to_text(self) -> str:
        """Its JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def window_of(context: Context) -> Window | None:
    """The window that the configuration has for the workload."""
    found: Window | None = getattr(context.settings.window, context.work.name)
    return found


def last_end(context: Context) -> Ended | None:
    """The last end of the workload's window.

    Raises:
        DamagedError: An object in its place is none.
        ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
        OSError: No copy can be kept.
    """
    folder = context.receipts / _FOLDER
    ends = {one.run: one for one in _kept(folder) if one.workload == context.work.name}
    for ref in context.store.list(context.bucket, f"{PREFIX}{context.work.name}/"):
        name = ref.key.rpartition("/")[2]
        if not name or name.removesuffix(".json") in ends:  # the first is the mark of a folder
            continue
        try:
            one = Ended.model_validate_json(context.store.download(context.bucket, ref.key, etag=ref.etag))
        except ValidationError:
            raise DamagedError(f"{ref.key} is not the end of a window") from None
        if one.key != ref.key:
            raise DamagedError(f"{ref.key} is a copy of {one.key}")
        _keep(one, folder)
        ends[one.run] = one
    return max(ends.values(), key=lambda one: one.ended_at, default=None)


def open_window(context: Context) -> Window | None:
    """The window, if it is open. Raise what `last_end` raises."""
    window = window_of(context)
    if window is None:
        return None
    end = last_end(context)
    return window if end is None or end.ended_at < time_of(window.since) else None


def record_end(context: Context, end: Ended) -> None:
    """Put the end of a window, read it back, and keep a copy.

    Raises:
        DamagedError: It does not come back.
        ObjectStoreError: The store is away, or denies it.
        OSError: No copy can be kept.
    """
    body = end.to_text().encode()
    put_proven(context.store, context.bucket, lambda _: end.key, body, sha256_of(body), content_type="application/json")
    _keep(end, context.receipts / _FOLDER)


def _kept(folder: Path) -> list[Ended]:
    found = []
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            with suppress(OSError, ValidationError):  # the store has it
                found.append(Ended.model_validate_json(path.read_bytes()))
    return found


def _keep(end: Ended, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / f"{end.workload}-{end.run}.json", end.to_text(), 0o600)
