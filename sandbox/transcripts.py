"""Made-up session transcripts with ground truth: for tests, benchmarks, and the archive that `make up` shows.

The rule: a seed gives the same tree each time, in the shapes that the agents write. `Truth` says what a restore must
give back, byte for byte.
"""

import json
import os
import random
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MEDIAN_BYTES = 100_000
#: The longest that was seen has 23 MB.
LARGEST_BYTES = 23_000_000
_DAY = 86400
_TEXT = (
    "the store keeps every version until its lock ends and a reader compares what came back with what was sent before "
    "anything is removed from this machine because a copy that no reader has seen is not a copy function return import "
    "const await error timeout bucket session agent tool result message content value path line test"
)
_WORDS = tuple(_TEXT.split())


@dataclass(frozen=True)
class Item:
    """One thing of a tree.

    Attributes:
        kind: `file`, `folder` or `link`.
        mode: Permissions; None for a link, whose permissions mean nothing.
        mtime_ns: Its time; None for a folder that something was written into later.
        content: A file's bytes, or a link's target.
        inode: A number that two names of one file share.
    """

    kind: str
    mode: int | None
    mtime_ns: int | None
    content: bytes
    inode: int = 0


Truth = Mapping[bytes, Item]


def lines(chance: random.Random, dialect: str, session: str, size: int) -> bytes:
    """A transcript of about a size, of whole lines."""
    made, length = [], 0
    if dialect == "pi":
        made.append(json.dumps({"type": "session", "id": session}))
        length = len(made[0]) + 1
    while length < size:
        text = " ".join(chance.choices(_WORDS, k=min(400, max(4, (size - length) // 8))))
        stamp = f"2026-11-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:00.000Z"
        of_message = f"msg_{chance.getrandbits(64):016x}"
        usage = {"input_tokens": chance.randint(1, 90000), "output_tokens": chance.randint(1, 4000)}
        held: dict[str, object]
        match dialect:
            case "pi":
                message = {"role": "assistant", "model": "some-model", "usage": usage, "content": text}
                held = {"type": "message", "id": of_message, "timestamp": stamp, "message": message}
            case "claude":
                message = {"id": of_message, "model": "some-model", "usage": usage, "content": text}
                held = {"type": "assistant", "timestamp": stamp, "sessionId": session, "message": message}
                made.append(json.dumps({**held, "block": 1}))  # one line for each block of a message
            case "codex":
                held = {"timestamp": stamp, "type": "event_msg", "payload": {"text": text}}
            case _:
                held = {"ts": stamp, "session": session, "text": text}
        made.append(json.dumps(held))
        length += sum(len(line) + 1 for line in made[-2 if dialect == "claude" else -1 :])
    return "".join(f"{line}\n" for line in made).encode()


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def write_tree(
    home: Path, *, files: int, seed: int, now: float, median_bytes: int = MEDIAN_BYTES, odd: bool = True
) -> list[Path]:
    """Write transcripts of four dialects below a home folder.

    Args:
        home: The folder.
        files: How many transcripts.
        seed: The same gives the same tree.
        now: The time before which all was written, in seconds since 1970.
        median_bytes: Half of the files are smaller.
        odd: Also names that are no UTF-8, links, empty files and folders, and a torn last line.

    Returns:
        The transcripts.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    made = []
    project = "-Users-somebody-Code-project"
    for number in range(files):
        session = _uuid(chance)
        dialect = ("pi", "claude", "codex", "gateway")[number % 4]
        name = {
            "pi": f".pi/agent/sessions/-{project}--/2026-11-0{number % 9 + 1}T10-00-00-000Z_{session}.jsonl",
            "claude": f".claude/projects/{project}-{number % 7}/{session}.jsonl",
            "codex": f".codex/sessions/2026/11/{number % 28 + 1:02}/rollout-2026-11-01T10-00-00-{session}.jsonl",
            "gateway": f".joelclaw/sessions/gateway/2026-11-01T10-00-00_{session}.jsonl",
        }[dialect]
        path = home / name
        size = int(min(LARGEST_BYTES, median_bytes * chance.lognormvariate(0, 1.6)))
        write_file(path, lines(chance, dialect, session, size), now - chance.uniform(0.01, 60) * _DAY)
        made.append(path)
        if dialect == "claude" and number % 3 == 0:
            result = path.with_suffix("") / "tool-results" / f"toolu_{number}.txt"
            write_file(result, b"result\n" * chance.randint(0, 2000), now - chance.uniform(0.01, 60) * _DAY)
    if odd:
        _write_odd(home, now)
    return made


def _write_odd(home: Path, now: float) -> None:
    """What a tree of transcripts may hold beside plain ones."""
    folder = home / ".claude/projects/-odd"
    write_file(folder / "empty.jsonl", b"", now - 3 * _DAY)
    write_file(folder / "torn.jsonl", b'{"whole":1}\n{"tor', now - 3 * _DAY)
    write_file(folder / "two\nlines.jsonl", b"{}\n", now - 3 * _DAY)
    write_file(folder / " spaces at the ends .jsonl", b"{}\n", now - 3 * _DAY)
    write_file(folder / "caf\u00e9.jsonl", b'{"form":"NFC"}\n', now - 3 * _DAY)
    write_file(folder / "cafe\u0301.jsonl", b'{"form":"NFD"}\n', now - 3 * _DAY)
    write_file(Path(os.fsdecode(os.fsencode(folder) + b"/latin-\xe9.jsonl")), b"{}\n", now - 3 * _DAY)
    write_file(folder / ("n" * 240 + ".jsonl"), b"{}\n", now - 3 * _DAY)
    write_file(folder / "private.jsonl", b'{"mode":600}\n', now - 3 * _DAY, 0o600)
    write_file(folder / "first.jsonl", b'{"names":2}\n', now - 3 * _DAY)
    (folder / "second.jsonl").unlink(missing_ok=True)
    (folder / "second.jsonl").hardlink_to(folder / "first.jsonl")
    (folder / "empty folder").mkdir(exist_ok=True)
    for name, target in (
        ("inside", "torn.jsonl"),
        ("outside", "/etc/hostname"),
        ("dangling", "nothing"),
        ("loop", "loop"),
    ):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)


def write_file(path: Path, content: bytes, mtime: float, mode: int = 0o644) -> None:
    """Write a file with its time and mode, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, (mtime, mtime))


def truth_of(folder: Path) -> dict[bytes, Item]:
    """What a folder holds, by relative path; `.` itself is left out."""
    return dict(_truth(os.fsencode(folder), b""))


def _truth(base: bytes, below: bytes) -> Iterator[tuple[bytes, Item]]:
    for name in sorted(os.listdir(os.path.join(base, below) if below else base)):
        path = os.path.join(below, name) if below else name
        status = os.lstat(os.path.join(base, path))
        if stat.S_ISDIR(status.st_mode):
            yield path, Item("folder", stat.S_IMODE(status.st_mode), status.st_mtime_ns, b"")
            yield from _truth(base, path)
        elif stat.S_ISLNK(status.st_mode):
            yield path, Item("link", None, status.st_mtime_ns, os.readlink(os.path.join(base, path)))
        else:
            with open(os.path.join(base, path), "rb") as file:
                content = file.read()
            inode = status.st_ino if status.st_nlink > 1 else 0
            yield path, Item("file", stat.S_IMODE(status.st_mode), status.st_mtime_ns, content, inode)


def grow(path: Path, chance: random.Random, size: int, mtime: float) -> None:
    """Add whole lines to a transcript."""
    with path.open("ab") as file:
        file.write(lines(chance, "gateway", "grown", size))
    os.utime(path, (mtime, mtime))
