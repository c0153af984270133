"""cli.commands: the list agrees with each command's own help, and help fits a terminal of 80 columns."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import COMMANDS, OBJECTS, loaded
from cli.main import main

ROOT = Path(__file__).parents[2]
GROUPS = {name: sorted(found) for name in COMMANDS if (found := getattr(loaded(name), "commands", {}))}
LEAVES: list[tuple[str, ...]] = [(name,) for name in COMMANDS if name not in GROUPS]
LEAVES += [(group, name) for group, names in GROUPS.items() for name in names]
SCREEN_LINES = 42


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The output of `--help`."""
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_line_of_the_list_is_the_first_of_its_help(name: str) -> None:
    """The list imports no command, so its texts exist twice and are equal."""
    assert (loaded(name).help or "").strip().splitlines()[0] == COMMANDS[name].text


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), *LEAVES], ids=" ".join)
def test_help_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """No line is wider, no text is truncated, and each option has a description."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = help_of(capsys, *words).splitlines()

    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]
    options = [line for line in lines if line.lstrip().startswith("-") and not line.rstrip().endswith(">")]
    assert not [line for line in options if len(line.strip().split("  ")) < 2 and "[OPTIONS]" not in line]


def test_list_is_grouped_and_fits_one_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has every command, in its group, in the order of the table."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = help_of(capsys).splitlines()

    assert len(lines) <= SCREEN_LINES
    shown = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS]
    assert shown == list(COMMANDS)
    assert f"{OBJECTS}:" in lines


def test_list_waits_for_no_library() -> None:
    """Neither the list nor the version imports the libraries of a command."""
    program = "import sys\nfrom cli.main import main\nmain(sys.argv[1:])\n"
    program += "print(sorted({'pulumi', 'boto3', 'obstore', 'pytest', 'moto'} & set(sys.modules)), file=sys.stderr)"
    for words in (["--help"], ["--version"]):
        done = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stderr == "[]\n"


def test_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is one number after the command's name."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("object-store 0.")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("object-store pre", {"preflight", "preview", "presign"}),
        ("object-store keys re", {"retire", "revoke"}),
        ("object-store preview --off", {"--offline"}),
        ("object-store switch-admin-api --to v", {"v3", "v4"}),
    ],
)
def test_words_are_completed(typed: str, completed: set[str]) -> None:
    """Completion in bash offers commands, subcommands, options and their values."""
    words = typed.split()
    asked = {
        **os.environ,
        "_OBJECT_STORE_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cli"], cwd=ROOT, env=asked, capture_output=True, text=True, check=False
    )

    assert set(done.stdout.split()) == completed, done.stderr
