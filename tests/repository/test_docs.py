"""The generated files match the code."""

from docs.generate import generated


def test_generated_files_are_current() -> None:
    """`make docs` would change nothing."""
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, f"run `make docs`: {path.name}"
