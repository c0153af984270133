"""A made-up vault of notes, with a git history that grows day by day: for tests, benchmarks and the deployed stacks.

The rule: a seed gives the same vault each time. `transcripts.truth_of` says what a restore must give back. Each day
changes, adds, renames and deletes some notes, and commits most of it.
"""

import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Final

from sandbox.transcripts import write_file

_DAY: Final = 86400
_TEXT: Final = (
    "decision context consequence project area resource archive note link store snapshot pack lock day week year "
    "that was decided once is asked again in a year and what stands in one place alone is lost when that place is lost"
)
_WORDS: Final = tuple(_TEXT.split())


def write_vault(root: Path, *, notes: int, seed: int, now: float, odd: bool = True) -> None:
    """Write a vault with a repository that has one commit, and work that is not in it.

    Args:
        root: The folder.
        notes: How many plain notes.
        seed: The same gives the same vault.
        now: The time before which all was written, in seconds since 1970.
        odd: Also what a careless program trips over: names, links, empty things.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    root.mkdir(parents=True, exist_ok=True)
    for number in range(notes):
        _write(root, chance, number, now - chance.uniform(1, 400) * _DAY)
    for line in range(40):
        with (root / "system-log.jsonl").open("a") as file:
            file.write(f'{{"line":{line},"text":"{_text(chance, 20)}"}}\n')
    write_file(root / ".obsidian/app.json", b"{}", now - _DAY)
    write_file(root / ".obsidian/workspace.json", b'{"open":1}', now)
    if odd:
        _write_odd(root, now)
    git(root, "init", "--quiet", "--initial-branch=main")
    _commit(root, now - _DAY)
    write_file(root / "not in git yet.md", b"# later\n", now - 60)


def live_a_day(root: Path, seed: int, now: float) -> None:
    """One day in a vault: notes are changed, added, renamed and deleted, the log grows, and most of it is committed."""
    chance = random.Random(f"{seed} {now}")  # noqa: S311 - not for secrets
    notes = sorted((root / "Notes").rglob("note-*.md"))
    few = max(1, len(notes) // 100)
    changed, renamed, deleted = (chance.sample(notes, few) for _ in range(3))
    for path in changed:
        write_file(path, path.read_bytes() + _text(chance, 30).encode() + b"\n", now)
    for number in range(2 * few):
        _write(root, chance, chance.randrange(10**6, 10**9), now - number)
    for path in deleted:
        path.unlink(missing_ok=True)
    for path in renamed:
        if path.exists():
            path.rename(path.with_name(f"note-was-{path.name}"))
    with (root / "system-log.jsonl").open("a") as file:
        file.write(f'{{"day":{now},"text":"{_text(chance, 20)}"}}\n')
    _commit(root, now)
    write_file(root / "not in git yet.md", _text(chance, 10).encode(), now)


def git(root: Path, *arguments: str, when: float = 1_790_000_000) -> None:
    """Run git in the vault, as somebody without settings; raise CalledProcessError if it fails."""
    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("git")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": of for who in ("AUTHOR", "COMMITTER") for what, of in _of(when)},
    }
    subprocess.run(  # noqa: S603 - no shell, arguments of ours
        [program, "-c", "gc.auto=0", *arguments], cwd=root, env=environ, check=True, capture_output=True
    )


def _of(when: float) -> tuple[tuple[str, str], ...]:
    return ("NAME", "somebody"), ("EMAIL", "somebody@example.org"), ("DATE", f"{int(when)} +0000")


def _commit(root: Path, when: float) -> None:
    git(root, "add", "--all", "--ignore-errors", ".", when=when)
    git(root, "commit", "--quiet", "--allow-empty", "-m", "the day", when=when)


def _write(root: Path, chance: random.Random, number: int, mtime: float) -> None:
    folder = ("docs/decisions", "Resources/discoveries", "Projects", "Areas/日本語")[number % 4]
    text = f"# {number}\n\n" + "\n\n".join(_text(chance, 60) for _ in range(chance.randint(1, 12))) + "\n"
    write_file(root / "Notes" / folder / f"note-{number:04}.md", text.encode(), mtime)


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words))


def _write_odd(root: Path, now: float) -> None:
    """What a vault may hold beside plain notes."""
    folder, then = root / "odd", now - 3 * _DAY
    for name in (
        "caf\u00e9.md", "cafe\u0301.md", "Twin.md", "twin.md", " spaces at the ends .md", "emoji \U0001f4d3.md",
        "quotes ' \" and #?%.md", "two\nlines.md", "n" * 252 + ".md", "repo.bundle", "manifest.ndjson", "HEAD",
        "commit.json",
    ):  # fmt: skip
        write_file(folder / name, f"this is {name!r}\n".encode(), then)
    write_file(Path(os.fsdecode(os.fsencode(folder) + b"/latin-\xe9.md")), b"no UTF-8\n", then)
    deep = folder.joinpath(*(["d" * 100] * 11))
    write_file(deep / "deep.md", b"a path of more than 1 024 bytes\n", then)
    write_file(folder / "empty.md", b"", then)
    write_file(folder / "private.md", b"mode 600\n", then, 0o600)
    write_file(folder / "script.sh", b"#!/bin/sh\n", then, 0o755)
    (folder / "empty folder").mkdir()
    for name, target in (
        ("inside", "empty.md"),
        ("outside", "/etc/hostname"),
        ("dangling", "nothing"),
        ("loop", "loop"),
    ):
        (folder / name).symlink_to(target)
