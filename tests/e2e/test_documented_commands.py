"""README and docs: every command runs on the sandbox as it is written, or a comment says why it cannot."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented import PAGES, ROOT, blocks_of, runs_anything, script_of
from trials.checkout import TIMEOUT_SECONDS, Checkout, commands, copy_deployed, write_few_domains

MORE_FILES = ("Makefile", "README.md", "bench", "docs", "schemas", "trials", ".gitignore")


@pytest.mark.parametrize("page", PAGES)
def test_block_that_is_not_run_has_a_reason(page: str) -> None:
    """A comment before it says so in words, and names a test that exists where it names one."""
    for block in blocks_of(page):
        if block.not_run:
            assert len(block.not_run.split()) > 1, f"{page}:{block.line}"
            named = [word.strip(";,.") for word in block.not_run.split() if word.startswith("tests/")]
            assert all((ROOT / path).exists() for path in named), f"{page}:{block.line}: {named}"


def test_recipes_of_the_readme_run() -> None:
    """The recipes are not let off."""
    run = [block.text for block in blocks_of("README.md") if not block.not_run and block.added_to is None]

    assert any("keys rotate" in text for text in run)
    assert sum("pulumi up" in text for text in run) > 1


@pytest.fixture(scope="module", name="reader")
def _reader(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A deployed checkout as a newcomer has it: a repository of git, with all files that the pages name.

    Every page leaves it deployed, so the pages share it. It has one domain of each band, among them those of the pages.
    """
    checkout = copy_deployed(snapshot, tmp_path_factory.mktemp("reader") / "checkout", ["local"])
    write_few_domains(checkout.path, ("media-raw", "media-derived", "agent-loop-artifacts", "docs-raw", "docs-derived"))
    settled = checkout.up("local", "--stack", "local")
    assert settled.status == 0, settled.output
    for name in MORE_FILES:
        source, target = ROOT / name, checkout.path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    for message in ("before", "now"):
        git = ("git", "-c", "user.name=reader", "-c", "user.email=reader@example.com")
        for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--allow-empty", "-m", message)):
            subprocess.run([*git, *arguments], cwd=checkout.path, check=True)  # noqa: S603 - a repository of the test
    yield checkout
    checkout.python("cli", "sandbox", "down", "--stack", "all")


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if runs_anything(page)])
def test_commands_of_a_page_run(page: str, reader: Checkout, tmp_path: Path) -> None:
    """Line by line, in one shell; the first that fails ends it."""
    (tmp_path / ".config").mkdir()
    done = subprocess.run(
        ["bash"],  # noqa: S607 - the shell of the pages
        input=commands() + script_of(page),
        cwd=reader.path,
        env={
            **reader.environment("local"),
            "HOME": str(tmp_path),
            "PULUMI_SKIP_CONFIRMATIONS": "true",
        },
        capture_output=True,
        text=True,
        timeout=3 * TIMEOUT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
