"""Brings entries back: into an empty folder, whole, or not at all.

The rule: everything is written beside the folder and takes its place by one rename, so a failure leaves it empty. Links
are made last, so nothing is written through one. Each frame and each whole file is compared with its SHA-256.
"""

import hashlib
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from object_store import AccessDenied, NotFound, ObjectStore, RequestRefused, StaleReference
from workloads.archive.commit import Stored
from workloads.archive.disk import on_disk
from workloads.archive.entry import Entry, Segment, parents_of, shown
from workloads.archive.pack import BLOCK, DamagedError, FrameReader, unpacked
from workloads.archive.proven import as_cold
from workloads.archive.sealing import NO_KEYS, Keys

_GAP_BYTES: Final = 64 * 1024
"""Bytes between two frames that are read along, rather than asked for again."""

PREFIX: Final = 40
"""Letters of a folder's name in that of what is made beside it: a name has a limit."""


class RestoreError(Exception):
    """Nothing was restored; the message says why."""


@dataclass(frozen=True)
class Restored:
    """What a restore brought back.

    Attributes:
        files: How many files.
        folders: How many folders.
        links: How many links.
        size: Bytes of content.
    """

    files: int = 0
    folders: int = 0
    links: int = 0
    size: int = 0


@dataclass(slots=True)
class _Wanted:
    """A segment and the file that it goes to."""

    part: Segment
    to: list[bytes] = field(default_factory=list)


def restore(
    store: ObjectStore,
    bucket: str,
    entries: Mapping[bytes, Entry],
    packs: Callable[[str], Stored | None],
    folder: Path,
    *,
    keys: Keys = NO_KEYS,
    progress: Callable[[int], None] = lambda _: None,
    later: bytes = b"",
) -> Restored:
    """Write entries to a folder.

    Args:
        store: The store.
        bucket: The bucket's name.
        entries: By their path in the folder.
        packs: The pack of a key.
        folder: An empty folder, or one that does not exist.
        keys: What opens encrypted packs.
        progress: Called with bytes that were written since the last call.
        later: What the caller then makes in the folder: no entry may be that on its disk.

    Raises:
        RestoreError: The folder is not empty, names would collide in it, or a pack is gone.
        ClosedError: A pack is encrypted to other keys.
        ColdError: A pack is in an archive class.
        DamagedError: A pack is not what was committed.
        ObjectStoreError: The store is away, or denies it.
        OSError: The folder cannot be written.
    """
    _check_empty(folder)
    for key in sorted({key for entry in entries.values() for key in entry.packs}):
        keys.check(key, _pack(packs, key).recipients)
    folder = Path(os.path.abspath(folder))
    with on_disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:PREFIX]}.", dir=folder.parent))
    try:
        with on_disk(folder):
            _check_names(entries, beside, later)
            done = _write(store, bucket, entries, packs, beside, keys, progress)
        if folder.exists():
            folder.rmdir()
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o777 & ~mask)
        beside.rename(folder)
    except BaseException:
        remove_folder(beside)
        raise
    return done


def content(
    store: ObjectStore, bucket: str, entry: Entry, packs: Callable[[str], Stored | None], keys: Keys = NO_KEYS
) -> Iterator[bytes]:
    """Yield one file's content by ranges.

    Raises:
        RestoreError: A pack is gone.
        ClosedError: A pack is encrypted to other keys.
        ColdError: A pack is in an archive class.
        DamagedError: It is not what was archived.
        ObjectStoreError: The store is away, or denies it.
    """
    digest = hashlib.sha256()
    for part in entry.segments:
        reader = FrameReader(part.head, part.size, part.sha256, part.length)
        pack = _pack(packs, part.pack)
        with _named(pack):
            for block in keys.opened(_range(store, bucket, pack, part.at, part.at + part.length), pack):
                for piece in reader.feed(block):
                    digest.update(piece)
                    yield piece
            reader.end()
    if digest.hexdigest() != entry.sha256:
        raise DamagedError(f"{shown(entry.path)} has SHA-256 {digest.hexdigest()}, archived was {entry.sha256}")


def _pack(packs: Callable[[str], Stored | None], key: str) -> Stored:
    pack = packs(key)
    if pack is None:
        raise RestoreError(f"no commit names the pack {key}")
    return pack


@contextmanager
def _named(pack: Stored) -> Iterator[None]:
    """Say in which pack a frame is damaged."""
    try:
        yield
    except DamagedError as fault:
        text = str(fault)
        raise DamagedError(text if pack.key in text else f"{pack.key}: {text}") from None


def _range(store: ObjectStore, bucket: str, pack: Stored, start: int, end: int) -> Iterator[bytes]:
    try:
        yield from store.read_range(bucket, pack.key, start, end, etag=pack.etag)
    except NotFound:
        raise RestoreError(f"the pack {pack.key} is gone: it has expired, or was deleted") from None
    except StaleReference:
        raise DamagedError(
            f"{pack.key} was replaced: it has no longer etag {pack.etag}; committed was SHA-256 {pack.sha256}"
        ) from None
    except (AccessDenied, RequestRefused) as refusal:
        raise as_cold(refusal, bucket, pack.key) or refusal from None


def _check_empty(folder: Path) -> None:
    try:
        if folder.is_symlink():
            raise RestoreError(f"{folder} is a link; legal: a folder that is empty or does not exist")
        if any(folder.iterdir()):
            raise RestoreError(f"{folder} is not empty; legal: a folder that is empty or does not exist")
        if folder.samefile(os.curdir) or folder.is_mount():  # it is replaced by the restored one
            raise RestoreError(
                f"{folder} is the working folder, or a mount; legal: a folder that is empty or does not exist\n"
                f"  write: --to {folder / 'restored'}"
            )
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise RestoreError(f"{folder} is not a folder; legal: a folder that is empty or does not exist") from None


def _check_names(entries: Mapping[bytes, Entry], beside: Path, later: bytes) -> None:
    """Name what would be one file on a disk that does not tell cases, or forms of letters, apart."""
    folds_case, folds_form = _is_same(beside, b"a", b"A"), _is_same(beside, b"\xc3\xa9", b"e\xcc\x81")
    if not folds_case and not folds_form:
        return
    met: dict[str, bytes] = {later.decode(): later}
    for path in dict.fromkeys(each for entry in entries for each in (entry, *parents_of(entry))):
        name = path.decode("utf-8", "surrogateescape")
        name = unicodedata.normalize("NFC", name) if folds_form else name
        name = name.casefold() if folds_case else name
        if name in met:
            if met[name] == later:
                raise RestoreError(
                    f"{shown(path)} is {shown(later)} on this disk, which tells no upper case from lower: restore to "
                    "another disk, or only some by their names"
                )
            raise RestoreError(
                f"{shown(met[name])} and {shown(path)} are one name on this disk; restore them one by one"
            )
        met[name] = path


def _is_same(folder: Path, one: bytes, two: bytes) -> bool:
    # By bytes, which do not depend on the locale.
    base = os.fsencode(folder)
    os.mkdir(os.path.join(base, one))
    same = os.path.lexists(os.path.join(base, two))
    os.rmdir(os.path.join(base, one))
    return same


def _write(
    store: ObjectStore,
    bucket: str,
    entries: Mapping[bytes, Entry],
    packs: Callable[[str], Stored | None],
    beside: Path,
    keys: Keys,
    progress: Callable[[int], None],
) -> Restored:
    base = os.fsencode(beside)
    linked = _hard_links(entries)
    files = {path: entry for path, entry in entries.items() if entry.kind == "file" and path not in linked}
    _make_folders(base, entries)
    for path in files:
        with open(os.path.join(base, path), "xb"):
            pass
    for key, wanted in _by_pack(entries, linked).items():
        _unpack(store, bucket, _pack(packs, key), wanted, base, keys, progress)
    for path, entry in files.items():
        _check_file(os.path.join(base, path), entry)
        _dress(os.path.join(base, path), entry)
    for path, first in linked.items():
        os.link(os.path.join(base, first), os.path.join(base, path))
    for path, entry in entries.items():
        if entry.kind == "link":
            os.symlink(entry.target, os.path.join(base, path))
            os.utime(os.path.join(base, path), ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
    for path, entry in sorted(entries.items(), reverse=True):
        if entry.kind == "folder":
            _dress(os.path.join(base, path), entry)
    kinds = [entry.kind for entry in entries.values()]
    size = sum(entry.size for entry in entries.values())
    return Restored(kinds.count("file"), kinds.count("folder"), kinds.count("link"), size)


def _make_folders(base: bytes, entries: Mapping[bytes, Entry]) -> None:
    """Make every folder, also one that only a file's path names."""
    folders = {path for path, entry in entries.items() if entry.kind == "folder"}
    folders.update(parent for path in entries for parent in parents_of(path))
    for folder in sorted(folders):
        os.mkdir(os.path.join(base, folder), 0o700)


def _dress(path: bytes, entry: Entry) -> None:
    """Give a file or a folder its permissions and its time."""
    os.chmod(path, entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def _hard_links(entries: Mapping[bytes, Entry]) -> dict[bytes, bytes]:
    """The paths that are another name of a file that is restored, too, with the path of that one."""
    linked = {}
    for path, entry in entries.items():
        if entry.same_as:
            first = path[: len(path) - len(entry.path)] + entry.same_as
            other = entries.get(first)
            if other is not None and first != path and not other.same_as and other.same_content(entry):
                linked[path] = first
    return linked


def _by_pack(entries: Mapping[bytes, Entry], linked: Mapping[bytes, bytes]) -> dict[str, list[_Wanted]]:
    """The segments to read from each pack, in the order of their offsets."""
    wanted: dict[str, dict[int, _Wanted]] = {}
    for path, entry in entries.items():
        if path not in linked:
            for part in entry.segments:
                wanted.setdefault(part.pack, {}).setdefault(part.at, _Wanted(part)).to.append(path)
    return {key: [found[at] for at in sorted(found)] for key, found in sorted(wanted.items())}


def _unpack(
    store: ObjectStore,
    bucket: str,
    pack: Stored,
    wanted: list[_Wanted],
    base: bytes,
    keys: Keys,
    progress: Callable[[int], None],
) -> None:
    def opened(blocks: Iterable[bytes]) -> Iterator[bytes]:
        return keys.opened(blocks, pack)

    for run in _runs(wanted):
        start, end = run[0].part.at, run[-1].part.at + run[-1].part.length
        blocks = _range(store, bucket, pack, start, end)
        with _named(pack):
            unpacked(_without_gaps(blocks, run), (_frame(one, base, progress) for one in run), opened)


def _frame(
    one: _Wanted, base: bytes, progress: Callable[[int], None]
) -> tuple[int, FrameReader, Callable[[bytes], None]]:
    part, at = one.part, one.part.start

    def take(piece: bytes) -> None:
        nonlocal at
        for path in one.to:
            descriptor = os.open(os.path.join(base, path), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                rest, offset = memoryview(piece), at
                while rest:
                    written = os.pwrite(descriptor, rest, offset)
                    offset, rest = offset + written, rest[written:]
            finally:
                os.close(descriptor)
        at += len(piece)
        progress(len(piece))

    return part.length, FrameReader(part.head, part.size, part.sha256, part.length), take


def _runs(wanted: list[_Wanted]) -> Iterator[list[_Wanted]]:
    """Neighbours together, so that a whole pack is one request."""
    run: list[_Wanted] = []
    for one in wanted:
        if run and one.part.at - (run[-1].part.at + run[-1].part.length) > _GAP_BYTES:
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _without_gaps(blocks: Iterable[bytes], run: list[_Wanted]) -> Iterator[bytes]:
    """The bytes of the frames alone; what lies between them is read and dropped."""
    spans = iter([(one.part.at, one.part.at + one.part.length) for one in run])
    at = run[0].part.at
    start, end = next(spans)
    for block in blocks:
        rest = block
        while rest:
            if at < start:
                rest, at = rest[min(len(rest), start - at) :], at + min(len(rest), start - at)
                continue
            piece, rest = rest[: end - at], rest[end - at :]
            at += len(piece)
            if piece:
                yield piece
            if at == end:
                start, end = next(spans, (2**63, 2**63))


def _check_file(path: bytes, entry: Entry) -> None:
    if len(entry.segments) == 1 and entry.segments[0].sha256 == entry.sha256:
        return  # compared as it was written
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != entry.sha256:
        raise DamagedError(f"{shown(entry.path)} has SHA-256 {digest.hexdigest()}, archived was {entry.sha256}")


def remove_folder(folder: Path) -> None:
    """Remove what a restore wrote, also folders that were already made read-only."""
    for where, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
