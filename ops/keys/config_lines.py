"""The lines of a stack's config that say which generations of a key are live; pulumi writes them.

The rule: after each write the config can be deployed, so a kill between two writes does no harm. The way from "two are
live" to "only the next is live" therefore leads through "only the current one is live". Pulumi keeps the file's
comments.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

from infra.namespace import NAMESPACE
from model.generations import Generations
from model.stack_names import stack_file
from stack.config import project_folder, pulumi_folder
from stack.runner import run_pulumi


@dataclass(frozen=True)
class Written:
    """The changes to the config.

    Attributes:
        lines: The removed and added lines, with file and line number.
    """

    lines: tuple[str, ...]


def write_generations(stack: str, identity: str, before: Generations, after: Generations) -> Written:
    """Write an identity's generations to the stack's config.

    Args:
        stack: The stack's name.
        identity: The identity's name.
        before: The generations in the config now.
        after: The new generations.

    Raises:
        EngineError: The config cannot be written.
    """
    path = project_folder(pulumi_folder()) / stack_file(stack)
    old = _lines_of(path)
    place = f'{NAMESPACE}:credentials["{identity}"]'
    if before.previous is not None and after.previous is None:
        run_pulumi("config", "rm", "--path", f"{place}.previous", "--stack", stack)
    values = {"current": after.current, "previous": after.previous}
    changed = {key: value for key, value in values.items() if value is not None and value != getattr(before, key)}
    if changed:
        # Both values in one write: "current" without "previous" would be a revocation.
        pairs = [word for key, value in changed.items() for word in ("--plaintext", f"{place}.{key}={value}")]
        run_pulumi("config", "set-all", "--path", *pairs, "--stack", stack)
    shown = _difference(path.name, old, _lines_of(path))
    # If the `pulumi` on PATH works in its own folder, it changed another file than this one.
    return Written(shown or (f"{path.name}: object-store:credentials.{identity}: {said(after)}",))


def said(generations: Generations) -> str:
    """Generations as a line to paste."""
    previous = "" if generations.previous is None else f", previous: {generations.previous}"
    return f"{{current: {generations.current}{previous}}}"


def _lines_of(path: Path) -> list[str]:
    try:
        # Only for the difference that is shown: pulumi reads and writes the file.
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _difference(name: str, old: list[str], new: list[str]) -> tuple[str, ...]:
    shown = []
    for kind, from_old, to_old, from_new, to_new in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            continue
        shown += [f"{name}:{number + 1}: - {old[number]}" for number in range(from_old, to_old)]
        shown += [f"{name}:{number + 1}: + {new[number]}" for number in range(from_new, to_new)]
    return tuple(shown)
