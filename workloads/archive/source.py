"""A stable walk of one source: what is there, in the order of the names' bytes.

The rule: nothing is left out without a word. What cannot be archived (a pipe, a socket, a device) is named; what cannot
be read makes the run incomplete. Links are not followed, except the root itself. The names of a folder, and of
those above it, are in memory at a time, and no file is opened here.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workloads.archive.entry import shown
from workloads.archive.patience import StalledError, called, patient

#: macOS: the content is in the cloud only, and reading would fetch it (sys/stat.h).
_SF_DATALESS: Final = 0x40000000
#: Older macOS has `.NAME.icloud` in place of `NAME`.
_PLACEHOLDER: Final = b".icloud"
_AHEAD: Final = 256
"""What is looked at before its turn."""
_IN_THE_CLOUD: Final = "its content is in the cloud, not on this machine"


class SourceError(Exception):
    """A source that cannot be walked at all: missing, not readable; the message names it."""


@dataclass(frozen=True)
class Found:
    """Something in a source.

    Attributes:
        path: Relative to the source.
        status: What `lstat` says of it.
    """

    path: bytes
    status: os.stat_result


@dataclass(frozen=True)
class Refused:
    """Something that is not archived.

    Attributes:
        path: Relative to the source.
        reason: Why.
        loses: Whether it may hold data, so that the run is incomplete.
    """

    path: bytes
    reason: str
    loses: bool


@dataclass(frozen=True)
class Root:
    """The folder, or the one file, of a source.

    Attributes:
        path: The real path, links resolved.
        base: The folder that the entries' paths are relative to.
        is_file: Whether the source is one file.
    """

    path: Path
    base: bytes
    is_file: bool


def opened_root(path: Path) -> Root:
    """Look at a source's root.

    Raises:
        SourceError: It is missing, is neither folder nor file, cannot be read, or its disk does not answer.
    """
    try:
        return called(lambda: _looked_at(path))
    except StalledError as fault:
        raise SourceError(f"{path}: {fault}") from None


def _looked_at(path: Path) -> Root:
    real = Path(os.path.realpath(path))
    try:
        mode = real.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(real).close()
    except OSError as fault:
        raise SourceError(f"{path}: {_said(fault)}") from None
    if stat.S_ISDIR(mode):
        return Root(real, os.fsencode(real), is_file=False)
    if stat.S_ISREG(mode):
        return Root(real, os.fsencode(real.parent), is_file=True)
    raise SourceError(f"{path} is neither a folder nor a file")


def walk(root: Root, left_out: Callable[[bytes], bool] = lambda _: False) -> Generator[Found | Refused, None, None]:
    """Yield everything below a root, a folder before what is in it; what is to be left out is named and not entered.

    Raises:
        StalledError: The disk does not answer.
    """
    return patient(_walked(root, left_out), _AHEAD)


def _walked(root: Root, left_out: Callable[[bytes], bool]) -> Iterator[Found | Refused]:
    if root.is_file:
        name = os.fsencode(root.path.name)
        try:
            yield _judged(name, os.lstat(root.path))
        except OSError as fault:
            yield Refused(name, _said(fault), loses=True)
        return
    yield from _below(root.base, left_out)


def _below(base: bytes, left_out: Callable[[bytes], bool]) -> Iterator[Found | Refused]:
    """Everything below a folder; not by recursion, because folders may lie deeper than Python's calls."""
    inside: list[Iterator[bytes]] = []  # what is left of each open folder
    path, enters = b"", True
    while enters or inside:
        if enters:
            try:
                with os.scandir(os.path.join(base, path)) as found:
                    names = sorted(one.name for one in found)
            except OSError as fault:
                yield Refused(path or b".", _said(fault), loses=True)
                names = []
            inside.append(iter([os.path.join(path, name) for name in names]))
            enters = False
        path = next(inside[-1], b"")
        if not path:
            inside.pop()
            continue
        if left_out(path):
            yield Refused(path, "it is meant to be left out", loses=False)
            continue
        try:
            status = os.lstat(os.path.join(base, path))
        except FileNotFoundError:
            continue  # it went between the listing and now, as it may
        except OSError as fault:
            yield Refused(path, _said(fault), loses=True)
            continue
        judged = _judged(path, status)
        yield judged
        enters = isinstance(judged, Found) and stat.S_ISDIR(status.st_mode)


def _judged(path: bytes, status: os.stat_result) -> Found | Refused:
    for is_kind, name in (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if is_kind(status.st_mode):
            return Refused(path, f"it is {name}", loses=False)
    if getattr(status, "st_flags", 0) & _SF_DATALESS:
        return Refused(path, _IN_THE_CLOUD, loses=True)
    folder, _, own = path.rpartition(b"/")
    if stat.S_ISREG(status.st_mode) and own.startswith(b".") and own.endswith(_PLACEHOLDER) and own != _PLACEHOLDER:
        return Refused(os.path.join(folder, own[1 : -len(_PLACEHOLDER)]), _IN_THE_CLOUD, loses=True)
    return Found(path, status)


def _said(fault: OSError) -> str:
    """What the system says; for a refusal of macOS also what to grant."""
    said = fault.strerror or str(fault)
    if fault.errno == errno.EPERM:
        return f"{said}: under macOS the program that runs this needs Full Disk Access (System Settings, Privacy)"
    return said


def told(refused: Refused) -> str:
    """A refusal as one line."""
    return f"{shown(refused.path)}: {refused.reason}"
