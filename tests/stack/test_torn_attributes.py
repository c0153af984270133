"""stack.torn_attributes: a state is read behind an empty file that a killed engine left, and nothing else goes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stack.runner import EngineError, TornError
from stack.torn_attributes import read_mended_state

# The engine's words and order: it reads the attributes of the state's file before the file.
FAKE = """
echo "$1 $2" >> {calls}
case "$1 $2" in
    "whoami --verbose") printf '{{"url": "%s"}}' "{url}" ;;
    "stack export")
        if [ -f {attributes} ] && [ ! -s {attributes} ]; then
            echo "error: failed to load checkpoint: EOF" >&2; exit 1
        fi
        echo '{{"deployment": {{}}}}' ;;
esac
"""


@pytest.fixture(name="backend")
def _backend(tmp_path: Path) -> Path:
    """A backend of files whose state and one copy have empty attributes."""
    backend = tmp_path / "backend"
    for name, content in {
        "stacks/object-store/local.json": "{}",
        "stacks/object-store/local.json.attrs": "",
        "stacks/object-store/local.json.bak.attrs": "{}",
        "history/object-store/local/local-1.history.json.attrs": "",
        "locks/organization/object-store/local/1.json": "",
    }.items():
        file = backend / ".pulumi" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return backend


def state_behind(backend: Path, url: str, pulumi: Callable[[str], None]) -> Path:
    """Put the engine on the path; returns the file with its calls."""
    calls = backend.parent / "calls"
    attributes = backend / ".pulumi/stacks/object-store/local.json.attrs"
    pulumi(FAKE.format(calls=calls, url=url, attributes=attributes))
    return calls


@pytest.mark.parametrize("form", ["file://{backend}", "file://{backend}?no_tmp_dir=true", "file://~", "file://backend"])
def test_empty_attributes_are_removed(
    backend: Path,
    pulumi: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
) -> None:
    """They alone go, wherever the backend's address says that it lies; each is named, and the state is read."""
    monkeypatch.setenv("HOME", str(backend))
    monkeypatch.setenv("PULUMI_OPTION_CWD", str(backend.parent))
    state_behind(backend, form.format(backend=backend), pulumi)
    before = {file for file in backend.rglob("*") if file.is_file()}

    assert read_mended_state("local") == {"deployment": {}}

    assert sorted(file.name for file in before - set(backend.rglob("*"))) == [
        "local-1.history.json.attrs",
        "local.json.attrs",
    ]
    assert capsys.readouterr().err.count(", which a killed engine left empty\n") == 2


def test_state_that_can_be_read_costs_one_call(backend: Path, pulumi: Callable[[str], None]) -> None:
    """Where nothing is torn, the backend is not looked at."""
    calls = state_behind(backend, f"file://{backend}", pulumi)
    (backend / ".pulumi/stacks/object-store/local.json.attrs").unlink()

    assert read_mended_state("local") == {"deployment": {}}
    assert calls.read_text(encoding="utf-8") == "stack export\n"


def test_other_backend_is_left_alone(backend: Path, pulumi: Callable[[str], None]) -> None:
    """A bucket has no such files; the engine's words stay, with the line that helps."""
    state_behind(backend, "s3://states", pulumi)

    with pytest.raises(TornError, match=r"checkpoint: EOF\n.*object-store recover --stack STACK"):
        read_mended_state("local")
    assert (backend / ".pulumi/stacks/object-store/local.json.attrs").exists()


def test_engine_that_is_writing_is_asked_again(tmp_path: Path, pulumi: Callable[[str], None]) -> None:
    """A file that is empty for a moment is no failure of a command that reads."""
    pulumi(
        f'echo x >> {tmp_path}/asked\n[ "$(wc -l < {tmp_path}/asked)" -gt 1 ] || '
        '{ echo "error: failed to load checkpoint: EOF" >&2; exit 1; }\necho \'{"deployment": null}\''
    )

    assert read_mended_state("local") == {"deployment": None}


def test_other_failure_is_not_repeated(tmp_path: Path, pulumi: Callable[[str], None]) -> None:
    """A state that is torn itself, or a stack that does not exist, is said at once."""
    pulumi(f"echo x >> {tmp_path}/asked\necho \"error: no stack named 'local' found\" >&2; exit 1")

    with pytest.raises(EngineError, match="pulumi stack init local"):
        read_mended_state("local")
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "x\n"
