"""The keys of an archive: which are those of commits, and what each commit names. Pure.

The rule: a commit says where it belongs, and names only what is below its own prefix. A copy under another key is none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from model.problems import InvalidInputError
from workloads.archive.commit import COMMIT_SUFFIX, Commit, Stored, commit_of, prefix_of, sha256_of, stem_of
from workloads.context import OTEL, Work
from workloads.otel import day_commit

_TYPES: Final = {
    ".json": "application/json",
    ".git.bundle": "application/x-git-bundle",
    day_commit.PART_SUFFIX: "application/gzip",
}


@dataclass(frozen=True)
class Named:
    """What a commit says.

    Attributes:
        begun_at: When its run began.
        objects: What it names.
    """

    begun_at: datetime
    objects: Sequence[Stored]


@dataclass(frozen=True)
class Layout:
    """Where an archive is, and how its commits are read.

    Attributes:
        prefix: The beginning of all its keys.
        is_commit: Whether a key is one of a commit.
        begun_at: When the run of a commit began, as its key tells; None if it does not.
        named: What a commit names, by its bytes and its key; None if it is not the commit of that key.
        is_shared: Whether all machines commit to this one archive.
    """

    prefix: str
    is_commit: Callable[[str], bool]
    begun_at: Callable[[str], datetime | None]
    named: Callable[[bytes, str], Named | None]
    is_shared: bool


def layout_of(work: Work, machine: str) -> Layout:
    """The layout of a workload's archive on a machine."""
    if work is OTEL:
        return Layout(
            day_commit.PREFIX, lambda key: day_commit.place_of(key) is not None, lambda _: None, _of_day, is_shared=True
        )
    return Layout(
        prefix_of(machine),
        lambda key: key.endswith(COMMIT_SUFFIX),
        _begun_at,
        lambda body, key: _of_machine(body, key, machine),
        is_shared=False,
    )


def content_type(key: str) -> str:
    """The content type of an object, by its key."""
    return next((kind for end, kind in _TYPES.items() if key.endswith(end)), "application/zstd")


def _begun_at(key: str) -> datetime | None:
    try:
        return datetime.strptime(key.rpartition("/")[2][:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _of_machine(body: bytes, key: str, machine: str) -> Named | None:
    try:
        commit = commit_of(body, key)
    except InvalidInputError:
        return None
    if commit.machine != machine or key != f"{stem_of(machine, commit.source, commit.run)}{COMMIT_SUFFIX}":
        return None
    return _below(prefix_of(machine), Named(commit.started_at, list(_objects(commit))))


def _objects(commit: Commit) -> Iterable[Stored]:
    yield from commit.packs
    yield commit.manifest
    if commit.history is not None and commit.history.bundle is not None:
        yield commit.history.bundle


def _of_day(body: bytes, key: str) -> Named | None:
    try:
        commit = day_commit.read(body, key, sha256_of(body))
    except InvalidInputError:
        return None
    parts = [] if commit.part is None else [commit.part.stored]
    return _below(day_commit.day_prefix(commit.day), Named(commit.started_at, parts))


def _below(prefix: str, named: Named) -> Named | None:
    return named if all(one.key.startswith(prefix) for one in named.objects) else None
