"""infra.aws: the resources of the plan on pulumi-aws."""

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pytest

from infra.program import plan_for
from infra.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.components.conftest import Run

COLD = {"media-raw", "docs-raw", "otel-archive", "vault-backups"}
WARM = {"media-derived", "docs-derived", "session-archive", "discovery-raw"}
ALL = COLD | WARM | {"agent-loop-artifacts"}

# With names of this length the reader gets two small policies.
MANY = {f"{'long' * 8}-{number:03}": {"band": "hot"} for number in range(14)}


@pytest.fixture(scope="module", name="run")
def _run(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aws")


def test_buckets_are_locked_exactly_when_cold(run: "Run") -> None:
    """Object lock is set at creation, because setting it later replaces the bucket."""
    buckets = run.of("Bucket")

    assert {name for name, bucket in buckets.items() if bucket.inputs["objectLockEnabled"]} == COLD
    assert set(buckets) == ALL


def test_every_bucket_is_closed_to_the_public(run: "Run") -> None:
    """Each bucket has all four blocks, owner-enforced objects and a TLS-only policy."""
    assert len(run.of("BucketPublicAccessBlock")) == len(ALL)
    for block in run.of("BucketPublicAccessBlock").values():
        assert [block.inputs[key] for key in BLOCKS] == [True] * 4
    for controls in run.of("BucketOwnershipControls").values():
        assert controls.inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    for policy in run.of("BucketPolicy").values():
        (statement,) = json.loads(policy.inputs["policy"])["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def test_encryption_is_sse_s3_unless_a_key_is_named(run: "Run", run_program: "Callable[..., Run]") -> None:
    """The default is SSE-S3; a key in config gives SSE-KMS."""
    kms = run_program("aws", encryption="SSE-KMS", kmsKeyArn="arn:aws:kms:us-west-2:1:key/x")

    (rule,) = run.of("BucketServerSideEncryptionConfiguration")["media-raw-encryption"].inputs["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    (rule,) = kms.of("BucketServerSideEncryptionConfiguration")["media-raw-encryption"].inputs["rules"]
    assert rule == {
        "applyServerSideEncryptionByDefault": {
            "sseAlgorithm": "aws:kms",
            "kmsMasterKeyId": "arn:aws:kms:us-west-2:1:key/x",
        },
        "bucketKeyEnabled": True,
    }


def test_versioning_on_warm_and_lock_on_cold(run: "Run") -> None:
    """Each band has its own setting, and the lock's configuration remains when the stack is destroyed."""
    assert set(run.of("BucketVersioning")) == {f"{name}-versioning" for name in WARM}
    locks = run.of("BucketObjectLockConfiguration")
    assert set(locks) == {f"{name}-retention" for name in COLD}
    for lock in locks.values():
        assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 365}}
        assert lock.retain_on_delete


def test_lifecycle_has_all_that_aws_can(run: "Run") -> None:
    """Each bucket has one lifecycle resource, with abort-multipart and transitions."""
    found = run.of("BucketLifecycleConfiguration")

    assert set(found) == {f"{name}-lifecycle" for name in ALL}
    assert found["session-archive-lifecycle"].inputs["rules"][1] == {
        "id": "band-warm",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": 365},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
    }


@pytest.mark.parametrize("domain", sorted(ALL))
def test_settings_of_a_bucket_are_chained(run: "Run", domain: str) -> None:
    """S3 answers 409 OperationAborted to two changes of one bucket at once."""
    chain = run.children(domain)

    assert len(chain) == 7 - (domain == "agent-loop-artifacts")
    for before, after in pairwise(chain):
        assert before.name in after.depends_on, f"{after.name} does not wait for {before.name}"


def test_identities_have_user_policy_attachment_and_key(run: "Run") -> None:
    """Each has a managed policy, attached before the key is created."""
    assert run.of("Policy")["worker-policy"].inputs["name"] == "joelclaw-local-usw2-worker"
    assert "worker-attachment" in run.of("AccessKey")["worker-key-1"].depends_on


@pytest.mark.usefixtures("small_policies")
def test_large_policies_are_split(run_program: "Callable[..., Run]") -> None:
    """Above the size of a policy an identity gets several managed policies."""
    run = run_program("aws", domains=MANY)

    assert {"reader-policy", "reader-policy-2"} <= set(run.of("Policy"))
    assert {"reader-attachment", "reader-attachment-2"} <= set(run.of("UserPolicyAttachment"))


def test_one_domain_too_many_is_refused(run_program: "Callable[..., Run]") -> None:
    """The verifier's eleventh policy: the program ends before it declares anything, and says how many domains fit."""

    def with_domains(count: int) -> dict[str, dict[str, str]]:
        return {f"domain-{number:04}": {"band": "hot"} for number in range(count - 9)}

    with pytest.raises(pulumi.RunError, match="at most 10 per user") as caught:
        run_program("aws", domains=with_domains(700))
    fitting = int(str(caught.value).rpartition("at most ")[2].split()[0])

    with pytest.raises(pulumi.RunError, match=f"(?s)its {fitting + 1} domains need 11 .* at most {fitting} domains"):
        run_program("aws", domains=with_domains(fitting + 1))
    values = {"cloud": "aws", "env": "local", "region": "us-west-2", "domains": json.dumps(with_domains(fitting))}
    assert len(plan_for(settings_from(values, "test", Path.cwd(), {}), None).buckets) == fitting


def test_provider_guards_account_and_tags_everything(run_program: "Callable[..., Run]") -> None:
    """The provider has only the allowed accounts, and default tags."""
    run = run_program("aws", allowedAccountIds=["123456789012"], tags={"team": "home"})
    inputs = run.of("aws")["aws"].inputs

    assert json.loads(inputs["allowedAccountIds"]) == ["123456789012"]
    assert json.loads(inputs["defaultTags"])["tags"] == {
        "project": "joelclaw",
        "managed-by": "pulumi",
        "env": "local",
        "stack": "test",
        "team": "home",
    }


def test_real_stack_protects_and_disposable_one_keeps_cold(run_program: "Callable[..., Run]") -> None:
    """Buckets are protected by default; a disposable stack empties all but cold buckets."""
    assert all(bucket.protect for bucket in run_program("aws").of("Bucket").values())
    for name, bucket in run_program("aws", protect=False, emptyOnDestroy=True).of("Bucket").items():
        assert (bucket.protect, bucket.inputs["forceDestroy"]) == (False, name not in COLD)


def test_outputs_name_no_endpoint(run: "Run") -> None:
    """On AWS clients find the endpoint themselves."""
    deployment = run.outputs["deployment"]

    assert (deployment["cloud"], deployment["endpoint"], deployment["unsupported"]) == ("aws", None, [])


GITHUB = "https://token.actions.githubusercontent.com"
TRUSTING = {"reader": {"trust": {"oidc": {"issuer": GITHUB, "subject": "repo:joelhooks/joelclaw:*"}}}}


@pytest.fixture(scope="module", name="with_role")
def _with_role(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aws", identities=TRUSTING, allowedAccountIds=["123456789012"])


def test_an_identity_with_a_trust_has_a_role_in_place_of_a_user(with_role: "Run", run: "Run") -> None:
    """It has neither user nor key, and the same policy as a user would have."""
    assert set(run.of("User")) - set(with_role.of("User")) == {"reader-user"}
    assert set(run.of("AccessKey")) - set(with_role.of("AccessKey")) == {"reader-key-1"}
    assert set(with_role.of("Role")) == {"reader-role"}
    assert with_role.of("Policy")["reader-policy"].inputs == run.of("Policy")["reader-policy"].inputs
    (attachment,) = with_role.of("RolePolicyAttachment").values()
    assert attachment.depends_on == {"reader-role", "reader-policy"}


def test_the_role_is_assumed_by_token_for_an_hour(with_role: "Run") -> None:
    """The role's provider belongs to the account, and the stack does not create it."""
    inputs = with_role.of("Role")["reader-role"].inputs
    (statement,) = json.loads(inputs["assumeRolePolicy"])["Statement"]

    assert (inputs["name"], inputs["maxSessionDuration"]) == ("joelclaw-local-usw2-reader", 3600)
    assert statement["Principal"] == {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    }
    assert not with_role.of("OpenIdConnectProvider")


def test_the_role_is_published_and_has_no_credential(with_role: "Run", run: "Run") -> None:
    """The deployment names the role to assume; a stack without trusts publishes none."""
    assert with_role.outputs["deployment"]["roles"] == {
        "reader": {
            "arn": "arn:aws:iam::123456789012:role/joelclaw-local-usw2-reader",
            "issuer": GITHUB,
            "audience": "sts.amazonaws.com",
        }
    }
    assert set(run.outputs["credentials"].value) - set(with_role.outputs["credentials"].value) == {"reader"}
    assert run.outputs["deployment"]["roles"] == {}


@pytest.mark.usefixtures("small_policies")
def test_large_policies_of_a_role_are_split(run_program: "Callable[..., Run]") -> None:
    """A role has as many managed policies as a user."""
    run = run_program("aws", identities=TRUSTING, allowedAccountIds=["123456789012"], domains=MANY)

    assert set(run.of("RolePolicyAttachment")) == {"reader-attachment", "reader-attachment-2"}


@pytest.mark.parametrize(("cloud", "expected"), [("aws", "exactly one account"), ("aistor", "AIStor has no roles")])
def test_a_trust_that_cannot_be_had_is_refused_before_anything(
    run_program: "Callable[..., Run]", cloud: str, expected: str
) -> None:
    """The program ends with a message that says what to write, and declares nothing."""
    with pytest.raises(pulumi.RunError, match=expected):
        run_program(cloud, identities=TRUSTING)


@pytest.mark.parametrize("protect", [True, False])
def test_settings_of_a_protected_bucket_outlive_a_destroy(run_program: "Callable[..., Run]", *, protect: bool) -> None:
    """Its rules and guards stay on the server; identities and versioning end with their resource (decision 0015)."""
    kept = {
        one.type.rpartition(":")[2] for one in run_program("aws", protect=protect).resources if one.retain_on_delete
    }

    assert kept == (
        {
            "BucketLifecycleConfiguration",
            "BucketPublicAccessBlock",
            "BucketOwnershipControls",
            "BucketPolicy",
            "BucketServerSideEncryptionConfiguration",
        }
        if protect
        else set()
    ) | {"BucketObjectLockConfiguration"}
