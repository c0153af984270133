"""Where a rehearsal deploys its stack: the sandbox, or a server that somebody else runs, with an installed plugin.

The rule: what a rehearsal makes on a given server has an environment code of its own, and the rehearsal removes it.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.admin_api import NotFoundError
from infra.namespace import NAMESPACE
from model.resources import By
from sandbox.child import signals_held
from sandbox.folder import write_private
from sandbox.server.process import AdminCredentials
from trials.bad_days.changes_of_access import remove_admin
from trials.bad_days.stack import ISSUER, TRUST, BadDayError, Stack
from trials.checkout import Address, Checkout, copy_checkout


@dataclass(frozen=True)
class CheckoutForGiven(Checkout):
    """A copied checkout whose `local` stack leads to a given server; it uses the installed pulumi and plugin.

    The admin's access key is in AISTOR_ROOT_USER and AISTOR_ROOT_PASSWORD.

    Attributes:
        given: The server.
    """

    given: Address

    def environment(self, stack: str | None = None) -> dict[str, str]:
        """The caller's environment, with a backend of its own."""
        del stack
        own = {
            "PYTHONPATH": str(self.path),
            "PULUMI_BACKEND_URL": f"file://{self.state_folder('local')}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase_file("local")),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        # It would win over the file.
        return {**{key: value for key, value in os.environ.items() if key != "PULUMI_CONFIG_PASSPHRASE"}, **own}

    def address(self, stack: str) -> Address:
        """The given server."""
        del stack
        return self.given

    def admin(self, stack: str) -> AdminCredentials:
        """The admin's access key, from the environment."""
        del stack
        return AdminCredentials(user=os.environ["AISTOR_ROOT_USER"], password=os.environ["AISTOR_ROOT_PASSWORD"])

    def config_file(self, stack: str) -> Path:
        """The config file in the copy itself."""
        return self.path / f"Pulumi.{stack}.yaml"

    def state_folder(self, stack: str) -> Path:
        """A folder beside the copy."""
        del stack
        return self.path / "state"

    def passphrase_file(self, stack: str) -> Path:
        """A file in the copy."""
        del stack
        return self.path / "passphrase"

    def engine(self, stack: str) -> str:
        """The installed pulumi."""
        del stack
        return shutil.which("pulumi") or "pulumi"


@contextmanager
def in_sandbox(folder: Path, by: By, domains: Sequence[str] | None = None) -> Iterator[Stack]:
    """A stack that is deployed to a sandbox of its own.

    Args:
        folder: A folder that does not exist yet.
        by: What implements its identities.
        domains: The domains that its taxonomy keeps; None keeps all.

    Raises:
        BadDayError: The update fails.
        SandboxError: A part does not start.
    """
    checkout = copy_checkout(_made(folder), domains)
    stack = Stack(checkout, by)
    if by == "aws":
        _write_config(checkout.path / "Pulumi.aws.yaml", TRUST)
    try:
        checkout.must("sandbox", "up", "--stack", stack.name, *([] if by == "aws" else ["--admin-api", by]))
        if by == "aws":
            stack.iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
        else:
            stack.set_config(adminApi=by)
        stack.set_config(protect=True, emptyOnDestroy=None)  # as a stack of one's own is
        stack.must("up", "--yes", "--skip-preview")
        yield stack
    finally:
        with signals_held():
            checkout.must("sandbox", "down", "--stack", stack.name)


@contextmanager
def on_server(folder: Path, by: By, given: Address, domains: Sequence[str] | None = None) -> Iterator[Stack]:
    """A stack that is deployed to a given server, with an environment code of its own.

    Args:
        folder: A folder that does not exist yet.
        by: What implements its identities.
        given: The server.
        domains: The domains that its taxonomy keeps; None keeps all.

    Raises:
        BadDayError: The update fails, or something remains on the server.
    """
    checkout = CheckoutForGiven(copy_checkout(_made(folder), domains).path, given)
    config: dict[str, Any] = {
        "env": f"bd{secrets.token_hex(3)}",
        "endpoint": given.endpoint,
        "clientEndpoint": None,
        "region": given.region,
        "caBundle": None,
        "adminApi": by,
    }
    if given.ca_file is not None:
        shutil.copy2(given.ca_file, checkout.path / "given-ca.pem")
        config["caBundle"] = "given-ca.pem"
    _write_config(checkout.config_file("local"), config)
    (checkout.path / ".venv").symlink_to(Path(sys.prefix))
    (checkout.path / "infra" / ".venv").unlink(missing_ok=True)
    (checkout.path / "infra" / ".venv").symlink_to("../.venv")
    checkout.state_folder("local").mkdir()
    write_private(checkout.passphrase_file("local"), secrets.token_urlsafe())
    stack = Stack(checkout, by)
    try:
        _succeeds(checkout, checkout.engine("local"), "stack", "init", "local", "--non-interactive")
        stack.must("up", "--yes", "--skip-preview")
        yield stack
    finally:
        with signals_held():
            _remove(stack, {**config, "adminUser": None, "adminPassword": None})


def _remove(stack: Stack, config: Mapping[str, Any]) -> None:
    """Remove the stack from a given server; the config has the server's own admin, as a day may end in the middle."""
    remove_admin(stack)
    _write_config(stack.config_file, config)
    stack.set_config(protect=False, emptyOnDestroy=True)
    for command in ("up", "destroy"):
        stack.pulumi(command, "--yes", "--skip-preview")
    _remove_buckets(stack)
    _remove_identities(stack)
    stack.pulumi("refresh", "--yes", "--skip-preview")
    stack.pulumi("destroy", "--yes", "--skip-preview")
    _check_nothing_remains(stack)


def _remove_buckets(stack: Stack) -> None:
    """Remove what a destruction leaves: cold buckets, with the probes that `verify` put under a short lock."""
    s3 = stack.s3
    planned = {bucket.name for bucket in stack.plan.buckets}
    for name in planned & {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(
                    Bucket=name, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True
                )
        s3.delete_bucket(Bucket=name)


def _remove_identities(stack: Stack) -> None:
    """Remove the users and policies that a state does not hold after a day with a bad end; a user's keys go with it."""
    with stack.api() as api:
        for identity in stack.plan.identities:
            for remove in (api.remove_user, api.remove_policy):
                with suppress(NotFoundError):
                    remove(identity.user_name)


def _check_nothing_remains(stack: Stack) -> None:
    """Raise an error that names the users of the rehearsal that are still on the server."""
    remaining = []
    with stack.api() as api:
        for identity in stack.plan.identities:
            with suppress(NotFoundError):
                api.user(identity.user_name)
                remaining.append(identity.user_name)
    if remaining:
        raise BadDayError(f"remove these users by hand, with their access keys: {', '.join(remaining)}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _write_config(path: Path, values: Mapping[str, Any]) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    held = document["config"] | {f"{NAMESPACE}:{key}": value for key, value in values.items()}
    document["config"] = {key: value for key, value in held.items() if value is not None}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _succeeds(checkout: Checkout, *command: str) -> None:
    done = checkout.run(command, "local")
    if done.status:
        raise BadDayError(done.output[-1500:])
