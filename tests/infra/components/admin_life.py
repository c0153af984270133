"""A stack's whole life by a provisioning admin with some rights: create, read, change, rotate, remove.

The rule: a life creates what the program declares, each resource with its plugin's stand-in or this project's provider.
A step that fails or silently does nothing is reported by its name. Each life has its own environment code, which is
part of each name, so one server can have many. It leaves out the engine (tests/e2e).
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import boto3
from botocore.config import Config as BotoConfig
from pulumi import dynamic
from pulumi.dynamic.config import Config

from infra.bucket_policy import NoBucketPolicyProvider
from infra.live_buckets import existing_buckets
from infra.live_names import foreign_names
from infra.program import plan_for
from infra.retention import DefaultRetentionProvider
from infra.settings import Settings, settings_from
from model.plan import StorePlan
from model.policies import Cloud
from model.taxonomy import Taxonomy
from model.taxonomy_file import load
from ops.admin_policy import Right, policy_of
from ops.adopt.live import account_id, live_buckets
from ops.preflight.facts import AistorFacts, StackFacts, StateFacts
from ops.preflight.server import ask_aistor, ask_aws
from sandbox.server.minio_iam_client import MinioIamClient, MinioIamError
from sandbox.server.temporary import RunningServer
from sandbox.standin.aws import AwsConnection, aws_stand_in
from sandbox.standin.minio import minio_stand_in
from tests.infra.components.conftest import Declared

REGION = "us-west-2"
PASSWORD = "planted-password-of-the-provisioner"  # noqa: S105 - planted
# A warm and a cold domain: a hot bucket has no setting that both of these lack.
DOMAINS = ("session-archive", "media-raw")
IDENTITY = "worker"
MADE_AS = "joelclaw-local-"
AWS_VERSIONS = 5  # versions of a managed policy; the next one needs room
SHORT = ("configure", "create", "rotate", "destroy")  # the steps that need most rights
CHANGED_TAGS = {"band": "changed"}


def small_taxonomy() -> Taxonomy:
    """Two domains and one identity."""
    whole = load()
    worker = whole.identities[IDENTITY]
    grants = {domain: access for domain, access in worker.grants.items() if domain in (*DOMAINS, "*")}
    return whole.model_copy(
        update={
            "domains": {name: whole.domains[name] for name in DOMAINS},
            "identities": {IDENTITY: worker.model_copy(update={"grants": grants})},
        }
    )


@dataclass(frozen=True)
class Live:
    """A resource that a life created."""

    declared: Declared
    id: str
    inputs: Mapping[str, Any]
    state: Mapping[str, Any]


class FailedError(Exception):
    """A life that did not complete; the message names the step."""


@dataclass
class Life:
    """One life.

    Attributes:
        server: The server.
        cloud: The server's cloud.
        declared: The resources that the program declares.
        env: The environment code, part of each name.
        access_key_id: The admin's access key.
        secret_access_key: The admin's secret key.
    """

    server: RunningServer
    cloud: Cloud
    declared: list[Declared]
    env: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    made: list[Live] = field(default_factory=list)

    def run(self, only: Collection[str] = ()) -> None:
        """Run the whole life, or only some of its steps.

        Raises:
            FailedError: The server refused a step, or a step had no effect.
        """
        with self._environment():
            for name, step in self._steps().items():
                if only and name not in only:
                    continue
                try:
                    step()
                except Exception as error:
                    raise FailedError(f"{name}: {error}") from error

    def _steps(self) -> dict[str, Callable[[], object]]:
        return {
            "preflight": self._preflight,
            "configure": self._configure,
            "program": self._program,
            "create": self._create,
            "refresh": self._refresh,
            "adopt": self._adopt,
            "change": self._change,
            "mend": self._mend,
            "rotate": self._rotate,
            "destroy": self._destroy,
        }

    @contextmanager
    def _environment(self) -> Iterator[None]:
        aws = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_ENDPOINT_URL": self.server.endpoint,
            "AWS_CA_BUNDLE": self.server.ca_bundle,
            "AWS_REGION": REGION,
        }
        with patch.dict(os.environ, aws if self.cloud == "aws" else {}):
            yield

    def settings(self) -> Settings:
        """The stack's settings, as the commands read them."""
        values = {"cloud": self.cloud, "env": self.env, "region": REGION, "protect": "false"}
        if self.cloud == "aistor":
            values |= {"endpoint": self.server.endpoint, "caBundle": self.server.ca_bundle}
            values |= {"adminUser": self.access_key_id, "adminPassword": self.secret_access_key}
        return settings_from(values, "test", Path(), {})

    def plan(self) -> StorePlan:
        """The life's plan."""
        with patch("infra.program.load", small_taxonomy):
            return plan_for(self.settings(), None)

    def _preflight(self) -> None:
        settings, plan = self.settings(), self.plan()
        planned = {bucket.name: bucket.domain for bucket in plan.buckets}
        own = settings.aistor
        facts = StackFacts("test", self.cloud, planned, StateFacts(), endpoint=own.endpoint if own else None)
        found = ask_aistor(facts, own, REGION) if own else ask_aws(facts, settings)
        assert found.buckets.ok, found.buckets
        assert not isinstance(found, AistorFacts) or found.admin_info is None

    def _configure(self) -> None:
        self.plugin: Any
        if self.cloud == "aws":
            self.plugin = aws_stand_in(
                AwsConnection(
                    self.server.endpoint, self.server.ca_bundle, self.access_key_id, self.secret_access_key, REGION
                )
            )
            self.plugin.configure({"region": REGION, "defaultTags": {"tags": {"project": "joelclaw"}}})
            return
        self.plugin = minio_stand_in()
        self.plugin.configure(
            {
                "minioServer": self.server.endpoint.removeprefix("https://"),
                "minioSsl": True,
                "minioCacertFile": self.server.ca_bundle,
                "minioRegion": REGION,
                "minioUser": self.access_key_id,
                "minioPassword": self.secret_access_key,
            }
        )
        self.own: dict[str, DefaultRetentionProvider | NoBucketPolicyProvider] = {
            "DefaultRetention": DefaultRetentionProvider(),
            "NoBucketPolicy": NoBucketPolicyProvider(),
        }
        config = {"object-store:adminUser": self.access_key_id, "object-store:adminPassword": self.secret_access_key}
        for provider in self.own.values():
            provider.configure(dynamic.ConfigureRequest(Config(config, "object-store")))

    def _program(self) -> None:
        names = [bucket.name for bucket in self.plan().buckets]
        assert existing_buckets(names, self.settings()) == set()
        assert foreign_names(self.plan(), self.settings(), ()) == []

    def _create(self) -> None:
        for one in self.declared:
            self.made.append(self._make(one, self._renamed(one.inputs)))
        names = {bucket.name for bucket in self.plan().buckets}
        assert existing_buckets(names, self.settings()) == names
        # As if the state were lost; what the life makes has other documents than a plan of this environment.
        users = {identity.user_name for identity in self.plan().identities}
        assert {one.name.name for one in foreign_names(self.plan(), self.settings(), ())} >= users

    def _make(self, one: Declared, inputs: Mapping[str, Any]) -> Live:
        if one.type.startswith("pulumi-python:"):
            made = self._own(one).create({**inputs, "endpoint": self.server.endpoint, "ca_pem": self._ca_pem()})
            return Live(one, str(made.id), inputs, made.outs or {})
        kind = self.plugin.type_of(one.type)
        checked = kind.check(inputs, logical_name=one.name)
        assert not checked.failures, checked.failures
        resource = kind.create(self.plugin.connection, checked.inputs, urn=one.name)
        return Live(one, resource.id, checked.inputs, resource.properties)

    def _own(self, one: Declared) -> DefaultRetentionProvider | NoBucketPolicyProvider:
        return self.own[one.type.rpartition(":")[2]]

    def _refresh(self) -> None:
        for one in self.made:
            if one.declared.type.startswith("pulumi-python:"):
                assert self._own(one.declared).read(one.id, dict(one.state)).outs == one.state
                continue
            found = self._read(one, one.state, one.inputs)
            assert found is not None, f"{one.declared.name} is taken for gone"
            kind = self.plugin.type_of(one.declared.type)
            assert not kind.diff(found.properties, one.inputs).detailed, f"{one.declared.name} differs"

    def _adopt(self) -> None:
        settings = self.settings()
        account_id(settings)
        found = live_buckets(self.plan(), settings)
        assert {name for name, bucket in found.items() if bucket.locked} == {
            bucket.name for bucket in self.plan().buckets if bucket.locked
        }
        for _, one in self._one_of_each():
            if one.declared.type.startswith("pulumi-python:"):  # nothing to import: an update makes it
                continue
            if one.declared.type.endswith(("Bucket", "User", "Policy", "S3Bucket", "IamUser", "IamPolicy")):
                assert self._read(one, None, None) is not None, f"{one.declared.name} is not found to be adopted"

    def _change(self) -> None:
        for place, one in self._one_of_each():
            for number in range(_changes(one)):
                self.made[place] = self._update(self.made[place], _changed(one, number))

    def _mend(self) -> None:
        """The next `up` enables again what was disabled manually."""
        for place, one in enumerate(self.made):
            if not one.declared.type.endswith(("IamUser", "AccessKey")):
                continue
            self._switch_off(one)
            found = self._read(one, one.state, one.inputs)
            assert found is not None, f"{one.declared.name} is taken for gone"
            self.made[place] = self._update(replace(one, state=found.properties), one.inputs)
            again = self._read(one, self.made[place].state, one.inputs)
            assert again is not None
            assert not self.plugin.type_of(one.declared.type).diff(again.properties, one.inputs).detailed

    def _rotate(self) -> None:
        place, old = next(
            (place, one)
            for place, one in enumerate(self.made)
            if one.declared.type.endswith(("AccessKey", "ServiceAccount"))
        )
        new = self._make(replace(old.declared, name="worker-key-2"), self._renamed(old.declared.inputs))
        if self.cloud == "aws":
            self._client("iam").get_access_key_last_used(AccessKeyId=old.id)
        self.made[place] = new
        self._delete(old)
        assert not self.key_lives(old.id), "the old key was not removed"
        assert self.key_lives(new.id)

    def _destroy(self) -> None:
        warm = next(one for one in self.made if one.id.endswith(DOMAINS[0]))
        self.root("s3").put_object(Bucket=warm.id, Key="left-behind", Body=b"x")
        for one in reversed(self.made):
            if not one.declared.retain_on_delete:
                self._delete(one)
        assert not [name for name in self._names() if name.startswith(f"joelclaw-{self.env}-")]

    def _one_of_each(self) -> list[tuple[int, Live]]:
        """The first of each type, with its place."""
        first = {one.declared.type: (place, one) for place, one in reversed(list(enumerate(self.made)))}
        return list(first.values())

    def _read(self, one: Live, state: Mapping[str, Any] | None, inputs: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - a resource of the stand-in's
        return self.plugin.type_of(one.declared.type).read(self.plugin.connection, one.id, state, inputs, urn=one.id)

    def _update(self, one: Live, inputs: Mapping[str, Any]) -> Live:
        if one.declared.type.startswith("pulumi-python:"):
            changed = {"days": 400} if "days" in one.state else {}
            updated = self._own(one.declared).update(one.id, dict(one.state), {**one.state, **changed})
            return replace(one, state=updated.outs or {})
        kind = self.plugin.type_of(one.declared.type)
        checked = kind.check(inputs, one.inputs, logical_name=one.declared.name)
        state = kind.update(self.plugin.connection, one.id, one.state, checked.inputs)
        return replace(one, inputs=checked.inputs, state=state)

    def _delete(self, one: Live) -> None:
        if not one.declared.type.startswith("pulumi-python:"):
            self.plugin.type_of(one.declared.type).delete(self.plugin.connection, one.id, one.state)

    def _renamed(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        text = json.dumps(inputs).replace(MADE_AS, f"joelclaw-{self.env}-")
        # The mocks build a policy's ARN from its logical name.
        text = text.replace(f":policy/{IDENTITY}-policy", f":policy/joelclaw-{self.env}-usw2-{IDENTITY}")
        # Pulumi sends only floats; these numbers have no fraction.
        renamed: dict[str, Any] = json.loads(text, parse_float=lambda number: int(float(number)))
        if "forceDestroy" in renamed:
            renamed["forceDestroy"] = True  # emptyOnDestroy
        return renamed

    def _ca_pem(self) -> str:
        return Path(self.server.ca_bundle).read_text(encoding="ascii")

    # Manual changes, with root's key

    def root(self, service: Literal["s3", "iam"]) -> Any:  # noqa: ANN401 - a boto3 client
        """A client with root's keys."""
        return client_of(self.server, service, self.server.admin.user, self.server.admin.password)

    def _client(self, service: Literal["s3", "iam"]) -> Any:  # noqa: ANN401 - a boto3 client
        return client_of(self.server, service, self.access_key_id, self.secret_access_key)

    def _switch_off(self, one: Live) -> None:
        if self.cloud == "aws":
            user = one.state["user"]
            self.root("iam").update_access_key(UserName=user, AccessKeyId=one.id, Status="Inactive")
        else:
            root_iam(self.server).set_user_status(one.id, "disabled")

    def key_lives(self, key: str) -> bool:
        """Whether an access key exists."""
        if self.cloud == "aws":
            user = f"joelclaw-{self.env}-usw2-{IDENTITY}"
            found = self.root("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
            return any(one["AccessKeyId"] == key for one in found)
        try:
            root_iam(self.server).info_service_account(key)
        except MinioIamError:
            return False
        return True

    def _names(self) -> list[str]:
        buckets = [bucket["Name"] for bucket in self.root("s3").list_buckets()["Buckets"]]
        if self.cloud == "aistor":
            iam = root_iam(self.server)
            return [*buckets, *iam.call("list-users"), *iam.call("list-canned-policies")]
        users, policies = self.root("iam").list_users()["Users"], self.root("iam").list_policies(Scope="Local")
        return [*buckets, *(user["UserName"] for user in users), *(one["PolicyName"] for one in policies["Policies"])]


def client_of(server: RunningServer, service: Literal["s3", "iam"], key: str, secret: str) -> Any:  # noqa: ANN401 - a boto3 client
    """A client with a key pair."""
    return boto3.session.Session().client(
        service,
        endpoint_url=server.endpoint,
        verify=server.ca_bundle,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=BotoConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def root_iam(server: RunningServer) -> MinioIamClient:
    """AIStor's users and policies, as root."""
    return MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)


def make_admin(
    server: RunningServer, cloud: Cloud, name: str, granted: tuple[Right, ...], plan: StorePlan
) -> tuple[str, str]:
    """Create an admin with these rights, as docs/provisioning-admin.md describes; returns its key pair."""
    document = policy_of(granted, plan, cloud)
    if cloud == "aistor":
        iam = root_iam(server)
        iam.add_canned_policy(name, dict(document))
        iam.add_user(name, PASSWORD)
        iam.attach_policy(name, [name])
        return name, PASSWORD
    aws = client_of(server, "iam", server.admin.user, server.admin.password)
    policy = aws.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]
    aws.create_user(UserName=name)
    aws.attach_user_policy(UserName=name, PolicyArn=policy["Arn"])
    key = aws.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _changes(one: Live) -> int:
    """How often a resource is changed; a managed policy until AWS has no room for another version."""
    kind = one.declared.type.rpartition(":")[2]
    if kind == "Policy" and one.declared.type.startswith("aws:"):
        return AWS_VERSIONS + 2
    changed = ("Bucket", "User", "IlmPolicy", "BucketLifecycleConfiguration", "IamPolicy", "IamServiceAccount")
    return 2 if kind in (*changed, "DefaultRetention", "NoBucketPolicy") else 0


def _changed(one: Live, number: int) -> dict[str, Any]:
    """The inputs of the next change: other days, another document, a tag that is added and removed."""
    inputs = dict(one.declared.inputs) | dict(one.inputs)
    of_aws = one.declared.type.startswith("aws:")
    if "rules" in inputs:
        rules = json.loads(json.dumps(inputs["rules"]))
        days = {"days": 20 + number} if of_aws else f"{20 + number}d"
        rules[0]["expiration"] = days
        return inputs | {"rules": rules}
    if inputs.get("policy"):  # the one that keeps a bucket without a policy has an empty text
        document = json.loads(inputs["policy"])
        document["Statement"][0]["Sid"] = f"Changed{number}"
        document["Statement"][0]["Action"] = document["Statement"][0]["Action"][: 1 + number % 2]
        inputs["policy"] = json.dumps(document)
    if of_aws and one.declared.type.rpartition(":")[2] in ("Bucket", "User", "Policy"):
        inputs["tags"] = CHANGED_TAGS if number % 2 == 0 else {}
    return inputs
