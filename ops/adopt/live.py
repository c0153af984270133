"""Reads which resources of a plan already exist on the server.

The rule: it reads buckets and their locks from S3, with the same credentials as the provider. It reads everything else
through the provider itself, which can read users and policies as no public client can: in the state of a scratch stack
in a temporary folder, a refresh keeps what exists and drops the rest. S3 comes first, because the plugin interprets a
refused admin as "it is gone". The resources of `infra.identity` are read from the admin API. Nothing changes on the
server.
"""

import json
import os
import re
import secrets
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.admin_api import AdminApi, AdminApiError, CannotShowError, NotFoundError
from infra.live_buckets import admin_client, existing_buckets
from model.resources import PROVIDER, STACK, About
from model.secrecy.redaction import keep_secret, redacted
from model.written_json import parse_json
from ops.adopt.adoptable import Adoptable, LiveBucket
from ops.provider_in_state import provider_inputs, provider_version
from stack.runner import EngineError, Said, run_pulumi

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from infra.settings import Settings
    from model.plan import StorePlan

PROJECT, SCRATCH = "object-store", "adopt"
ROOT = f"urn:pulumi:{SCRATCH}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{SCRATCH}"
_BOUNDED = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 3})
_NOT_LOCKED, _NO_POLICY = "ObjectLockConfigurationNotFoundError", "NoSuchBucketPolicy"
_ABSENT = "does not exist"

T = TypeVar("T")


class AdoptionError(Exception):
    """The existing resources cannot be read or cannot be adopted; nothing was imported."""


def live_buckets(plan: "StorePlan", settings: "Settings") -> dict[str, LiveBucket]:
    """The existing buckets with planned names.

    Raises:
        AdoptionError: The credentials may not read a bucket.
        InvalidInputError: The endpoint gives no usable answer, or refuses the credentials.
    """
    there = existing_buckets([bucket.name for bucket in plan.buckets], settings)
    with _told("cannot read the buckets"), admin_client(settings) as client:
        return {name: _live(client, name) for name in sorted(there)}


def account_id(settings: "Settings") -> str:
    """The AWS account; empty on AIStor.

    Raises:
        AdoptionError: There are no credentials, or their account is not allowed.
    """
    if settings.aws is None:
        return ""
    with (
        _told("AWS does not accept the credentials (`aws sts get-caller-identity` makes the same test)"),
        closing(boto3.session.Session().client("sts", region_name=settings.region, config=_BOUNDED)) as client,
    ):
        account = str(client.get_caller_identity()["Account"])
    allowed = settings.aws.allowed_account_ids
    if allowed and account not in allowed:
        raise AdoptionError(
            f"the credentials are of account {account}, but {settings.where}allowedAccountIds is {', '.join(allowed)}"
        )
    return account


def existing(settings: "Settings", asked: Collection[Adoptable]) -> list[Adoptable]:
    """The resources that the provider finds.

    Raises:
        AdoptionError: A resource could not be read.
        EngineError: The engine failed.
    """
    if not asked:
        return []
    with tempfile.TemporaryDirectory() as name:
        folder, ca_file = Path(name), None
        if settings.aistor is not None and settings.aistor.ca_pem is not None:
            ca_file = folder / "ca.pem"
            ca_file.write_text(settings.aistor.ca_pem, encoding="ascii")
        scratch = _Scratch(folder)
        return scratch.read(
            settings, asked, provider_inputs(settings, str(ca_file) if ca_file else None, password=True)
        )


def live_identities(settings: "Settings", asked: Collection[Adoptable]) -> dict[Adoptable, dict[str, Any]]:
    """The existing resources of `infra.identity`, each with its live values.

    Raises:
        AdoptionError: A resource could not be read.
    """
    own = settings.aistor
    if own is None or not asked:
        return {}
    with AdminApi.of(own, settings.region) as api:
        found = {one: _identity(api, one) for one in asked}
    return {one: values for one, values in found.items() if values is not None}


def _identity(api: AdminApi, one: Adoptable) -> dict[str, Any] | None:
    try:
        if one.what is About.USER:
            return {"name": one.id, "status": api.user(one.id)["status"]}
        if one.what is About.POLICY:
            return {"name": one.id, "policy": _document(api, one.id)}
        user, _, policy = one.id.partition("/")
        attached = policy in str(api.user(user).get("policyName", "")).split(",")
    except NotFoundError:
        return None
    except AdminApiError as error:
        raise AdoptionError(f"cannot read the {one.what.value} of {one.of}: {error}") from None
    return {"userName": user, "policyName": policy} if attached else None


def _document(api: AdminApi, name: str) -> str:
    """A policy's document; empty, so that the next update writes the planned one, if the server cannot show it."""
    try:
        return json.dumps(api.policy(name))
    except CannotShowError:
        return ""


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise AdoptionError(f"{what}: {error}") from None


def _live(client: "S3Client", name: str) -> LiveBucket:
    policy = _or_none(_NO_POLICY, lambda: client.get_bucket_policy(Bucket=name)) is not None
    answer = _or_none(_NOT_LOCKED, lambda: client.get_object_lock_configuration(Bucket=name))
    if answer is None:
        return LiveBucket(locked=False, policy=policy)
    found = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
    days = found.get("Days") or 365 * found.get("Years", 0)
    return LiveBucket(locked=True, retention=f"{found['Mode']} {days} d" if "Mode" in found else "", policy=policy)


def _or_none(absent: str, ask: "Callable[[], T]") -> "T | None":
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            raise
        return None


class _Scratch:
    """Strictly private: a temporary stack through which a provider reads what is on a server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="ascii")
        ours = {
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": keep_secret(secrets.token_hex(32)),
        }
        without = ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK")
        self._environ = {**{key: value for key, value in os.environ.items() if key not in without}, **ours}

    def read(self, settings: "Settings", asked: Collection[Adoptable], inputs: Mapping[str, Any]) -> list[Adoptable]:
        """The resources that a refresh finds."""
        urns = {one: f"urn:pulumi:{SCRATCH}::{PROJECT}::{one.kind}::{one.name}" for one in asked}
        self._pulumi("stack", "init", "--no-select", SCRATCH)
        exported = self._export()
        exported["deployment"]["resources"] = _resources(settings, urns, inputs)
        self._pulumi("stack", "import", "--stack", SCRATCH, text=json.dumps(exported))
        # For an absent resource a plugin reports "gone" or an error, depending on the type; it still reads the rest.
        refreshed = self._pulumi("refresh", "--yes", "--skip-preview", "--stack", SCRATCH, may_fail=True)
        # Resources that were read have inputs now, absent ones are dropped, and unreadable ones are unchanged.
        found = {one["urn"]: bool(one.get("inputs")) for one in self._export()["deployment"]["resources"]}
        for one, urn in urns.items():
            if found.get(urn) is False:
                _absent_or_raise(one, urn, redacted(refreshed.output) + refreshed.errors)
        return [one for one, urn in urns.items() if found.get(urn)]

    def _export(self) -> dict[str, Any]:
        exported: dict[str, Any] = parse_json(
            self._pulumi("stack", "export", "--stack", SCRATCH).output, "stack export"
        )
        return exported

    def _pulumi(self, *arguments: str, text: str = "", may_fail: bool = False) -> Said:
        return run_pulumi(
            *arguments,
            text=text,
            folder=self._folder,
            environ=self._environ,
            may_fail=may_fail,
        )


def _resources(settings: "Settings", urns: Mapping[Adoptable, str], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scratch stack's state: the provider, and the resources with only their ids."""
    kind, own_id = PROVIDER[settings.cloud], str(uuid.uuid4())
    provider = f"urn:pulumi:{SCRATCH}::{PROJECT}::{kind}::{settings.cloud}"
    known = {**inputs, "version": provider_version(settings.cloud)}
    common = {"custom": True, "parent": ROOT}
    resources: list[dict[str, Any]] = [
        {"urn": ROOT, "custom": False, "type": STACK},
        {**common, "urn": provider, "id": own_id, "type": kind, "inputs": known, "outputs": known},
    ]
    for one, urn in urns.items():
        resources.append({**common, "urn": urn, "id": one.id, "type": one.kind, "provider": f"{provider}::{own_id}"})
    return resources


def _absent_or_raise(one: Adoptable, urn: str, said: str) -> None:
    """Accept "does not exist", and raise any other reason as an error."""
    reason = re.search(rf"refreshing {re.escape(urn)}: [^\n]*\n\s*\* ([^\n]+)", said)
    if reason is None:
        raise EngineError(f"cannot read the {one.what.value} of {one.of}:\n{said.strip()}")
    if _ABSENT not in reason[1]:
        raise AdoptionError(f"cannot read the {one.what.value} of {one.of}: {reason[1]}")
