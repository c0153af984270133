"""stack.outputs: one reader for all commands; no error and no traceback contains what pulumi printed."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from model.deployment import build_deployment
from model.plan import build_plan
from model.problems import InvalidInputError
from model.taxonomy_file import load
from stack.outputs import NothingPublishedError, read_deployment, read_published
from stack.runner import EngineError, NoEngineError

ROOT = Path(__file__).parents[2]
PLANTED = "planted-secret-key-of-worker"
PLAN = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test: ")
DEPLOYMENT = build_deployment(PLAN, stack="local", cloud="aistor", region="us-east-1").model_dump(mode="json")
PAIR = {"access_key_id": "AKIAWORKER", "secret_access_key": PLANTED}
OUTPUTS = {"deployment": DEPLOYMENT, "credentials": {"worker": PAIR}}

Pulumi = Callable[[str], None]

PRINTS_AND_FAILS = [
    pytest.param("exit 3", "exit status 3", id="fails in silence"),
    pytest.param("echo 'error: no stack named x' >&2; exit 255", "no stack named x", id="says why"),
    pytest.param("echo '}'", "printed no JSON object", id="no JSON"),
]
COMMANDS = [
    pytest.param(["verify", "--stack", "local"], id="verify"),
    pytest.param(["cli", "verify-job", "--stack", "local", "--secret-manifest"], id="job"),
    pytest.param(["cli", "keys", "deliver", "--stack", "local", "--to", "json"], id="deliver"),
    pytest.param(["cli", "preview", "--stack", "local"], id="preview"),
]


def printing(tmp_path: Path, outputs: object) -> str:
    """A script that prints outputs."""
    (tmp_path / "outputs").write_text(json.dumps(outputs), encoding="utf-8")
    return f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/outputs'


def test_what_is_published_is_read(pulumi: Pulumi, tmp_path: Path) -> None:
    """The key pairs are read, no representation shows them, and pulumi never prompts."""
    pulumi(printing(tmp_path, OUTPUTS))
    found = read_published("local")

    assert found.deployment.stack == "local"
    assert found.credentials["worker"].secret_access_key.get_secret_value() == PLANTED
    assert PLANTED not in repr(found)
    assert {"--show-secrets", "--non-interactive"} <= set((tmp_path / "asked").read_text().split())


def test_deployment_alone_asks_for_no_secret(pulumi: Pulumi, tmp_path: Path) -> None:
    """Reading only the deployment does not decrypt secrets."""
    pulumi(printing(tmp_path, {**OUTPUTS, "credentials": "[secret]"}))

    assert read_deployment("local").stack == "local"
    assert "--show-secrets" not in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("outputs", [{}, {"deployment": DEPLOYMENT}, {"credentials": {"worker": PAIR}}, {"else": 1}])
def test_stack_that_was_never_deployed_has_published_nothing(
    pulumi: Pulumi, tmp_path: Path, outputs: dict[str, object]
) -> None:
    """Half of the outputs counts as nothing, and the message says what to run."""
    pulumi(printing(tmp_path, outputs))
    for read in (read_published, read_deployment):
        with pytest.raises(NothingPublishedError, match="published nothing yet; first: pulumi up --stack local"):
            read("local")


@pytest.mark.parametrize(
    ("outputs", "error", "said"),
    [
        ({"credentials": {"worker": {"secret_access_key": PLANTED}}}, EngineError, "malformed at worker.access_key_id"),
        ({"credentials": {"worker": {**PAIR, PLANTED: PLANTED}}}, EngineError, "the credentials are malformed"),
        ({"credentials": [PLANTED]}, EngineError, "the credentials are malformed"),
        ({"deployment": {"version": 7, "plan": PLANTED}}, InvalidInputError, "the deployment has version 7"),
        ({"deployment": PLANTED}, InvalidInputError, "stack local"),
    ],
)
def test_malformed_outputs_are_told_without_a_value(
    pulumi: Pulumi, tmp_path: Path, outputs: dict[str, object], error: type[Exception], said: str
) -> None:
    """Malformed outputs are reported by place; neither the message nor the traceback repeats a value."""
    pulumi(printing(tmp_path, {**OUTPUTS, **outputs}))
    with pytest.raises(error) as caught:
        read_published("local")

    assert said in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert PLANTED not in shown.replace(f".{PLANTED}", "")  # a key's name is a place


def test_name_and_engine_are_checked_first(pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that could be an option never reaches a command line."""
    pulumi("exit 0")
    for name in ("; rm", "a b", "$(x)", ""):
        with pytest.raises(EngineError, match="is not a stack name"):
            read_published(name)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoEngineError, match="pulumi is not on the path"):
        read_published("local")


@pytest.mark.parametrize(("end", "said"), PRINTS_AND_FAILS)
def test_engine_that_prints_and_fails(pulumi: Pulumi, tmp_path: Path, end: str, said: str) -> None:
    """No error repeats the output of a failed command, because it may be the key pairs."""
    pulumi(f"{printing(tmp_path, OUTPUTS)}; {end}")
    with pytest.raises(EngineError) as caught:
        read_published("local")

    assert said in str(caught.value)
    assert PLANTED not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("end", ["exit 3", "echo '}'"])
@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_shows_what_pulumi_printed(pulumi: Pulumi, tmp_path: Path, words: list[str], end: str) -> None:
    """Every command that reads outputs ends with one message and exit status 2, and no traceback."""
    pulumi(f"{printing(tmp_path, OUTPUTS)}; {end}")
    done = subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ)
    )

    said = done.stdout + done.stderr
    assert PLANTED not in said
    assert "Traceback" not in said
    assert done.returncode == 2, said
