"""Where pulumi finds a project, and where its program is."""

from pathlib import Path

import pytest

from stack.config import FOLDER_VARIABLE, program_folder


@pytest.mark.parametrize(
    ("name", "text", "folder"),
    [
        ("Pulumi.yaml", "name: a\nmain: infra/\n", "infra"),
        ("Pulumi.yaml", "name: a\nmain: ../../elsewhere\n", "../../elsewhere"),
        ("Pulumi.yml", "name: a\n", "."),
        ("Pulumi.json", '{"name": "a", "main": "infra"}', "infra"),
    ],
)
def test_program_is_where_the_project_file_says(tmp_path: Path, name: str, text: str, folder: str) -> None:
    """A command that is installed from another checkout reads the project that pulumi would read."""
    project = tmp_path / "checkout" / "project"
    (project / "below").mkdir(parents=True)
    (project / name).write_text(text, encoding="utf-8")

    assert program_folder({FOLDER_VARIABLE: str(project / "below")}) == (project / folder).resolve()


def test_program_without_a_project_file_is_nowhere(tmp_path: Path) -> None:
    """Nothing is guessed."""
    assert program_folder({FOLDER_VARIABLE: str(tmp_path)}) is None
