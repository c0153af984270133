"""What a machine knows about its archives, in one SQLite file: the commits' entries, and what it saw on its own disk.

The rule: the store's commits are the truth. Everything but `local` and the unfinished runs can be made again from them,
and a file that is damaged is put aside and made again. One program at a time has it: the folder is locked, so there is
no lock file that can be removed.
"""

import errno
import fcntl
import json
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from workloads.archive import clock
from workloads.archive.commit import Commit, Stored
from workloads.archive.disk import on_disk
from workloads.archive.entry import Entry, entry_of, line_of, packs_of

_FORM: Final = 2
_DAMAGED: Final = ".damaged"
_AGAIN_SECONDS: Final = 1.0
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS commits (
  key TEXT PRIMARY KEY, machine TEXT, source TEXT, run TEXT, sequence INTEGER, started REAL, installation TEXT,
  recipients TEXT, closed INTEGER);
CREATE TABLE IF NOT EXISTS packs (
  key TEXT PRIMARY KEY, etag TEXT, size INTEGER, sha256 TEXT, stored REAL, proven REAL, machine TEXT, source TEXT,
  recipients TEXT);
CREATE TABLE IF NOT EXISTS entries (
  machine TEXT, source TEXT, path BLOB, sequence INTEGER, run TEXT, stored REAL, line TEXT,
  PRIMARY KEY (machine, source, path, sequence, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS local (
  source TEXT, path BLOB, inode INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, archived INTEGER,
  seen REAL, gone TEXT, PRIMARY KEY (source, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (source TEXT PRIMARY KEY, run TEXT, started REAL);
CREATE TABLE IF NOT EXISTS staged_packs (source TEXT, key TEXT, number INTEGER, body TEXT, PRIMARY KEY (source, key));
CREATE TABLE IF NOT EXISTS staged (
  source TEXT, path BLOB, line TEXT, change TEXT, PRIMARY KEY (source, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
  key TEXT PRIMARY KEY, machine TEXT, wrong TEXT, needed TEXT, told INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (
  source TEXT, sha256 TEXT, stored REAL, line TEXT, PRIMARY KEY (source, sha256)) WITHOUT ROWID;
"""


class BusyError(Exception):
    """Another run has the state; the message names it."""


@dataclass(frozen=True)
class Known:
    """An entry as it is archived, or staged in the unfinished run.

    Attributes:
        entry: The entry.
        stored: When its oldest pack was stored, or else its commit, in seconds since 1970.
        run: The run that committed it; empty for the unfinished one.
        staged: Whether it belongs to the unfinished run.
    """

    entry: Entry
    stored: float
    run: str = ""
    staged: bool = False


@dataclass(frozen=True)
class Local:
    """A file as it was when it was last archived.

    Attributes:
        inode: Of the file; -1 if it may have changed within the clock's tick, so that it is read again.
        size: Its bytes then.
        mtime_ns: Its time then.
        ctime_ns: Its change time then.
        archived: The bytes of it that are archived.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    archived: int


def signature_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Inode, size, time and change time of a file, as SQLite can hold them: inodes of 64 bits, years after 2262."""
    ends = 2**63
    inode = (status.st_ino + ends) % (2 * ends) - ends
    return inode, status.st_size, _held(status.st_mtime_ns), _held(status.st_ctime_ns)


def _held(number: int) -> int:
    return max(-(2**63), min(2**63 - 1, number))


@dataclass(frozen=True, slots=True)
class Generation:
    """One stored state of a path.

    Attributes:
        source: The source.
        entry: The entry.
        run: The run that committed it.
        stored: When, in seconds since 1970.
        sequence: Of the commit.
    """

    source: str
    entry: Entry
    run: str
    stored: float
    sequence: int


class State:
    """The state of one machine in one bucket; a context manager that locks it."""

    def __init__(self, folder: Path, wait_seconds: float = 0) -> None:
        """Name the folder, which is made when the state is opened, and how long to wait for another run."""
        self.folder = folder
        self._wait_seconds = wait_seconds
        self.work = folder / "work"
        self._lock = -1
        self._is_damaged = False
        self._base: sqlite3.Connection

    def __enter__(self) -> Self:
        """Lock the folder and open the file.

        Raises:
            BusyError: Another run has it.
            OSError: The folder cannot be made or written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._take()
        except BlockingIOError:
            os.close(self._lock)
            raise BusyError(f"another run has {self.folder}: {self._holder()}") from None
        except OSError as fault:
            if fault.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
                os.close(self._lock)
                raise
        try:
            with on_disk(self.folder):
                holder = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
                (self.folder / "running.json").write_text(json.dumps(holder), encoding="utf-8")
                self.work.mkdir(exist_ok=True)
                for left in self.work.iterdir():  # of a run that was killed
                    left.unlink()
            with self._named():
                self._base = self._opened()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Close and unlock; a file that was found damaged is put aside."""
        self.judge(error)
        self._base.close()
        if self._is_damaged:
            self._put_aside()
        with suppress(OSError):
            (self.folder / "running.json").unlink(missing_ok=True)
        os.close(self._lock)

    def _take(self) -> None:
        """Lock the folder; while another run has it, wait as long as was asked for. Raise BlockingIOError."""
        until = time.monotonic() + self._wait_seconds
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_AGAIN_SECONDS)
            else:
                return

    def judge(self, error: BaseException | None) -> None:
        """Remember whether an error means that the file is damaged; one of the disk or of another program does not."""
        self._is_damaged = self._is_damaged or type(error) is sqlite3.DatabaseError

    def _put_aside(self) -> None:
        for each in self.folder.glob("state.sqlite*"):
            if not each.name.endswith(_DAMAGED):
                each.replace(each.with_name(f"{each.name}{_DAMAGED}"))

    def _holder(self) -> str:
        try:
            held = json.loads((self.folder / "running.json").read_text(encoding="utf-8"))
            return f"process {int(held['pid'])}, since {held['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "its process is not known"

    def _opened(self) -> sqlite3.Connection:
        path = self.folder / "state.sqlite"
        for again in (False, True):
            base = sqlite3.connect(path, isolation_level=None)
            try:
                base.execute("PRAGMA journal_mode=WAL")
                base.execute("PRAGMA synchronous=NORMAL")
                (form,) = base.execute("PRAGMA user_version").fetchone()
                if form not in (0, _FORM):
                    raise sqlite3.DatabaseError("of another version")  # noqa: TRY301 - as one that is damaged
                base.executescript(_TABLES)
                if form != _FORM:
                    base.execute(f"PRAGMA user_version={_FORM}")
            except sqlite3.DatabaseError as fault:
                base.close()
                if again or isinstance(fault, sqlite3.OperationalError):  # a full disk does no harm to the file
                    raise
                self._put_aside()
            else:
                return base
        raise AssertionError

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block, or none."""
        with self._named():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # a full disk ends it
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in which folder the file is that cannot be written."""
        try:
            yield
        except sqlite3.OperationalError as fault:
            raise sqlite3.OperationalError(f"{fault}, in {self.folder}") from None

    def installation(self) -> str:
        """The random id of this folder; a copy of the folder gets its own, because the file's inode is part of it."""
        path = self.folder / "installation"
        with suppress(FileNotFoundError):
            made, _, inode = path.read_text(encoding="ascii").strip().partition(" ")
            if inode == str(path.stat().st_ino):
                return made
        made, new = secrets.token_hex(8), path.with_name("installation.new")
        with new.open("w", encoding="ascii") as file:
            file.write(f"{made} {os.fstat(file.fileno()).st_ino}\n")
        new.replace(path)
        return made

    # What the store holds.

    def commits(self, machine: str) -> set[str]:
        """The keys of the commits that are known."""
        return {key for (key,) in self._base.execute("SELECT key FROM commits WHERE machine=?", (machine,))}

    def forget(self, keys: Iterable[str], there: Collection[str]) -> None:
        """Forget commits that are no longer in the store, their entries, and those of their packs that are gone."""
        for key in keys:
            found = self._base.execute("SELECT machine, source, run FROM commits WHERE key=?", (key,)).fetchone()
            if found:
                self._base.execute("DELETE FROM entries WHERE machine=? AND source=? AND run=?", found)
                self._base.execute("DELETE FROM commits WHERE key=?", (key,))
                query = "SELECT key FROM packs WHERE machine=? AND source=? AND instr(key, ?)"
                for (pack,) in self._base.execute(query, found).fetchall():
                    if pack not in there:
                        self._base.execute("DELETE FROM packs WHERE key=?", (pack,))

    def lost(self, machine: str, there: Collection[str]) -> None:
        """Take what leans on a pack that is no longer in the store for old, so that the next run stores it again."""
        packs = self._base.execute("SELECT key FROM packs WHERE machine=?", (machine,)).fetchall()
        for (pack,) in packs:
            if pack not in there:
                self.distrust(machine, self.leaning_on(machine, pack), pack)
        for (source,) in self._base.execute("SELECT source FROM pending").fetchall():
            if any(pack.key not in there for pack in self.leaning(source)):
                self.abandon(source)

    def add_commit(
        self,
        key: str,
        commit: Commit,
        packs: Iterable[Stored],
        entries: Iterable[Entry] | None,
        *,
        closed: bool = False,
        exact: bool = False,
    ) -> None:
        """Take a commit in, within a transaction.

        Args:
            key: The commit's key.
            commit: The commit.
            packs: Every pack that an entry names.
            entries: The entries; None for those of the unfinished run.
            closed: It is encrypted, and its entries are not known here.
            exact: It is the whole state of its source: what was known of the source before gives way, and the content
                can be found by its SHA-256.
        """
        if exact:
            of = (commit.machine, commit.source)
            self._base.execute("DELETE FROM entries WHERE machine=? AND source=?", of)
        started = commit.started_at.timestamp()
        stored_at = {one.key: one.stored_at.timestamp() for one in packs}
        self._base.execute(
            "INSERT OR REPLACE INTO commits VALUES (?,?,?,?,?,?,?,?,?)",
            (
                key,
                commit.machine,
                commit.source,
                commit.run,
                commit.sequence,
                started,
                commit.installation,
                " ".join(commit.manifest.recipients),
                closed,
            ),
        )
        for one in packs:
            self._base.execute(
                "INSERT OR IGNORE INTO packs VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    one.key,
                    one.etag,
                    one.size,
                    one.sha256,
                    stored_at[one.key],
                    stored_at[one.key],
                    commit.machine,
                    commit.source,
                    " ".join(one.recipients),
                ),
            )
        if entries is None:

            def stored_of(line: str) -> float:
                return min((stored_at.get(pack, started) for pack in packs_of(line)), default=started)

            self._base.create_function("stored_of", 1, stored_of)
            self._base.execute(
                "INSERT OR REPLACE INTO entries SELECT ?, source, path, ?, ?, stored_of(line), line FROM staged "
                "WHERE source=?",
                (commit.machine, commit.sequence, commit.run, commit.source),
            )
        for entry in entries or ():
            stored = min((stored_at.get(pack, started) for pack in entry.packs), default=started)
            self._base.execute(
                "INSERT OR REPLACE INTO entries VALUES (?,?,?,?,?,?,?)",
                (commit.machine, commit.source, entry.path, commit.sequence, commit.run, stored, line_of(entry)),
            )
            if exact and entry.segments:
                self.hold(commit.source, entry, stored)

    def hold_parts(self, machine: str, source: str, parts: Iterable[Stored]) -> None:
        """Take in what is committed and holds no files, within a transaction; forget what is not any more."""
        named = {one.key: one for one in parts}
        known = {key for (key,) in self._base.execute("SELECT key FROM packs WHERE source=?", (source,))}
        self._base.executemany("DELETE FROM packs WHERE key=?", [(key,) for key in known - named.keys()])
        rows = [
            (key, one.etag, one.size, one.sha256, one.stored_at.timestamp(), one.stored_at.timestamp(), machine, source)
            for key, one in named.items()
        ]
        self._base.executemany("INSERT OR IGNORE INTO packs VALUES (?,?,?,?,?,?,?,?,'')", rows)

    def sequence(self, machine: str, source: str) -> int:
        """The highest sequence of a source's commits; 0 without any."""
        query = "SELECT max(sequence) FROM commits WHERE machine=? AND source=?"
        return self._base.execute(query, (machine, source)).fetchone()[0] or 0

    def recipients(self, machine: str, source: str) -> dict[str, frozenset[str]]:
        """To whom each commit of a source is encrypted, by its run, the last one last."""
        query = "SELECT run, recipients FROM commits WHERE machine=? AND source=? ORDER BY sequence, run"
        return {run: frozenset(to.split()) for run, to in self._base.execute(query, (machine, source))}

    def closed(self, machine: str) -> dict[str, frozenset[str]]:
        """To whom the commits are encrypted whose entries are not known here, by their keys, the last one last."""
        query = "SELECT key, recipients FROM commits WHERE machine=? AND closed ORDER BY started"
        return {key: frozenset(to.split()) for key, to in self._base.execute(query, (machine,))}

    def back_in_time(self, machine: str) -> list[str]:
        """The runs that were committed after one that began later by its clock: a clock was set back."""
        query = "SELECT source, run, started FROM commits WHERE machine=? ORDER BY source, sequence"
        last: tuple[str, float] = ("", 0.0)
        found = []
        for source, run, started in self._base.execute(query, (machine,)):
            latest = last[1] if last[0] == source else 0.0
            if started < latest:
                found.append(str(run))
            last = (source, max(started, latest))
        return found

    def others(self, machine: str, source: str) -> str | None:
        """The installation of another one's commit that came after one of this folder's own; None if there is none."""
        own = self.installation()
        query = "SELECT installation FROM commits WHERE machine=? AND source=? ORDER BY sequence, started"
        mine = False
        for (found,) in self._base.execute(query, (machine, source)):
            if mine and found != own:
                return str(found)
            mine = mine or found == own
        return None

    def newest(self, machine: str, source: str, path: bytes) -> Known | None:
        """The newest entry of a path: of the unfinished run, or of the last commit."""
        found = self._base.execute("SELECT line FROM staged WHERE source=? AND path=?", (source, path)).fetchone()
        if found:
            return Known(entry_of(found[0]), clock.now_utc().timestamp(), staged=True)
        query = (
            "SELECT line, stored, run FROM entries "
            "WHERE machine=? AND source=? AND path=? ORDER BY sequence DESC, run DESC"
        )
        found = self._base.execute(query, (machine, source, path)).fetchone()
        return Known(entry_of(found[0]), found[1], found[2]) if found else None

    def committed(self, machine: str, source: str, path: bytes) -> tuple[Entry, str] | None:
        """The newest committed entry of a path, with the key of its commit."""
        query = (
            "SELECT line, key FROM entries JOIN commits USING (machine, source, run) "
            "WHERE machine=? AND source=? AND path=? ORDER BY entries.sequence DESC, run DESC"
        )
        found = self._base.execute(query, (machine, source, path)).fetchone()
        return (entry_of(found[0]), str(found[1])) if found else None

    def generations(self, machine: str, source: str | None = None, at: float | None = None) -> Iterator[Generation]:
        """The stored states of all paths, the newest of each path first."""
        query = "SELECT source, line, run, stored, sequence FROM entries WHERE machine=?"
        values: list[object] = [machine]
        if source is not None:
            query, values = f"{query} AND source=?", [*values, source]
        if at is not None:
            query += " AND run IN (SELECT run FROM commits WHERE machine=? AND started<=?)"
            values += [machine, at]
        for where, line, run, stored, sequence in self._base.execute(
            f"{query} ORDER BY source, path, sequence DESC, run DESC", values
        ):
            yield Generation(sys.intern(where), entry_of(line), sys.intern(run), stored, sequence)

    def pack(self, key: str) -> Stored | None:
        """A pack by its key, committed or staged."""
        query = "SELECT key, etag, size, sha256, stored, recipients FROM packs WHERE key=?"
        found = self._base.execute(query, (key,)).fetchone()
        if found:
            return Stored(
                key=found[0],
                etag=found[1],
                size=found[2],
                sha256=found[3],
                stored_at=datetime.fromtimestamp(found[4], UTC),
                recipients=tuple(found[5].split()),
            )
        staged = self._base.execute("SELECT body FROM staged_packs WHERE key=?", (key,)).fetchone()
        return Stored.model_validate_json(staged[0]) if staged else None

    def least_proven(self, machine: str, limit: int, before: float) -> list[tuple[Stored, str]]:
        """The packs whose last proof is the oldest, and before a time, with their sources."""
        query = "SELECT key, source FROM packs WHERE machine=? AND proven<? ORDER BY proven, key LIMIT ?"
        found = self._base.execute(query, (machine, before, limit)).fetchall()
        return [(pack, source) for key, source in found if (pack := self.pack(key))]

    def proven(self, key: str, now: float) -> None:
        """Note that a pack was read back."""
        self._base.execute("UPDATE packs SET proven=? WHERE key=?", (now, key))

    def oldest_proof(self, machine: str) -> float | None:
        """When the pack was read back whose proof is the oldest."""
        found: float | None = self._base.execute(
            "SELECT min(proven) FROM packs WHERE machine=?", (machine,)
        ).fetchone()[0]
        return found

    def bytes_proven(self, machine: str, since: float) -> int:
        """The bytes of the packs that were read back since a time, other than just after they were stored."""
        query = "SELECT sum(size) FROM packs WHERE machine=? AND proven>=? AND proven!=stored"
        return int(self._base.execute(query, (machine, since)).fetchone()[0] or 0)

    def packs(self, machine: str) -> list[Stored]:
        """The committed packs, the one whose last proof is the oldest first."""
        rows = self._base.execute("SELECT key FROM packs WHERE machine=? ORDER BY proven, key", (machine,)).fetchall()
        return [pack for (key,) in rows if (pack := self.pack(key))]

    def proof_of(self, key: str) -> float:
        """When a pack was last read back, in seconds since 1970."""
        return float(self._base.execute("SELECT proven FROM packs WHERE key=?", (key,)).fetchone()[0])

    def remember_fault(self, machine: str, key: str, wrong: str, needed: str) -> None:
        """Remember an object that is damaged, gone or in a wrong place, and what needs it; one that is known stays."""
        self._base.execute("INSERT OR IGNORE INTO faults VALUES (?,?,?,?,0)", (key, machine, wrong, needed))

    def mend(self, key: str) -> None:
        """Forget what was wrong with an object: it is as it was committed."""
        self._base.execute("DELETE FROM faults WHERE key=?", (key,))

    def faults(self, machine: str) -> list[tuple[str, str, str, bool]]:
        """The key of each object that is not as committed, what is wrong, what needed it, and whether it was told."""
        query = "SELECT key, wrong, needed, told FROM faults WHERE machine=? ORDER BY key"
        rows = self._base.execute(query, (machine,)).fetchall()
        return [(key, wrong, needed, bool(told)) for key, wrong, needed, told in rows]

    def tell(self, key: str) -> None:
        """Remember that a receipt has what is wrong with an object."""
        self._base.execute("UPDATE faults SET told=1 WHERE key=?", (key,))

    def of_commit(self, key: str) -> list[Generation]:
        """The last states of files that are in a commit."""
        query = (
            "SELECT e.source, line, e.run, stored, e.sequence, e.machine FROM entries e "
            "JOIN commits c USING (machine, source, run) WHERE c.key=?"
        )
        found = [
            (Generation(row[0], entry_of(row[1]), row[2], row[3], row[4]), row[5])
            for row in self._base.execute(query, (key,)).fetchall()
        ]
        return [one for one, machine in found if one.sequence == self._last(machine, one)]

    def started(self, key: str) -> datetime:
        """When the run of a commit began."""
        found = self._base.execute("SELECT started FROM commits WHERE key=?", (key,)).fetchone()
        return datetime.fromtimestamp(found[0], UTC)

    def leaning_on(self, machine: str, pack: str, *, last: bool = True) -> list[Generation]:
        """The last states of files that have content in a pack, or all states."""
        query = "SELECT source, line, run, stored, sequence FROM entries WHERE machine=? AND instr(line, ?)"
        rows = self._base.execute(query, (machine, json.dumps(pack)))
        found = [Generation(row[0], entry_of(row[1]), row[2], row[3], row[4]) for row in rows]
        leaning = [one for one in found if pack in one.entry.packs]
        return [one for one in leaning if not last or one.sequence == self._last(machine, one)]

    def _last(self, machine: str, one: Generation) -> int:
        query = "SELECT max(sequence) FROM entries WHERE machine=? AND source=? AND path=?"
        return int(self._base.execute(query, (machine, one.source, one.entry.path)).fetchone()[0])

    def content(self, source: str, sha256: str, since: float) -> Entry | None:
        """An entry with this content, all of which was stored since a time."""
        query = "SELECT line FROM contents WHERE source=? AND sha256=? AND stored>=?"
        found = self._base.execute(query, (source, sha256, since)).fetchone()
        return entry_of(found[0]) if found else None

    def hold(self, source: str, entry: Entry, stored: float) -> None:
        """Let the content of an entry be found, of the unfinished run as well."""
        self._base.execute(
            "INSERT OR REPLACE INTO contents VALUES (?,?,?,?)", (source, entry.sha256, stored, line_of(entry))
        )

    def forget_contents(self, source: str, before: float) -> None:
        """Forget content that was stored before a time."""
        self._base.execute("DELETE FROM contents WHERE source=? AND stored<?", (source, before))

    def distrust(self, machine: str, leaning: Iterable[Generation], pack: str) -> None:
        """Take the entries that lean on a pack for old, so that the next run stores their files again."""
        self._base.execute("DELETE FROM contents WHERE instr(line, ?)", (json.dumps(pack),))
        for one in leaning:
            self._base.execute(
                "UPDATE entries SET stored=0 WHERE machine=? AND source=? AND path=? AND sequence=?",
                (machine, one.source, one.entry.path, one.sequence),
            )

    # What is on this machine.

    def local(self, source: str, path: bytes) -> Local | None:
        """How a file was when it was last archived."""
        query = "SELECT inode, size, mtime_ns, ctime_ns, archived FROM local WHERE source=? AND path=?"
        found = self._base.execute(query, (source, path)).fetchone()
        return Local(*found) if found else None

    def note(self, source: str, path: bytes, local: Local, now: float) -> None:
        """Remember a file that was just archived."""
        self._base.execute(
            "INSERT OR REPLACE INTO local VALUES (?,?,?,?,?,?,?,?,NULL)",
            (source, path, local.inode, local.size, local.mtime_ns, local.ctime_ns, local.archived, now),
        )

    def saw(self, source: str, paths: Iterable[bytes], now: float) -> None:
        """Remember that files are still there."""
        query = "UPDATE local SET seen=?, gone=NULL WHERE source=? AND path=?"
        self._base.executemany(query, ((now, source, path) for path in paths))

    def missing(self, source: str, now: float, since: float, written_after_ns: int) -> list[bytes]:
        """The files that were seen since a time, and not now, and that were not old enough to be deleted by others."""
        query = "SELECT path FROM local WHERE source=? AND seen<? AND seen>=? AND mtime_ns>=? AND gone IS NULL"
        return [path for (path,) in self._base.execute(query, (source, now, since, written_after_ns))]

    def gone(self, source: str, paths: Iterable[bytes], why: str) -> None:
        """Remember that files are meant to be gone."""
        for path in paths:
            self._base.execute("UPDATE local SET gone=? WHERE source=? AND path=?", (why, source, path))

    def learn(self, machine: str, source: str) -> None:
        """For a folder without memory: what the store's last entries say of files, each to be read again."""
        known = self._base.execute("SELECT 1 FROM local WHERE source=? LIMIT 1", (source,)).fetchone()
        if known:
            return
        last: bytes | None = None
        rows = []
        for one in self.generations(machine, source):
            if one.entry.path != last and one.entry.kind == "file":
                query = "SELECT max(started) FROM commits WHERE machine=? AND source=? AND run=?"
                started = self._base.execute(query, (machine, source, one.run)).fetchone()[0]
                size, mtime_ns = one.entry.size, _held(one.entry.mtime_ns)
                rows.append((source, one.entry.path, -1, size, mtime_ns, 0, size, started))
            last = one.entry.path
        self._base.executemany("INSERT INTO local VALUES (?,?,?,?,?,?,?,?,NULL)", rows)

    # The unfinished run.

    def pending(self, source: str) -> tuple[str, float] | None:
        """The unfinished run of a source and when it began."""
        found = self._base.execute("SELECT run, started FROM pending WHERE source=?", (source,)).fetchone()
        return (found[0], found[1]) if found else None

    def begin(self, source: str, run: str, started: float) -> None:
        """Remember the run before it sends anything."""
        self._base.execute("INSERT OR REPLACE INTO pending VALUES (?,?,?)", (source, run, started))

    def stage(self, source: str, path: bytes, entry: Entry, change: str) -> None:
        """Remember an entry of the unfinished run, whose pack is stored."""
        self._base.execute("INSERT OR REPLACE INTO staged VALUES (?,?,?,?)", (source, path, line_of(entry), change))

    def keep(self, machine: str, source: str, paths: Iterable[bytes]) -> None:
        """Take entries into the unfinished run as they are: staged before it was killed, or else committed."""
        for path in paths:
            self._base.execute("UPDATE staged SET change='same' WHERE source=? AND path=?", (source, path))
            self._base.execute(
                "INSERT OR IGNORE INTO staged SELECT source, path, line, 'same' FROM entries "
                "WHERE machine=? AND source=? AND path=? ORDER BY sequence DESC, run DESC LIMIT 1",
                (machine, source, path),
            )

    def stage_pack(self, source: str, pack: Stored, number: int) -> None:
        """Remember a pack of the unfinished run that was read back."""
        self._base.execute(
            "INSERT OR REPLACE INTO staged_packs VALUES (?,?,?,?)", (source, pack.key, number, pack.model_dump_json())
        )

    def staged_packs(self, source: str) -> list[tuple[Stored, int]]:
        """The packs of the unfinished run with their numbers."""
        query = "SELECT body, number FROM staged_packs WHERE source=? ORDER BY number"
        return [(Stored.model_validate_json(body), number) for body, number in self._base.execute(query, (source,))]

    def staged(self, source: str) -> Iterator[str]:
        """The entries of the unfinished run as lines, in the order of their paths."""
        for (line,) in self._base.execute("SELECT line FROM staged WHERE source=? ORDER BY path", (source,)):
            yield line

    def unsee(self, source: str) -> None:
        """Take the entries of the unfinished run for those of files that were not met yet."""
        self._base.execute("UPDATE staged SET change='' WHERE source=?", (source,))

    def drop_unseen(self, source: str) -> None:
        """Forget the entries of the unfinished run whose files were not met since."""
        self._base.execute("DELETE FROM staged WHERE source=? AND change=''", (source,))

    def leaning(self, source: str) -> list[Stored]:
        """Every pack that the entries of the unfinished run name, also those of earlier runs."""
        named: dict[str, Stored] = {}
        for line in self.staged(source):
            for key in packs_of(line):
                if key not in named and (pack := self.pack(key)) is not None:
                    named[key] = pack
        return [*({pack.key: pack for pack, _ in self.staged_packs(source)} | named).values()]

    def is_unfinished(self, commit: Commit) -> bool:
        """Whether a commit is that of the unfinished run: its process ended before it could remember it."""
        pending = self.pending(commit.source)
        packs = {pack.key for pack, _ in self.staged_packs(commit.source)}
        return (
            pending is not None
            and (pending[0], self.installation()) == (commit.run, commit.installation)
            and packs == {pack.key for pack in commit.packs}
        )

    def unstage(self, source: str, pack: Stored) -> None:
        """Forget what the unfinished run leans on a pack with; those files are read again."""
        key = json.dumps(pack.key)
        self._base.execute(
            "UPDATE local SET inode=-1 WHERE source=? AND path IN "
            "(SELECT path FROM staged WHERE source=? AND instr(line, ?))",
            (source, source, key),
        )
        self._base.execute("DELETE FROM staged WHERE source=? AND instr(line, ?)", (source, key))
        self._base.execute("DELETE FROM staged_packs WHERE source=? AND key=?", (source, pack.key))

    def abandon(self, source: str) -> None:
        """Forget the unfinished run and what was noted by it: every file is read again."""
        self.end(source)
        self._base.execute("UPDATE local SET inode=-1 WHERE source=?", (source,))

    def changes(self, source: str) -> dict[str, int]:
        """How many files of the unfinished run were stored, by how."""
        query = "SELECT change, count(*) FROM staged WHERE source=? GROUP BY change"
        return dict(self._base.execute(query, (source,)).fetchall())

    def end(self, source: str) -> None:
        """Forget the unfinished run: it is committed, or it had nothing to store."""
        for table in ("pending", "staged_packs", "staged"):
            self._base.execute(f"DELETE FROM {table} WHERE source=?", (source,))  # noqa: S608 - names of ours


def unread(local: Local) -> Local:
    """The same file, to be read again next time."""
    return replace(local, inode=-1)
