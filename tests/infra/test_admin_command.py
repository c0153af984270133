"""The admin's key pair from a command: both forms, from both versions of the CLI, every failure, and no output."""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from pulumi import dynamic
from pulumi.dynamic.config import Config

from infra.admin_command import command_credentials
from infra.admin_credentials import admin_credentials
from infra.identity.user import UserProvider
from infra.settings import settings_from
from model.problems import InvalidInputError

USER, PASSWORD = "provisioner", "planted-COMMAND-password-0123456789"
OBJECT = json.dumps({"user": USER, "password": PASSWORD})
ENVELOPE = {"success": True, "message": "leased", "data": {"value": OBJECT}}
WHERE = "Pulumi.local.yaml: object-store:"


def printing(text: str, *, status: int = 0) -> str:
    """A command that prints the text on both streams and ends with the status."""
    code = f"import sys; sys.stdout.write({text!r}); sys.stderr.write({text!r}); sys.exit({status})"
    return shlex.join([sys.executable, "-c", code])


def refusal(command: str, seconds: float = 30.0) -> str:
    """The message for a command that gives no key pair."""
    with pytest.raises(InvalidInputError) as caught:
        command_credentials(command, os.environ, WHERE, seconds)
    return str(caught.value)


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(OBJECT, id="object"),
        pytest.param(json.dumps(json.loads(OBJECT), indent=2) + "\n", id="object over several lines"),
        pytest.param(f"{USER}:{PASSWORD}\n", id="user:password"),
        pytest.param(json.dumps(ENVELOPE), id="object in the envelope of v0.4.1"),
        pytest.param(json.dumps({**ENVELOPE, "data": {"value": f"{USER}:{PASSWORD}"}}), id="user:password in it"),
    ],
)
def test_pair_is_read_in_every_form(printed: str) -> None:
    """Both forms of the value are read from both forms of a lease."""
    assert command_credentials(printing(printed), os.environ, WHERE) == (USER, PASSWORD)


def test_colon_in_the_password_belongs_to_it() -> None:
    """Only the first colon separates."""
    assert command_credentials(printing("u-1:a:b"), os.environ, WHERE) == ("u-1", "a:b")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("no-such-command-anywhere lease x", "'no-such-command-anywhere' cannot be run: No such file"),
        ("/", "'/' cannot be run: Permission denied"),
        ("secrets 'lease", "is not a command line (No closing quotation)"),
        ("  ", "is empty"),
        (printing(OBJECT, status=3), "ended with status 3"),
        (printing(""), "printed no key pair"),
        (printing(PASSWORD), "printed no key pair"),
        (printing(f":{PASSWORD}"), "printed no key pair"),
        (printing(f"Error: daemon said {PASSWORD}"), "printed no key pair"),
        (printing(json.dumps({"success": False, "message": f"locked {PASSWORD}"})), "printed no key pair"),
        (printing(json.dumps({"user": USER, "password": ""})), "printed no key pair"),
        (printing(json.dumps({"user": USER, "secret": PASSWORD})), "printed no key pair"),
        (printing(json.dumps([USER, PASSWORD])), "printed no key pair"),
        (printing("12345"), "printed no key pair"),
    ],
)
def test_failure_is_named_and_its_output_is_not_shown(command: str, expected: str) -> None:
    """The message says what failed, where, and a line to paste, but no output of the command from either stream."""
    said = refusal(command)

    assert f"{WHERE}adminCredentialsCommand: " in said
    assert expected in said
    assert "write: object-store:adminCredentialsCommand: secrets lease" in said
    assert PASSWORD not in said.replace(command, "")


def test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """After the time limit the command and its children are killed, and the message says so."""
    mark = tmp_path / "late"
    script = f"(sleep 2; echo x > {mark}) & sleep 60"

    assert "'sh' did not end within 0.5 s" in refusal(shlex.join(["sh", "-c", script]), seconds=0.5)
    time.sleep(2.2)
    assert not mark.exists()


def test_no_shell_reads_it_and_nobody_answers_it() -> None:
    """A semicolon, a redirection and a variable are plain words; standard input is empty."""
    code = "import sys; print('u:' + '|'.join(sys.argv[1:]) + '|' + sys.stdin.read())"

    assert command_credentials(f"{shlex.join([sys.executable, '-c', code])} ; > $HOME", os.environ, WHERE) == (
        "u",
        ";|>|$HOME|",
    )


def a_pair(name: str) -> tuple[str, str]:
    """A pair whose halves name their source."""
    return f"{name}-user", f"{name}-password"


CONFIG = dict(zip(("adminUser", "adminPassword"), a_pair("config"), strict=True))
ENVIRON = dict(zip(("AISTOR_ROOT_USER", "AISTOR_ROOT_PASSWORD"), a_pair("environment"), strict=True))
COMMAND = {"adminCredentialsCommand": printing(":".join(a_pair("command")))}
NEVER_RUN = {"adminCredentialsCommand": "no-such-command-anywhere"}


class TestOrder:
    """Config, environment, command: always a whole pair."""

    @pytest.mark.parametrize(
        ("values", "environ", "source"),
        [
            ({**CONFIG, **NEVER_RUN}, ENVIRON, "config"),
            (NEVER_RUN, ENVIRON, "environment"),
            (COMMAND, {}, "command"),
        ],
    )
    def test_first_source_that_has_a_pair_wins(
        self, values: Mapping[str, str], environ: Mapping[str, str], source: str
    ) -> None:
        """Later sources are not used."""
        assert admin_credentials(values.get, environ, WHERE) == a_pair(source)

    @pytest.mark.parametrize(
        ("values", "environ", "missing"),
        [
            ({"adminUser": "u"}, {}, "adminUser is set, but adminPassword is missing"),
            ({"adminPassword": PASSWORD}, ENVIRON, "adminPassword is set, but adminUser is missing"),
            (
                {"adminUser": "u", **COMMAND},
                {"AISTOR_ROOT_PASSWORD": "p"},
                "adminUser is set, but adminPassword is missing",
            ),
            (COMMAND, {"AISTOR_ROOT_USER": "u"}, "AISTOR_ROOT_USER is set, but AISTOR_ROOT_PASSWORD is missing"),
            ({}, {"AISTOR_ROOT_PASSWORD": PASSWORD}, "AISTOR_ROOT_PASSWORD is set, but AISTOR_ROOT_USER is missing"),
        ],
    )
    def test_half_a_pair_is_never_made_whole_from_elsewhere(
        self, values: Mapping[str, str], environ: Mapping[str, str], missing: str
    ) -> None:
        """The missing half is named; no other source supplies it."""
        with pytest.raises(InvalidInputError) as caught:
            admin_credentials(values.get, environ, WHERE)

        assert missing in str(caught.value)
        assert PASSWORD not in str(caught.value)

    def test_none_at_all_says_what_may_be_set(self) -> None:
        """The message names all three sources."""
        with pytest.raises(InvalidInputError) as caught:
            admin_credentials(dict[str, str]().get, {}, WHERE)

        for name in ("adminUser", "AISTOR_ROOT_PASSWORD", "object-store:adminCredentialsCommand"):
            assert name in str(caught.value)

    @pytest.mark.parametrize("pair", ["minioadmin:other-secret-1", "provisioner:minioadmin"])
    def test_vendor_defaults_of_a_command_are_refused(self, pair: str) -> None:
        """They are refused from every source; the problem names the command."""
        with pytest.raises(InvalidInputError, match="vendor's default credentials") as caught:
            admin_credentials({"adminCredentialsCommand": printing(pair)}.get, {}, WHERE)

        assert "adminCredentialsCommand" in str(caught.value)


AISTOR = {"cloud": "aistor", "env": "test", "endpoint": "https://127.0.0.1:9000"}


def test_stack_config_takes_the_key() -> None:
    """A stack's settings contain what the command printed."""
    found = settings_from({**AISTOR, **COMMAND}, "test", Path(), os.environ).aistor

    assert found is not None
    assert (found.admin_user, found.admin_password) == a_pair("command")


def test_key_is_for_aistor_only() -> None:
    """On AWS the SDK's credential chain supports commands (`credential_process`)."""
    with pytest.raises(InvalidInputError, match="adminCredentialsCommand: is for AIStor only"):
        settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2", **COMMAND}, "test", Path(), {})


def test_dynamic_providers_read_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dynamic provider reads its keys with the same code."""
    for name in ENVIRON:
        monkeypatch.delenv(name, raising=False)
    provider = UserProvider()
    config = {f"object-store:{key}": value for key, value in COMMAND.items()}
    provider.configure(dynamic.ConfigureRequest(Config(config, "object-store")))

    assert (provider._user, provider._password) == a_pair("command")
