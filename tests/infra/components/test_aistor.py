"""infra.aistor: the resources of the plan on pulumi-minio."""

import base64
import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pulumi
import pytest

from model.resources import identity_types
from tests.infra.components.conftest import ADMIN_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.components.conftest import Run

COLD = {"media-raw", "docs-raw", "otel-archive", "vault-backups"}
WARM = {"media-derived", "docs-derived", "session-archive", "discovery-raw"}
HOT = {"agent-loop-artifacts"}
IDENTITIES = {"worker", "session-archiver", "otel-exporter", "vault-backup", "reader", "verifier"}


@pytest.fixture(scope="module", name="run")
def _run(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aistor", adminApi="v3")


@pytest.fixture(scope="module", name="run_v4")
def _run_v4(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aistor", adminApi="v4")


def test_buckets_are_locked_exactly_when_cold(run: "Run") -> None:
    """Object lock is set at creation on cold buckets only."""
    buckets = run.of("S3Bucket")

    assert set(buckets) == COLD | WARM | HOT
    assert {name for name, bucket in buckets.items() if bucket.inputs["objectLocking"]} == COLD


def test_versioning_is_declared_on_warm_buckets_only(run: "Run") -> None:
    """On a locked bucket the resource could never be deleted, and lock implies versioning."""
    assert set(run.of("S3BucketVersioning")) == {f"{name}-versioning" for name in WARM}


def test_default_retention_is_declared_on_cold_buckets_only(run: "Run") -> None:
    """The dynamic resource sets GOVERNANCE and 365 days."""
    retentions = run.of("DefaultRetention")

    assert set(retentions) == {f"{name}-retention" for name in COLD}
    for retention in retentions.values():
        assert (retention.inputs["mode"], retention.inputs["days"]) == ("GOVERNANCE", 365)


def test_each_bucket_is_kept_without_a_policy_after_its_other_settings(run: "Run") -> None:
    """The plugin does not know bucket policies; the write comes last, because all writes to a bucket are chained."""
    guards = run.of("NoBucketPolicy")

    assert set(guards) == {f"{name}-policy" for name in COLD | WARM | HOT}
    for name, guard in guards.items():
        assert guard.inputs["policy"] == ""
        assert name.replace("-policy", "-lifecycle") in guard.depends_on


def test_each_bucket_has_exactly_one_lifecycle_resource(run: "Run") -> None:
    """Two would overwrite each other (terraform-provider-minio issue 585)."""
    policies = run.of("IlmPolicy")

    assert set(policies) == {f"{name}-lifecycle" for name in COLD | WARM | HOT}
    assert policies["agent-loop-artifacts-lifecycle"].inputs["rules"] == [
        {"id": "verify-probes", "filter": ".verify/", "expiration": "1d", "noncurrentVersionExpirationDays": 1},
        {"id": "band-hot", "expiration": "14d", "noncurrentVersionExpirationDays": 30},
    ]
    assert policies["otel-archive-lifecycle"].inputs["rules"] == [
        {"id": "verify-probes", "filter": ".verify/", "expiration": "1d", "noncurrentVersionExpirationDays": 1},
        {"id": "band-cold", "noncurrentVersionExpirationDays": 395},
    ]


@pytest.mark.parametrize("domain", sorted(COLD | WARM | HOT))
def test_everything_that_writes_to_a_bucket_is_chained(run: "Run", domain: str) -> None:
    """No two writes to one bucket may run at once: the server loses one of them."""
    chain = run.children(domain)

    for before, after in pairwise(chain):
        assert before.name in after.depends_on, f"{after.name} does not wait for {before.name}"


def test_each_identity_has_user_policy_attachment_and_account(run: "Run") -> None:
    """Each identity has four resources, named after the environment."""
    assert {name.removesuffix("-user") for name in run.of("IamUser")} == IDENTITIES
    assert {name.removesuffix("-policy") for name in run.of("IamPolicy")} == IDENTITIES
    assert {name.removesuffix("-attachment") for name in run.of("IamUserPolicyAttachment")} == IDENTITIES
    assert {name.removesuffix("-key-1") for name in run.of("IamServiceAccount")} == IDENTITIES
    assert run.of("IamUser")["worker-user"].inputs == {"name": "joelclaw-local-usw2-worker"}


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_large_policies_are_split(run_program: "Callable[..., Run]", version: str) -> None:
    """Beyond MinIO's 20 KiB an identity gets several policies, and its key waits for all of them."""
    policy, attachment, account = {
        "v3": ("IamPolicy", "IamUserPolicyAttachment", "IamServiceAccount"),
        "v4": ("Policy", "Attachment", "ServiceAccount"),
    }[version]
    run = run_program("aistor", domains={f"{'long' * 10}-{n}": {"band": "hot"} for n in range(80)}, adminApi=version)

    assert run.of(policy)["verifier-policy-2"].inputs["name"] == "joelclaw-local-usw2-verifier-2"
    attached = run.of(attachment)["verifier-attachment-2"].inputs
    by_name = {key.lower().replace("_", ""): value for key, value in attached.items()}
    assert (by_name["username"], by_name["policyname"]) == (
        "joelclaw-local-usw2-verifier",
        "joelclaw-local-usw2-verifier-2",
    )
    waits_for = set(run.of(account)["verifier-key-1"].depends_on)
    assert {"verifier-attachment", "verifier-attachment-2"} <= waits_for


def test_service_accounts_have_their_policy(run: "Run") -> None:
    """Without one every preview shows a difference (terraform-provider-minio issues 544, 517)."""
    for account in run.of("IamServiceAccount").values():
        assert json.loads(account.inputs["policy"])["Statement"]


def test_service_account_waits_for_the_attachment(run: "Run") -> None:
    """Without the order a new key would be refused at first, because its user has no permissions yet."""
    assert "worker-attachment" in run.of("IamServiceAccount")["worker-key-1"].depends_on


def test_users_are_never_force_destroyed(run: "Run") -> None:
    """The plugin deletes such a user at any update."""
    assert not any("forceDestroy" in user.inputs for user in run.of("IamUser").values())


def test_provider_gets_host_and_port_without_scheme(run: "Run") -> None:
    """The plugin refuses a scheme when it is configured."""
    inputs = run.of("minio")["aistor"].inputs

    assert inputs["minioServer"].startswith("127.0.0.1:")
    assert (inputs["minioUser"], inputs["minioRegion"]) == ("provisioner", "us-west-2")


class TestProtection:
    """Protection against destruction."""

    def test_real_stack_protects_and_keeps(self, run: "Run") -> None:
        """By default buckets are protected and never emptied."""
        for bucket in run.of("S3Bucket").values():
            assert (bucket.protect, bucket.inputs["forceDestroy"]) == (True, False)

    def test_disposable_stack_never_empties_cold_buckets(self, run_program: "Callable[..., Run]") -> None:
        """A locked bucket is never force-destroyed, because the plugin would never finish."""
        run = run_program("aistor", protect=False, emptyOnDestroy=True)

        for name, bucket in run.of("S3Bucket").items():
            assert (bucket.protect, bucket.inputs["forceDestroy"]) == (False, name not in COLD)


def test_everything_stands_under_the_component(run: "Run") -> None:
    """All resources but the provider are children of one component with the project's type token."""
    (store,) = run.of("AistorStore").values()

    assert store.type == "object-store:storage:AistorStore"
    for resource in run.resources:
        if resource.type.startswith("minio:"):
            assert "object-store:storage:AistorStore" in resource.parent


def test_outputs_are_the_contract(run: "Run") -> None:
    """The deployment is published without secrets, the credentials as a secret."""
    assert run.outputs["deployment"]["cloud"] == "aistor"
    assert "secret-of-" not in json.dumps(run.outputs["deployment"])
    secret = run.outputs["credentials"]
    assert type(secret).__name__ == "Secret"
    assert set(secret.value) == IDENTITIES
    assert secret.value["worker"] == {
        "access_key_id": "AK-worker-key-1",
        "secret_access_key": "secret-of-worker-key-1",
    }


def test_rollback_path_is_a_change_of_config_only(run_program: "Callable[..., Run]") -> None:
    """With the legacy plain-http server the plan differs only in the TLS rule."""
    plain = run_program("aistor", clientEndpoint="http://minio:9000", adminApi="v3")

    assert plain.outputs["deployment"]["endpoint"] == "http://minio:9000"
    assert plain.outputs["deployment"]["plan"]["tls_only"] is False
    assert "TlsOnly" not in plain.of("IamPolicy")["worker-policy"].inputs["policy"]


def test_bad_input_declares_nothing(run_program: "Callable[..., Run]") -> None:
    """A mistake ends the program with its message before it registers any resource."""
    with pytest.raises(pulumi.RunError, match=r"domains\.Media: the name 'Media' is malformed"):
        run_program("aistor", domains={"Media": {"band": "hot"}})


class TestAdminApiV4:
    """Identities by the admin API; `test_identity` shows that they otherwise equal the plugin's."""

    def test_identities_are_switched_on_and_say_where_they_are(self, run_v4: "Run") -> None:
        """The state contains the server's URL and region, but no key of the admin."""
        endpoint = f"http://{run_v4.of('minio')['aistor'].inputs['minioServer']}"
        for resource in run_v4.resources:
            if resource.type in identity_types("v4"):
                assert [resource.inputs[key] for key in ("endpoint", "region", "caPem")] == [endpoint, "us-west-2", ""]
                assert ADMIN_PASSWORD not in json.dumps(resource.inputs)
        assert {user.inputs["status"] for user in run_v4.of("User").values()} == {"enabled"}
        assert {account.inputs["status"] for account in run_v4.of("ServiceAccount").values()} == {"on"}

    def test_provider_in_the_state_is_a_reference_in_clear(self, run_v4: "Run") -> None:
        """Each type has one text, the same in every resource, and no secret that would differ at each update."""
        for kind in ("User", "Policy", "Attachment", "ServiceAccount"):
            (form,) = {resource.inputs["__provider"] for resource in run_v4.of(kind).values()}
            assert b"infra.identity." in base64.b64decode(form)

    def test_secrets_are_secret_outputs(self, run_v4: "Run") -> None:
        """The secret keys of the user and the account are encrypted in the state."""
        assert {frozenset(user.secret_outputs) for user in run_v4.of("User").values()} == {frozenset({"secret"})}
        accounts = run_v4.of("ServiceAccount").values()
        assert {frozenset(account.secret_outputs) for account in accounts} == {frozenset({"secretKey"})}

    def test_outputs_are_the_same(self, run: "Run", run_v4: "Run") -> None:
        """The outputs do not change: the deployment, and the credentials as a secret."""
        assert run_v4.outputs == run.outputs
        assert type(run_v4.outputs["credentials"]).__name__ == "Secret"


@pytest.mark.parametrize("protect", [True, False])
def test_settings_of_a_protected_bucket_outlive_a_destroy(run_program: "Callable[..., Run]", *, protect: bool) -> None:
    """Its rules and guards stay on the server; identities and versioning end with their resource (decision 0015)."""
    kept = {
        one.type.rpartition(":")[2] for one in run_program("aistor", protect=protect).resources if one.retain_on_delete
    }

    assert kept == ({"IlmPolicy"} if protect else set())
