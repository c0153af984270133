"""Every command that a message advises is in the lines of a bad day, or a named test tries it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from trials.bad_days.advice import TRIED, TriedBy, command_in
from trials.bad_days.days import DAYS
from trials.bad_days.lines import DOCS, lines_of

ROOT = Path(__file__).parents[2]
PRODUCT = ("model", "infra", "ops", "verify", "stack", "policy", "cli", "object_store")
_NAMES = r"(?<![\w./$-])(?:object-store|pulumi|mc|aws|timedatectl)"
_STARTS = re.compile(rf"{_NAMES} [a-z]")
# In the source of a module, where a literal may end anywhere between two words.
_NAMED = re.compile(rf"""{_NAMES}(?: (?!import )[a-z]| ?["']\s*[a-z]?["'])""")
_NOT_RUN = re.compile(r"<!-- not run: (.*?) -->", re.DOTALL)


def messages(source: str) -> Iterator[str]:
    """The texts of a module that are no docstrings, with `{}` for each value."""
    if not _NAMED.search(source):  # parsing takes most of the time
        return
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
            pending += [one for one in node.values if not isinstance(one, ast.Constant)]
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.value
        else:
            pending += ast.iter_child_nodes(node.value if isinstance(node, ast.Expr) else node)


def commands_in(text: str) -> Iterator[str]:
    """The commands of a text, as `command_in` has them."""
    for start in _STARTS.finditer(text):
        command = command_in(text[start.start() :])
        if command is not None:
            yield command


def advised() -> dict[str, str]:
    """Each advised command, and a module that advises it."""
    found: dict[str, str] = {}
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            for text in messages(path.read_text(encoding="utf-8")):
                for command in commands_in(text):
                    found.setdefault(command, str(path.relative_to(ROOT)))
    return found


def rehearsed() -> set[str]:
    """The commands in the lines of the bad days."""
    return {command for day in DAYS for command in commands_in(lines_of(day.section))}


ADVISED = advised()


@pytest.mark.parametrize("command", ADVISED)
def test_advised_command_is_tried(command: str) -> None:
    """A person who follows a message on a bad day runs a line that somebody has run before."""
    assert command in rehearsed() or command in TRIED, f"{ADVISED[command]} advises what no bad day and no test tries"


def test_table_has_nothing_else() -> None:
    """A command that is no longer advised, or that a bad day has, is not in the table."""
    assert set(TRIED) == ADVISED.keys() - rehearsed()


@pytest.mark.parametrize("command", [command for command, how in TRIED.items() if isinstance(how, TriedBy)])
def test_named_test_exists(command: str) -> None:
    """The table names a test that is there, in a file that has the words for it."""
    how = TRIED[command]
    assert isinstance(how, TriedBy)
    path, _, name = how.test.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")

    assert re.search(rf"^ *(?:async )?def {name}\(", source, re.MULTILINE), how.test
    assert how.words
    for word in how.words:
        assert word in source, (how.test, word)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_file_that_a_page_names_exists(page: Path) -> None:
    """A block of a page that no test runs as it stands names the file that tries its commands, and it is there."""
    for reason in _NOT_RUN.findall(page.read_text(encoding="utf-8")):
        for named in re.findall(r"tests/[\w/.]+\w", reason):
            assert (ROOT / named).exists(), named


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("pulumi up --refresh --stack local", "pulumi up --refresh"),
        ("pulumi up with this checkout", "pulumi up"),
        ("object-store keys retire {} --stack {}", "object-store keys retire"),
        ("pulumi config set {}:adminUser NAME", "pulumi config set object-store:adminUser"),
        (
            "pulumi config set --path --type string 'object-store:a[0]' 1",
            "pulumi config set --path --type object-store:a",
        ),
        ("object-store recover --stack {} --all-gone", "object-store recover --all-gone"),
        ("aws cloud needs a region", None),
        ("pulumi is not on the path", None),
    ],
)
def test_command_in_a_sentence(text: str, command: str | None) -> None:
    """It ends where the sentence goes on; the stack and the values do not count."""
    assert command_in(text) == command
