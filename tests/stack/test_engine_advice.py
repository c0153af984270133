"""The advice after an error of the engine fits its cause."""

import pytest

from stack.engine_advice import with_advice

WRONG = "error: failed to decrypt: incorrect passphrase, please set PULUMI_CONFIG_PASSPHRASE"
NONE = "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
FOREIGN = "error: could not decrypt configuration values: cipher: message authentication failed"
TORN = "error: failed to load checkpoint: place 1: unexpected end of JSON input"
EMPTY = "error: failed to load checkpoint: EOF"
LOCKED = "error: the stack is currently locked by 1 lock(s). Either wait or delete the lock file with `pulumi cancel`."


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("error: no stack named 'prod' found", "pulumi stack init prod"),
        (WRONG, "docs/operations.md, The passphrase is lost"),
        (NONE, "docs/operations.md, The passphrase is lost"),
        (FOREIGN, "set again each config value with `secure:`"),
        (LOCKED, "object-store recover --stack STACK"),
        (EMPTY, "object-store recover --stack STACK"),
        (TORN, "docs/operations.md, The checkpoint cannot be loaded"),
    ],
)
def test_known_cause_has_its_own_advice(said: str, advice: str) -> None:
    """The engine's words come first; only a stack that does not exist gets the line that creates one."""
    found = with_advice(said)

    assert found.startswith(f"{said}\n")
    assert advice in found
    assert ("stack init" in found) == ("no stack named" in said)


def test_other_words_stay_as_they_are() -> None:
    """What is not known gets no advice that could mislead."""
    assert with_advice("error: the backend does not answer") == "error: the backend does not answer"
