"""stack.state and stack.state_secret: what they read from an export, even if parts are missing."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from model.secrecy.redaction import redacted
from stack.runner import EngineError
from stack.state import config_and_state, read_state, resources_of, under_way
from stack.state_secret import is_secret, revealed, secret

RESOURCE = {"urn": "urn:pulumi:s::p::t::n", "type": "t"}
OPERATION = {"type": "creating", "resource": RESOURCE}
ENCRYPTED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc:def"}


@pytest.mark.parametrize(
    ("state", "resources", "operations"),
    [
        ({}, [], []),
        ({"deployment": None}, [], []),
        ({"deployment": {}}, [], []),
        ({"deployment": {"resources": None, "pending_operations": None}}, [], []),
        ({"deployment": {"resources": [RESOURCE]}}, [RESOURCE], []),
        ({"deployment": {"pending_operations": [OPERATION]}}, [], [OPERATION]),
        ({"deployment": {"resources": [RESOURCE], "pending_operations": [OPERATION]}}, [RESOURCE], [OPERATION]),
    ],
)
def test_what_a_state_holds(state: dict[str, Any], resources: list[object], operations: list[object]) -> None:
    """A stack that was never deployed holds nothing; Pulumi omits empty parts or writes null."""
    assert resources_of(state) == resources
    assert under_way(state) == operations


@pytest.mark.parametrize(
    ("value", "marked", "shown"),
    [
        ("text", False, "text"),
        (7, False, 7),
        ({"plaintext": "x"}, False, {"plaintext": "x"}),
        (secret("planted-state-secret"), True, "planted-state-secret"),
        ({**secret(""), "plaintext": json.dumps({"a": 1})}, True, {"a": 1}),
        (ENCRYPTED, True, ""),
    ],
)
def test_secret_of_a_state(value: object, marked: bool, shown: object) -> None:  # noqa: FBT001 - a row
    """A secret is recognised by Pulumi's mark; read in clear text, it is redacted from output."""
    assert is_secret(value) is marked
    assert revealed(value) == shown
    assert "planted-state-secret" not in redacted("planted-state-secret") or shown != "planted-state-secret"


def test_state_and_config_are_asked_of_pulumi(pulumi: Callable[[str], None]) -> None:
    """Config and state are read at the same time; the state alone is read without its secrets."""
    pulumi(
        'case "$*" in *config*show-secrets*) echo "{\\"a:b\\": {}}";; '
        '*export*show-secrets*) echo "{\\"deployment\\": {}}";; *export*) echo "{}";; *) exit 9;; esac'
    )

    assert config_and_state("local") == ({"a:b": {}}, {"deployment": {}})
    assert read_state("local") == {}


@pytest.mark.parametrize("printed", ["[]", "5", "", "hello planted-state-secret"])
def test_what_is_no_state_is_not_taken_for_one(pulumi: Callable[[str], None], printed: str) -> None:
    """Another program named pulumi is detected, and its output is not repeated."""
    pulumi(f"echo '{printed}'")
    with pytest.raises(EngineError, match="printed no JSON object; which pulumi") as caught:
        read_state("local")
    assert "planted" not in str(caught.value)
