"""ops.adopt.adoptable: the resources of a plan that can be adopted, and the import file."""

import json
from pathlib import Path

import pytest

from infra.program import plan_for
from infra.settings import Settings, settings_from
from model.plan import StorePlan
from model.policies import Cloud
from ops.adopt.adoptable import (
    Adoptable,
    Held,
    LiveBucket,
    adoptables,
    held,
    import_file,
    lock_refusals,
    policies_removed,
    retention_changes,
)
from ops.provider_in_state import provider_inputs

NOTHING = Held(frozenset(), {}, 0)
PASSWORD = "planted-password"  # noqa: S105 - planted
ACCOUNT = "123456789012"


def settings(cloud: Cloud, **more: str) -> Settings:
    """Settings of a stack without a file."""
    values = {"cloud": cloud, "env": "local", "region": "us-west-2", **more}
    if cloud == "aistor":
        values |= {"endpoint": "https://127.0.0.1:9000", "adminUser": "provisioner", "adminPassword": PASSWORD}
    return settings_from(values, "local", Path.cwd(), {})


def plan(cloud: Cloud) -> StorePlan:
    """The shipped plan."""
    return plan_for(settings(cloud), None)


def name(domain: str) -> str:
    """A bucket's name."""
    return f"joelclaw-local-usw2-{domain}"


def test_nothing_of_a_bucket_that_is_not_there_is_asked_for() -> None:
    """The plugin returns an error for the versioning of a missing bucket."""
    found = adoptables(plan("aistor"), "aistor", "", [name("session-archive")], "v3")

    assert [(one.what.value, one.name) for one in found if one.of == name("session-archive")] == [
        ("bucket", "session-archive"),
        ("versioning", "session-archive-versioning"),
        ("lifecycle", "session-archive-lifecycle"),
    ]
    buckets = {bucket.name for bucket in plan("aistor").buckets}
    assert {one.of for one in found if one.of in buckets} == {name("session-archive")}


def test_a_role_is_read_in_place_of_a_user() -> None:
    """It is read by its name, and its attachment by role and policy."""
    trust = {"reader": {"trust": {"oidc": {"issuer": "https://ci.example.com", "subject": "job"}}}}
    own = settings("aws", identities=json.dumps(trust), allowedAccountIds=json.dumps([ACCOUNT]))
    policy = f"arn:aws:iam::{ACCOUNT}:policy/joelclaw-local-usw2-reader"

    found = [
        one
        for one in adoptables(plan_for(own, None), "aws", ACCOUNT, [], "v3")
        if one.of == "joelclaw-local-usw2-reader"
    ]

    assert [(one.kind, one.name, one.id) for one in found] == [
        ("aws:iam/role:Role", "reader-role", "joelclaw-local-usw2-reader"),
        ("aws:iam/policy:Policy", "reader-policy", policy),
        (
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "reader-attachment",
            f"joelclaw-local-usw2-reader/{policy}",
        ),
    ]


@pytest.mark.parametrize(
    ("cloud", "policy"),
    [("aistor", "joelclaw-local-usw2-worker"), ("aws", f"arn:aws:iam::{ACCOUNT}:policy/joelclaw-local-usw2-worker")],
)
def test_identities_are_read_by_name_or_arn(cloud: Cloud, policy: str) -> None:
    """User by name, policy by name (AIStor) or ARN (AWS), attachment by both."""
    found = adoptables(plan(cloud), cloud, ACCOUNT, [], "v3")

    assert {one.what.value: one.id for one in found if one.of == "joelclaw-local-usw2-worker"} == {
        "user": "joelclaw-local-usw2-worker",
        "policy": policy,
        "attachment": f"joelclaw-local-usw2-worker/{policy}",
    }


def test_state_knows_a_resource_by_its_name_or_its_id() -> None:
    """Attachments with the plugin's own ids and renamed domains are not adopted again."""
    bucket, *_ = adoptables(plan("aistor"), "aistor", "", [name("media-raw")], "v3")
    (attachment,) = [
        one for one in adoptables(plan("aistor"), "aistor", "", [], "v3") if one.name == "worker-attachment"
    ]
    own = "urn:pulumi:local::object-store::object-store:storage:AistorStore"
    state = held(
        {
            "deployment": {
                "resources": [
                    {"type": bucket.kind, "urn": f"{own}${bucket.kind}::media-old", "id": name("media-raw")},
                    {"type": attachment.kind, "urn": f"{own}$x::worker-attachment", "id": "worker-2026"},
                    {"type": attachment.kind, "urn": f"{own}$x::reader-attachment", "id": "r", "delete": True},
                ],
                "pending_operations": [{}],
            }
        }
    )

    assert state.has(bucket)
    assert state.has(attachment)
    assert not state.has(Adoptable(attachment.kind, attachment.what, "reader-attachment", "r", "r"))
    assert state.interrupted == 1
    assert held({"deployment": None}) == NOTHING


def test_store_and_provider_of_the_state_are_used() -> None:
    """If the state has them, the file names them and adds none; a default provider is not ours."""
    store = "urn:pulumi:local::object-store::object-store:storage:AwsStore::store"
    provider = "urn:pulumi:local::object-store::pulumi:providers:aws::aws"
    resources = [
        {"type": "object-store:storage:AwsStore", "urn": store},
        {"type": "pulumi:providers:aws", "urn": provider, "id": "1"},
        {"type": "pulumi:providers:aws", "urn": f"{provider.rpartition('::')[0]}::default_7_51_1", "id": "2"},
    ]

    file = import_file([], held({"deployment": {"resources": resources}}), "aws", {})

    assert file == {"nameTable": {"Store": store, "Provider": provider}, "resources": []}


def test_password_is_a_secret_and_only_where_it_is_wanted() -> None:
    """The shown file has no password; the engine's file has it marked as a secret."""
    shown = provider_inputs(settings("aistor"), "../ca.pem", password=False)
    given = provider_inputs(settings("aistor"), "../ca.pem", password=True)

    assert PASSWORD not in json.dumps(shown)
    assert given.pop("minioPassword")["plaintext"] == json.dumps(PASSWORD)
    assert given == shown
    assert shown["minioCacertFile"] == "../ca.pem"


@pytest.mark.parametrize(("cloud", "step"), [("aws", "put-object-lock-configuration"), ("aistor", "mc mirror")])
def test_missing_lock_is_refused_with_the_steps(cloud: Cloud, step: str) -> None:
    """A cold bucket without lock is refused; AWS can enable it, on AIStor the objects have to move."""
    (refused,) = lock_refusals(
        plan(cloud), cloud, {name("media-raw"): LiveBucket(locked=False), name("docs-raw"): LiveBucket(locked=True)}
    )

    assert refused.startswith(f"{name('media-raw')}: it has no object lock")
    assert step in refused


def test_lock_that_is_not_planned_is_refused() -> None:
    """Object lock can never be removed."""
    (refused,) = lock_refusals(plan("aws"), "aws", {name("session-archive"): LiveBucket(locked=True)})

    assert "can never be removed" in refused
    assert "give session-archive the band cold" in refused


def test_retention_that_would_change_is_told() -> None:
    """Only a different or missing default retention gives a line."""
    live = {
        name("media-raw"): LiveBucket(locked=True, retention="GOVERNANCE 365 d"),
        name("docs-raw"): LiveBucket(locked=True, retention="COMPLIANCE 400 d"),
        name("otel-archive"): LiveBucket(locked=True),
        name("session-archive"): LiveBucket(locked=False),
    }

    assert retention_changes(plan("aistor"), live) == [
        f"{name('docs-raw')}: COMPLIANCE 400 d becomes GOVERNANCE 365 d",
        f"{name('otel-archive')}: no default retention becomes GOVERNANCE 365 d",
    ]


def test_bucket_policy_is_told_where_the_program_sees_none() -> None:
    """On AIStor the plugin neither reads nor removes it; on AWS it is adopted and becomes an update."""
    live = {"a": LiveBucket(locked=False, policy=True), "b": LiveBucket(locked=False)}

    assert policies_removed("aistor", live) == ["a"]
    assert policies_removed("aws", live) == []
