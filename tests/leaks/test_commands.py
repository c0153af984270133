"""No command shows a secret, on its good or bad paths, in a stream, a file or an argument."""

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cli.main
from docs.prose import CODE
from tests.leaks.commands import BENEATH, COMMANDS
from tests.leaks.conftest import Ran, Site
from tests.leaks.watch import Left, Sampler

if TYPE_CHECKING:
    from concurrent.futures import Future

ROOT = Path(__file__).parents[2]
PACKAGES = ("docs", *CODE)
SECONDS = 300


def entry_points() -> set[str]:
    """Every module that `python -m` can start."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if ".venv" in path.parts:
                continue
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if path.name == "__main__.py":
                found.add(module.removesuffix(".__main__"))
            elif any(_asks_for_its_name(node) for node in ast.parse(path.read_text("utf-8")).body):
                found.add(module)
    return found


def _asks_for_its_name(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "'__main__'" in ast.unparse(node.test)


def test_every_command_is_watched() -> None:
    """A new entry point needs a line or a reason for having none; a reason without an entry point is an error too."""
    watched = {command.words[0] for command in COMMANDS if "--help" not in command.words}
    points = entry_points()

    assert points - watched - BENEATH.keys() == set()
    assert (watched - {"pulumi"}) | BENEATH.keys() <= points
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


def test_every_command_is_guarded() -> None:
    """Every entry point calls the guard at its start."""
    unguarded = {
        "cli",
        "policy",
        "docs.generate",
        "docs.prose",
        "docs.aws_policies",
        "sandbox.actionlint",
        "sandbox.bootstrap",
        "sandbox.engine.language_host",
        "trials.killing",
    }
    for module in entry_points() - unguarded:
        stem = ROOT.joinpath(*module.split("."))
        path = stem / "__main__.py" if stem.is_dir() else stem.with_suffix(".py")
        text = path.read_text("utf-8")
        assert "guard_output()" in text or "put_up()" in text, module
    assert "guard_output()" in inspect.getsource(cli.main.console).partition("main(")[0]


@pytest.mark.e2e
def test_deploying_shows_nothing(site: Site, deployed: Left) -> None:
    """From nothing to two verified stacks: the new secrets appear in no output and no file."""
    assert site.leaks(deployed) == set()
    assert b"proven" in deployed.output or b"verified" in deployed.errors


@pytest.mark.e2e
@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_command_shows_nothing(running: "dict[str, Future[Ran]]", name: str) -> None:
    """A line takes its intended path, and shows no secret on it."""
    ran = running[name].result(timeout=SECONDS)
    output = (ran.left.output + ran.left.errors).decode(errors="replace")

    assert ran.leaks == set()
    assert ran.left.status in ran.command.statuses, output[-3000:]
    assert ran.command.says in output


@pytest.mark.e2e
def test_nothing_passed_by(site: Site, running: "dict[str, Future[Ran]]", sampler: Sampler) -> None:
    """No process had a secret as an argument, and no temporary file held one."""
    for future in running.values():
        future.result(timeout=SECONDS)

    assert len(sampler.arguments) > 50
    assert sampler.shown_arguments(site.planted) == set()
    assert {
        what for (path, mode), content in sampler.files.items() for what in site.leaks_of_file(path, content, mode)
    } == set()
