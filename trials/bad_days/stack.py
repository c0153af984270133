"""A deployed stack that bad days happen to: its server, its state, its keys, and a shell that leads to it.

The rule: damage is done past Pulumi, with the server's own APIs or in the state's file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.admin_api import AdminApi
from infra.namespace import NAMESPACE
from model.loaded_cas import load_cas_once
from model.plan import PROBE_PREFIX, BucketPlan, StorePlan, build_plan
from model.policies import refuses_overwrites
from model.resources import By
from model.taxonomy_file import extended, load
from trials.checkout import Checkout, Done, commands

STACKS: Mapping[By, str] = {"v3": "local", "v4": "local", "aws": "aws"}
#: The issuer that the `reader` of the aws stack trusts, so that the stack has a role.
ISSUER = "https://token.actions.githubusercontent.com"
_PORTS = "ports.json"
_TRIES = 5
_SUBJECT = "repo:joelhooks/joelclaw:ref:refs/heads/main"
TRUST: Mapping[str, Any] = {
    "allowedAccountIds": ["123456789012"],
    "identities": {"reader": {"trust": {"oidc": {"issuer": ISSUER, "subject": _SUBJECT}}}},
}


class BadDayError(Exception):
    """A step that must succeed failed; the message has the end of its output."""


@dataclass(frozen=True)
class Pair:
    """An access key that the stack published."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True)
class Stack:
    """A deployed stack in a copied checkout.

    Attributes:
        checkout: The copy.
        by: What implements its identities.
    """

    checkout: Checkout
    by: By

    @property
    def name(self) -> str:
        """The stack's name."""
        return STACKS[self.by]

    @property
    def plan(self) -> StorePlan:
        """Its plan."""
        config = self.config()
        taxonomy = extended(
            load(self.checkout.path / "infra" / "taxonomy.yaml"),
            domains={},
            identities=config.get("identities", {}),
            where="",
        )
        return build_plan(
            taxonomy,
            env=config["env"],
            region_code="usw2",
            tls_only=True,
            where="",
            refuses_overwrites=refuses_overwrites(config["cloud"]),
        )

    def bucket(self, domain: str) -> BucketPlan:
        """The bucket of a domain."""
        return self.plan.bucket(domain)

    def name_of(self, domain: str) -> str:
        """The name of a domain's bucket; the plan need not have the domain."""
        return f"{self.plan.bucket_prefix}{domain}"

    def exists(self, domain: str) -> bool:
        """Whether the server has a domain's bucket."""
        return self.name_of(domain) in {one["Name"] for one in self.s3.list_buckets()["Buckets"]}

    def user(self, identity: str) -> str:
        """The user of an identity."""
        return next(one.user_name for one in self.plan.identities if one.name == identity)

    def config(self) -> dict[str, Any]:
        """The stack's config, without its namespace."""
        content = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        return {key.removeprefix(f"{NAMESPACE}:"): value for key, value in content["config"].items()}

    def set_config(self, **values: object) -> None:
        """Write config values in clear; None removes a key."""
        content = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        held = content["config"] | {f"{NAMESPACE}:{key}": value for key, value in values.items()}
        content["config"] = {key: value for key, value in held.items() if value is not None}
        self.config_file.write_text(yaml.safe_dump(content), encoding="utf-8")

    def restart_server(self, *without: str) -> None:
        """Restart the sandbox's server without some files of its folder; the config stays as it is.

        `sandbox up` writes its own values into the config: those of a stack that may be destroyed.

        Raises:
            BadDayError: The server does not get its port back.
        """
        config, endpoint = self.config_file.read_bytes(), self.checkout.address(self.name).endpoint
        folder = self.checkout.folder(self.name).server
        ports = (folder / _PORTS).read_bytes()
        for _ in range(_TRIES):
            self.checkout.must("sandbox", "down", "--keep", "--stack", self.name)
            (folder / _PORTS).write_bytes(ports)
            for name in without:
                (folder / name).unlink(missing_ok=True)
            self.checkout.must("sandbox", "up", "--stack", self.name)
            # A connection of another process may have the port for a moment.
            if _PORTS in without or self.checkout.address(self.name).endpoint == endpoint:
                self.config_file.write_bytes(config)
                return
        raise BadDayError(f"the server does not answer at {endpoint} again")

    @property
    def config_file(self) -> Path:
        """The stack's config file."""
        return self.checkout.config_file(self.name)

    @property
    def s3(self) -> Any:  # noqa: ANN401 - boto3's client of S3
        """S3 with the admin's access key."""
        return self.checkout.client(self.name)

    @property
    def iam(self) -> Any:  # noqa: ANN401 - boto3's client of IAM
        """IAM with the admin's access key (aws)."""
        return self.checkout.client(self.name, "iam")

    def api(self) -> AdminApi:
        """The server's admin API (AIStor)."""
        return self.checkout.admin_api(self.name)

    def pulumi(self, *arguments: str) -> Done:
        """A pulumi command of the stack."""
        return self.checkout.pulumi(self.name, *arguments, "--stack", self.name)

    def must(self, *arguments: str) -> str:
        """A pulumi command that succeeds; returns its output.

        Raises:
            BadDayError: It failed.
        """
        done = self.pulumi(*arguments)
        if done.status:
            raise BadDayError(f"pulumi {' '.join(arguments)}: {done.output[-1500:]}")
        return done.output

    def must_be_refused(self) -> None:
        """Check that an update is refused, so that the documented lines have something to mend.

        Raises:
            BadDayError: It succeeded.
        """
        if self.pulumi("up", "--yes", "--skip-preview").status == 0:
            raise BadDayError("the damage does not stop an update")

    def script(self, lines: str, more: Mapping[str, str] | None = None) -> Done:
        """Run lines of the docs in one shell that leads to the stack; the first that fails ends it."""
        shell = f"set -euo pipefail\n{commands()}\n{lines}"
        asked = {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_NON_INTERACTIVE": "true"}
        return self.checkout.run(["bash"], self.name, {**asked, **(more or {})}, shell)

    @property
    def state_file(self) -> Path:
        """The file of the state."""
        (path,) = self.checkout.state_folder(self.name).glob(f".pulumi/stacks/*/{self.name}.json")
        return path

    def state(self) -> dict[str, Any]:
        """The exported state."""
        exported: dict[str, Any] = json.loads(self.must("stack", "export"))
        return exported

    def put_state(self, state: Mapping[str, Any]) -> None:
        """Replace the state."""
        done = self.checkout.pulumi(self.name, "stack", "import", "--stack", self.name, text=json.dumps(state))
        if done.status:
            raise BadDayError(done.output[-1500:])

    def credentials(self) -> dict[str, Pair]:
        """The published access keys, by identity."""
        given = json.loads(self.must("stack", "output", "credentials", "--json", "--show-secrets"))
        return {name: Pair(one["access_key_id"], one["secret_access_key"]) for name, one in given.items()}

    def remove_old_keys(self) -> None:
        """Remove the access keys that the stack does not publish, as docs/operations.md says; on AWS a user has two."""
        if self.by != "aws":
            return
        given = json.loads(self.must("stack", "output", "credentials", "--json", "--show-secrets"))
        for identity in self.plan.identities:
            if identity.name in given and identity.trust is None:
                user, pair = identity.user_name, given[identity.name]
                published = {one["access_key_id"] for one in (pair, pair.get("previous")) if one}
                for key in self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
                    if key["AccessKeyId"] not in published:
                        self.iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])

    def works(self, identity: str, pair: Pair) -> bool:
        """Whether the server accepts an identity's access key: it lists a bucket that the plan grants."""
        holder = next(one for one in self.plan.identities if one.name == identity)
        bucket = (
            holder.grants[0].bucket if holder.grants else self.plan.buckets[0].name
        )  # the verifier reads every bucket
        address = self.checkout.address(self.name)
        client = load_cas_once(boto3.session.Session()).client(
            "s3",
            endpoint_url=address.endpoint,
            region_name=address.region,
            aws_access_key_id=pair.access_key_id,
            aws_secret_access_key=pair.secret_access_key,
            verify=str(address.ca_file) if address.ca_file else True,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            client.list_objects_v2(Bucket=bucket, Prefix=PROBE_PREFIX, MaxKeys=1)
        except ClientError:
            return False
        finally:
            client.close()
        return True
