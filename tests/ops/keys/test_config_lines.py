"""The lines of a stack's config: the writes through pulumi, and the lines that are shown."""

from pathlib import Path

import pytest

from model.generations import Generations
from ops.keys import config_lines
from ops.keys.config_lines import write_generations
from stack.config import FOLDER_VARIABLE
from stack.runner import Said

ONE, TWO, SECOND = Generations(), Generations(current=2, previous=1), Generations(current=2)
PLACE = 'object-store:credentials["session-archiver"]'


@pytest.fixture(name="told")
def _told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    (tmp_path / "Pulumi.yaml").write_text("name: object-store\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    calls: list[tuple[str, ...]] = []

    def run(*arguments: str) -> Said:
        calls.append(arguments)
        return Said(0, "", "")

    monkeypatch.setattr(config_lines, "run_pulumi", run)
    return calls


def test_next_generation_is_one_write(told: list[tuple[str, ...]]) -> None:
    """Current and previous are written together: one without the other would be a revocation."""
    write_generations("local", "session-archiver", ONE, TWO)
    assert told == [
        tuple(
            f"config set-all --path --plaintext {PLACE}.current=2 --plaintext {PLACE}.previous=1 --stack local".split()
        )
    ]


def test_retiring_takes_one_line_away(told: list[tuple[str, ...]]) -> None:
    """Only `previous` is removed."""
    write_generations("local", "session-archiver", TWO, SECOND)
    assert told == [("config", "rm", "--path", f"{PLACE}.previous", "--stack", "local")]


def test_revoking_of_two_goes_by_a_config_that_may_stand(told: list[tuple[str, ...]]) -> None:
    """The previous one is removed before the next one is set: after a kill in between, one key is declared."""
    write_generations("local", "session-archiver", TWO, TWO.revoked)
    assert [call[1] for call in told] == ["rm", "set-all"]
    assert f"{PLACE}.current=3" in told[1]


def test_lines_are_said_with_their_numbers(
    told: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed and added lines have file and line number; the stack may have its full name."""
    path = tmp_path / "Pulumi.local.yaml"
    head = "# of a person\nconfig:\n  object-store:credentials:\n    session-archiver:\n"
    path.write_text(head + "      current: 2\n      previous: 1\n", encoding="utf-8")

    def run(*arguments: str) -> Said:
        told.append(arguments)
        path.write_text(head + "      current: 2\n", encoding="utf-8")
        return Said(0, "", "")

    monkeypatch.setattr(config_lines, "run_pulumi", run)
    written = write_generations("me/object-store/local", "session-archiver", TWO, SECOND)
    assert written.lines == ("Pulumi.local.yaml:6: -       previous: 1",)


def test_file_is_where_pulumi_is_led(
    told: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of pulumi's --cwd counts, as it does for pulumi itself."""
    path = tmp_path / "elsewhere" / "Pulumi.local.yaml"
    path.parent.mkdir()
    (path.parent / "Pulumi.yaml").write_text("name: object-store\n", encoding="utf-8")
    path.write_text("config: {}\n", encoding="utf-8")
    monkeypatch.setenv(FOLDER_VARIABLE, "elsewhere")

    def run(*arguments: str) -> Said:
        told.append(arguments)
        path.write_text("config: {}\nthere: it is\n", encoding="utf-8")
        return Said(0, "", "")

    monkeypatch.setattr(config_lines, "run_pulumi", run)
    assert write_generations("local", "worker", ONE, TWO).lines == ("Pulumi.local.yaml:2: + there: it is",)


def test_values_are_said_where_the_file_is_elsewhere(told: list[tuple[str, ...]]) -> None:
    """If pulumi works in another folder, the line to look for is shown."""
    assert write_generations("local", "worker", ONE, TWO).lines == (
        "Pulumi.local.yaml: object-store:credentials.worker: {current: 2, previous: 1}",
    )
    assert told
