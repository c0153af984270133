"""A file of variables for one identity, for a shell (`set -a; . FILE`) and for programs that read `.env` files.

The rule: mode 0600, replaced as a whole, never where git would add it. What is not ours stays: python-dotenv finds the
assignments, so a line within a value of several lines is none. The CA is a file in the same folder, because
`S3_CA_BUNDLE` is a path.
"""

import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, BUCKETS, NAMES, SECRET_ACCESS_KEY, Handover, bucket_variable
from model.written import WrittenError
from model.written_json import parse_json
from ops.keys.private_file import check_path
from ops.keys.targets.edited import opened, replace, with_ca
from ops.keys.targets.outcome import CannotDeliverError, Outcome, change_of, pair_of

#: A value that needs no quotes in a shell or in any parser of `.env` files.
_BARE = re.compile(r"[A-Za-z0-9_./:+=@,%-]+")


@dataclass(frozen=True)
class Dotenv:
    """A `.env` file.

    Attributes:
        path: The file.
    """

    path: Path

    def check(self) -> None:
        """Check that the path is legal and that git would not add it."""
        check_path(self.path)

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the CA, then the file."""
        if len(given) != 1:
            names = ", ".join(one.identity for one in given)
            raise CannotDeliverError(f"a file of variables holds one identity; choose one with --identity: {names}")
        (handover,) = given
        self.check()
        values = handover.keys() | handover.settings(str(self.path.parent.resolve() / handover.ca_name))
        file = opened(self.path)
        before = read_variables(file.after)
        ours = {*NAMES, *values, *_buckets_of(before)}
        gone = [name for name in before if name in ours and name not in values]
        self._check_lines(file.after, ours - values.keys())
        file.after = _replaced(file.after, {name: quoted(name, value) for name, value in values.items()}, ours)
        read = read_variables(file.after)
        if any(read.get(name) != value for name, value in values.items()) or any(name in read for name in gone):
            raise CannotDeliverError(
                f"{self.path} cannot be changed so that its readers agree on each variable: look for a quote that "
                "nothing closes, or name another file"
            )
        outcomes = [Outcome(name, change_of(before.get(name), value)) for name, value in values.items()]
        outcomes += [Outcome(f"{name} (removed)", "changed") for name in gone]
        return replace([*with_ca(self.path.parent, handover), (file, outcomes)])

    def _check_lines(self, text: str, unwanted: Iterable[str]) -> None:
        """Check that no line with several assignments sets a variable that is to go: it cannot be taken out."""
        for one in _bindings(text):
            set_here = [name for name in unwanted if _is_shared(one) and _sets(one.original.string, name)]
            if set_here:
                whole = one.original.string
                line = one.original.line + whole[: len(whole) - len(whole.lstrip())].count("\n")
                raise CannotDeliverError(
                    f"{self.path}, line {line}, sets {set_here[0]} beside another variable, and the key does not work "
                    "with it: take it out of that line"
                )

    def held(self, identity: str) -> KeyPair:
        """Read the file again."""
        found = read_variables(opened(self.path).after)
        return pair_of(found.get(ACCESS_KEY_ID), found.get(SECRET_ACCESS_KEY), f"{self.path}, for {identity},")


def quoted(name: str, value: str) -> str:
    """An assignment that a shell and python-dotenv read as the same value.

    Raises:
        CannotDeliverError: They would read different values.
    """
    line = f"{name}={value}" if _BARE.fullmatch(value) else f"{name}='{value}'"
    try:
        by_shell = shlex.split(line)
    except ValueError:
        by_shell = []
    by_library = dotenv_values(stream=io.StringIO(line))
    if not value or not value.isprintable() or by_shell != [f"{name}={value}"] or by_library != {name: value}:
        raise CannotDeliverError(
            f"the value of {name} contains a quote, a line end or `${{` and cannot be written to a file of variables"
        )
    return line


def read_variables(text: str) -> dict[str, str]:
    """The variables that a text sets; the last assignment of a name counts."""
    return {one.key: one.value or "" for one in _bindings(text) if one.key is not None}


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text, newline="")))


def _buckets_of(before: Mapping[str, str]) -> list[str]:
    """The bucket variables of an earlier delivery: those of the domains that it listed."""
    try:
        listed = parse_json(before.get(BUCKETS, "{}"), BUCKETS)
    except WrittenError:
        return []
    return [bucket_variable(domain) for domain in listed] if isinstance(listed, dict) else []


def _is_shared(one: Binding) -> bool:
    """Whether a shell reads several words in a line (`export A=x B=y`), of which python-dotenv reads one or none."""
    try:
        words = shlex.split(one.original.string, comments=True)
    except ValueError:
        words = []
    return one.error or len(words) > 1 + (words[:1] == ["export"])


def _sets(line: str, name: str) -> bool:
    return re.search(rf"\b{name}=", line) is not None


def _replaced(text: str, lines: Mapping[str, str], ours: set[str]) -> str:
    """The text with our variables replaced in place, and new ones at the end.

    A line with several assignments stays, and may set a variable of ours in a shell. The last assignment counts there,
    so ours is written again after it.
    """
    left, kept = dict(lines), list[str]()
    for one in _bindings(text):
        whole = one.original.string
        if _is_shared(one):
            left |= {name: line for name, line in lines.items() if _sets(whole, name)}
        if one.key not in ours or _is_shared(one):
            kept.append(whole)
            continue
        before = whole[: len(whole) - len(whole.lstrip())]
        kept.append(before)
        if one.key in left:
            export = "export " if whole.lstrip().startswith("export") else ""
            kept.append(f"{export}{left.pop(one.key)}\n")
    after = "".join(kept)
    if left and after and not after.endswith("\n"):
        after += "\n"
    return after + "".join(f"{line}\n" for line in left.values())
