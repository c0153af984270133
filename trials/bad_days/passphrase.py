"""Bad days of the passphrase of a stack's secrets.

The rule: the file of the passphrase has another one afterwards, so every command is refused that needs a secret.
"""

import json
import secrets
from dataclasses import asdict

from sandbox.folder import write_private
from trials.bad_days.stack import BadDayError, Stack

_KEYS = "credentials.json"


def lose_passphrase(stack: Stack) -> None:
    """The passphrase is lost."""
    write_private(stack.checkout.passphrase_file(stack.name), secrets.token_urlsafe())
    done = stack.pulumi("up", "--yes", "--skip-preview")
    if "incorrect passphrase" not in done.output:
        raise BadDayError("the state was read with another passphrase")


def lose_passphrase_but_no_keys(stack: Stack) -> None:
    """The passphrase is lost, and the workloads' access keys were written to a file."""
    pairs = {name: asdict(pair) for name, pair in stack.credentials().items()}
    write_private(stack.checkout.path / _KEYS, json.dumps(pairs))
    lose_passphrase(stack)


def new_passphrase(stack: Stack) -> dict[str, str]:
    """The file of the new passphrase and the stack's config file in the documented lines, and the admin's key pair."""
    question = "pulumi config set --secret object-store:adminPassword"
    answer = "true"
    if stack.by != "aws":
        admin = stack.checkout.admin(stack.name)
        answer = (
            f"printf %s {admin.user} | pulumi config set --secret object-store:adminUser\n"
            f"printf %s {admin.password} | {question}"
        )
    return {
        "/path/to/new-passphrase": str(stack.checkout.passphrase_file(stack.name)),
        "Pulumi.local.yaml": str(stack.config_file),
        question: answer,
    }


def new_passphrase_and_old_keys(stack: Stack) -> dict[str, str]:
    """As `new_passphrase`, with the option that the section has for a file of access keys."""
    adopt = "object-store adopt --stack local"
    return {**new_passphrase(stack), adopt: f"{adopt} --credentials {_KEYS}"}
