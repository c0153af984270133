"""`object-store sessions restore` and `cat`: the way back.

Exit status: 0 restored; 1 nothing, or more than one, has the name, or a commit is damaged; 2 it could not be done.

The rule: without a date the state that was committed last counts, by the commits' own numbers and not by names or
clocks. What was deleted on the machine since is restored, too: this is an archive.
"""

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from workloads.archive.entry import Entry, is_inside, shown
from workloads.archive.history import Followed, machines
from workloads.archive.restore import RestoreError, content, restore
from workloads.archive.state import Generation
from workloads.context import SESSIONS, Context, Options, Told, ended, opened, time_of
from workloads.table import megabytes, print_table

_NAMED: Final = 5


@dataclass(frozen=True)
class RestoreOptions(Options):
    """The options of `restore` and `cat`.

    Attributes:
        names: Parts of the names to restore, such as a session's id; empty for all.
        to: The empty folder.
        at: The state at this time; empty for the last one.
        show: List the stored states, and restore nothing.
        without_closed: Leave out what is encrypted to other keys.
        without_gone: Leave out what the store no longer has.
    """

    names: Sequence[str] = ()
    to: Path | None = None
    at: str = ""
    show: bool = False
    without_closed: bool = False
    without_gone: bool = False


def run_restore(options: RestoreOptions) -> ExitCode:
    """Restore to a folder, or list what could be."""
    try:
        at = time_of(options.at)
        if options.to is None and not options.show:
            raise InvalidInputError([Problem("--to", "is missing", "an empty folder", "--to FOLDER")])
        with opened(options, SESSIONS) as context:
            machine, of_store = _followed(context, options)
            found = (one for one in context.state.generations(machine, at=at) if _is_wanted(one, options))
            if options.show:
                return max(_list(list(found)), _status(of_store))
            newest, closed = _opened(context, options, _newest(found))
            newest, gone = _kept(options, newest, of_store.there)
            if not newest:
                return _nothing(options, of_store)
            assert options.to is not None  # noqa: S101 - checked above, for the type
            with context.doing("restoring") as tell:
                done = restore(
                    context.store,
                    context.bucket,
                    newest,
                    context.state.pack,
                    options.to,
                    keys=context.keys,
                    progress=tell,
                )
    except Told as error:
        return ended(error)
    if not options.quiet:
        what = f"{done.files} files ({megabytes(done.size)}), {done.folders} folders, {done.links} links"
        text = f"restored {what} to {options.to}"
        Console().print(printable(text), markup=False, highlight=False, soft_wrap=True)
    if closed:
        sys.stderr.write(f"left out, because no identity opens them: {closed}\n")
    if gone:
        sys.stderr.write(f"left out, because the store has deleted a part: {printable(gone)}\n")
    return ExitCode.WRONG if closed or gone else _status(of_store)


def run_cat(options: RestoreOptions) -> ExitCode:
    """Write one session to standard output."""
    try:
        at = time_of(options.at)
        with opened(options, SESSIONS) as context:
            machine, of_store = _followed(context, options)
            found = (one for one in context.state.generations(machine, at=at) if _is_wanted(one, options))
            files = {path: entry for path, entry in _newest(found).items() if entry.kind == "file"}
            exact = {path: entry for path, entry in files.items() if _stem(path) in options.names}
            files = exact or files
            if len(files) != 1:
                if not files:
                    return _nothing(options, of_store)
                sys.stderr.write(
                    "several files have that name:\n" + "".join(f"  {shown(path)}\n" for path in sorted(files))
                )
                return ExitCode.WRONG
            (entry,) = files.values()
            for block in content(context.store, context.bucket, entry, context.state.pack, context.keys):
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
    except Told as error:
        return ended(error)
    return _status(of_store)


def _followed(context: Context, options: RestoreOptions) -> tuple[str, Followed]:
    """Bring the state up to the store, for the machine that was asked for; its name, and what the store has of it."""
    machine = options.machine or context.machine
    if machine != context.machine:
        known = sorted(machines(context.store, context.bucket))
        if machine not in known:
            raise InvalidInputError(
                [
                    Problem(
                        "--machine",
                        f"no machine {machine!r} has an archive",
                        ", ".join(known) or "none",
                        "--machine NAME",
                    )
                ]
            )
    followed = context.follow(machine)
    for wrong in followed.damaged.values():
        sys.stderr.write(f"DAMAGED {printable(wrong)}\n")
    closed = context.state.closed(machine)
    if closed and not options.without_closed:
        last, recipients = list(closed.items())[-1]
        context.keys.check(f"{last} ({len(closed)} commits are closed)", recipients)
    for run in context.state.back_in_time(machine):
        sys.stderr.write(f"the clock was set back before the run {run}: what was committed last counts, not its time\n")
    return machine, followed


def _status(of_store: Followed) -> ExitCode:
    """What only a damaged commit had is not among what was found."""
    return ExitCode.WRONG if of_store.damaged else ExitCode.DONE


def _opened(context: Context, options: RestoreOptions, newest: dict[bytes, Entry]) -> tuple[dict[bytes, Entry], str]:
    """What to restore, and what is left out because no identity opens it, as a text."""
    if not options.without_closed:
        return newest, ""
    packs = {pack: context.state.pack(pack) for entry in newest.values() for pack in entry.packs}
    closed = {key for key, pack in packs.items() if pack is not None and not context.keys.opens(pack.recipients)}
    opened = {path: entry for path, entry in newest.items() if not entry.packs & closed}
    commits = len(context.state.closed(options.machine or context.machine))
    if not commits and len(opened) == len(newest):
        return newest, ""
    return opened, f"{commits} commits, and {len(newest) - len(opened)} files of others"


def _kept(
    options: RestoreOptions, newest: dict[bytes, Entry], there: Collection[str]
) -> tuple[dict[bytes, Entry], str]:
    """What the store still has all of, and what it has not, as a text."""
    gone = {path: entry for path, entry in newest.items() if not entry.packs.issubset(there)}
    if not gone:
        return newest, ""
    named = ", ".join(shown(path) for path in list(gone)[:_NAMED])
    text = f"{len(gone)} files, such as {named}"
    if not options.without_gone:
        pack = min(pack for entry in gone.values() for pack in entry.packs if pack not in there)
        raise RestoreError(
            f"the pack {pack} is gone: it has expired, or was deleted; {text} cannot be restored\n"
            "  write: --without-gone (to restore all else)"
        )
    return {path: entry for path, entry in newest.items() if path not in gone}, text


def _is_wanted(one: Generation, options: RestoreOptions) -> bool:
    if options.sources and one.source not in options.sources:
        return False
    if not options.names:
        return True
    path = f"{one.source}/{one.entry.path.decode('utf-8', 'surrogateescape')}"
    return any(name in path for name in options.names)


def _newest(found: Iterable[Generation]) -> dict[bytes, Entry]:
    """The newest state of each path, by its path below the source's name; a folder gives way to what is in it."""
    newest: dict[bytes, Generation] = {}
    for one in found:
        path = one.source.encode() + b"/" + one.entry.path
        if path not in newest:
            newest[path] = one
    # A path that was a file or a link at one time, and a folder at another: the one that was committed last counts. In
    # one commit, of a run that was killed and went on, that is the file or link: a folder would have taken its place.
    for path, one in list(newest.items()):
        parent = path
        while b"/" in parent:
            parent = parent.rpartition(b"/")[0]
            above = newest.get(parent)
            if above is not None and above.entry.kind != "folder":
                newest.pop(path if above.sequence >= one.sequence else parent, None)
    return {path: one.entry for path, one in newest.items() if is_inside(path)}


def _stem(path: bytes) -> str:
    name = path.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
    return name.rpartition(".")[0] or name


def _list(found: Sequence[Generation]) -> ExitCode:
    """Every stored state, with size and time."""
    rows = [
        (
            one.source,
            shown(one.entry.path),
            _minute(one.entry.mtime_ns),
            str(one.entry.size),
            f"{one.run[:4]}-{one.run[4:6]}-{one.run[6:8]}T{one.run[9:11]}:{one.run[11:13]}:{one.run[13:15]}Z",
            str(len(one.entry.segments)),
            "shrank by more than half" if one.entry.hollow else "",
        )
        for one in found
        if one.entry.kind == "file"
    ]
    headings = ("source", "path", "written", "bytes", "committed", "parts", "")
    print_table(headings, rows, right=("bytes", "parts"))
    return ExitCode.DONE if found else ExitCode.WRONG


def _minute(time_ns: int) -> str:
    """A file's time; beyond the years that have four digits, as the seconds since 1970."""
    try:
        return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"@{time_ns // 10**9}"


def _nothing(options: RestoreOptions, of_store: Followed) -> ExitCode:
    what = " or ".join(map(repr, options.names)) or "anything"
    sys.stderr.write(f"no commit names {printable(what)}\n")
    return ExitCode.CANNOT if of_store.damaged else ExitCode.WRONG
