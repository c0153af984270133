"""An admin with only the policy of docs/provisioning-admin.md deploys both stacks on the real engine.

tests/infra/components/test_admin_policy.py shows without an engine that each action of the policy is needed.
"""

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.folder import write_private
from sandbox.server.minio_iam_client import MinioIamClient
from sandbox.server.process import admin_credentials, running_server
from tests.sizes import on
from trials.checkout import ONE_OF_EACH_BAND, Checkout, Done, copy_checkout

pytestmark = pytest.mark.e2e

NAME = "provisioner"
PASSWORD = "planted-password-of-the-provisioner"  # noqa: S105 - planted


@dataclass(frozen=True)
class Provisioned:
    """A sandbox with a provisioning admin that is not root.

    Attributes:
        checkout: The copy.
        stack: The stack.
        keys: The admin's keys in the environment: all of them on AWS; on AIStor a command prints them.
        attach: Gives the admin its policy.
    """

    checkout: Checkout
    stack: str
    keys: dict[str, str]
    attach: Callable[[], object]

    def pulumi(self, *arguments: str) -> Done:
        """A pulumi command by the admin."""
        return self.checkout.pulumi(self.stack, *arguments, "--stack", self.stack, more=self.keys)

    def python(self, *arguments: str) -> Done:
        """One of our modules, by the admin."""
        return self.checkout.run([sys.executable, "-m", *arguments, "--stack", self.stack], self.stack, self.keys)

    def refused(self) -> list[str]:
        """The requests that the server refused to the admin."""
        log = self.checkout.folder(self.stack).server_log.parent / "serve.log"
        return re.findall(rf"refused (.*) to \S*/{NAME}$", log.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(name="provisioned")
def _provisioned(engine: None, stack: str, tmp_path: Path) -> Iterator[Provisioned]:
    """Root creates the admin as the page says, before any deployment."""
    del engine
    checkout = copy_checkout(tmp_path, ONE_OF_EACH_BAND)
    try:
        up = checkout.python("cli", "sandbox", "up", "--stack", stack)
        assert up.status == 0, up.output
        printed = checkout.run(
            [sys.executable, "-m", "cli", "admin-policy", "--stack", stack], stack, {"PYTHONWARNINGS": "ignore"}
        )
        assert printed.status == 0, printed.output
        make = _on_aistor if stack == "local" else _on_aws
        yield Provisioned(checkout, stack, *make(checkout, json.loads(printed.output)))
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", stack)


def _on_aistor(checkout: Checkout, policy: dict[str, object]) -> tuple[dict[str, str], Callable[[], object]]:
    folder = checkout.folder("local")
    server, root = running_server(folder), admin_credentials(folder)
    assert server is not None
    iam = MinioIamClient(server.endpoint, root.user, root.password, server.ca_bundle)
    iam.add_canned_policy(NAME, policy)
    iam.add_user(NAME, PASSWORD)
    pair = checkout.path / "pair.json"
    write_private(pair, json.dumps({"user": NAME, "password": PASSWORD}))
    for key in ("adminUser", "adminPassword"):
        assert checkout.pulumi("local", "config", "rm", f"object-store:{key}").status == 0
    command = shlex.join(["cat", str(pair)])
    assert checkout.pulumi("local", "config", "set", "object-store:adminCredentialsCommand", command).status == 0
    return {}, lambda: iam.attach_policy(NAME, [NAME])


def _on_aws(checkout: Checkout, policy: dict[str, object]) -> tuple[dict[str, str], Callable[[], object]]:
    iam = checkout.client("aws", "iam")
    made = iam.create_policy(PolicyName=NAME, PolicyDocument=json.dumps(policy))["Policy"]
    iam.create_user(UserName=NAME)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    pair = {"user": key["AccessKeyId"], "password": key["SecretAccessKey"]}
    write_private(checkout.folder("aws").server / "plugin-keys.json", json.dumps(pair))
    for command in (("down", "--keep"), ("up",)):
        done = checkout.python("cli", "sandbox", *command, "--stack", "aws")
        assert done.status == 0, done.output
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    # A new client, because the server may have another port now.
    return keys, lambda: checkout.client("aws", "iam").attach_user_policy(UserName=NAME, PolicyArn=made["Arn"])


@on("stack", ["aws"], left=["local"])
def test_stack_comes_up_and_goes_with_just_the_policy(provisioned: Provisioned) -> None:
    """With the policy, preflight, up, an empty preview, refresh and destroy succeed; without it the server refuses."""
    assert provisioned.pulumi("up", "--yes", "--skip-preview").status != 0
    before = provisioned.refused()
    assert before
    provisioned.attach()
    for done in (
        provisioned.python("cli", "preflight", "--before", "up"),
        provisioned.pulumi("up", "--yes", "--skip-preview"),
        provisioned.pulumi("preview", "--expect-no-changes"),
        provisioned.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
        provisioned.python("cli", "preflight", "--before", "refresh"),
        provisioned.pulumi("destroy", "--yes", "--skip-preview"),
    ):
        assert done.status == 0, done.output
        assert PASSWORD not in done.output
    assert provisioned.refused() == before
