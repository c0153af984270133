"""The policy pack on the real engine: the shipped stacks pass, and each policy refuses and names one violation.

The rule: in a program of `violations/`, a resource breaks only the policy that it is named after. So the tests find a
policy that reports too much as well as one that reports nothing.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError

from policy.pack import POLICIES
from tests.sizes import on
from trials.checkout import ONE_OF_EACH_BAND, ROOT, Checkout, Done, copy_checkout

pytestmark = pytest.mark.e2e

BROKEN = {
    "local": {
        "band-versioning": "S3Bucket",
        "bucket-acl": "S3Bucket",
        "bucket-force-destroy": "S3Bucket",
        "bucket-lifecycle": "S3Bucket",
        "bucket-name": "S3Bucket",
        "bucket-protect": "S3Bucket",
        "cold-retention": "S3Bucket",
        "key-maker": "IamServiceAccount",
        "key-outputs": "Stack",
        "lifecycle-limits": "IlmPolicy",
        "service-account-policy": "IamServiceAccount",
        "user-force-destroy": "IamUser",
        "wildcard-grants": "IamPolicy",
    },
    "aws": {
        "band-versioning": "Bucket",
        "bucket-force-destroy": "Bucket",
        "bucket-lifecycle": "Bucket",
        "bucket-name": "Bucket",
        "bucket-protect": "Bucket",
        "cold-retention": "Bucket",
        "key-maker": "AccessKey",
        "key-outputs": "Stack",
        "lifecycle-limits": "BucketLifecycleConfiguration",
        "public-access-block": "Bucket",
        "role-trust": "Role",
        "tls-only": "Bucket",
        "user-force-destroy": "User",
        "wildcard-grants": "Policy",
    },
}
COMPUTED_BUCKET = "joelclaw-test-usw2-computed"
# A substitute for a deployment's admin, for programs of `violations/` that declare a dynamic resource.
ADMIN = {"AISTOR_ROOT_USER": "planted-admin", "AISTOR_ROOT_PASSWORD": "planted-admin-password"}
_JUDGED = re.compile(r"^ +- \[(\w+)\] +([a-z-]+) +\([a-z0-9-]+:[a-z0-9]+:(\w+): ([\w-]+)\)$", re.MULTILINE)


@pytest.fixture(scope="module", name="sandbox")
def _sandbox(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the checkout with the pack, without a deployment."""
    del engine
    sandbox = copy_checkout(tmp_path_factory.mktemp("policy-pack"), ONE_OF_EACH_BAND)
    if not (sandbox.path / "policy").exists():
        shutil.copytree(ROOT / "policy", sandbox.path / "policy", ignore=shutil.ignore_patterns("__pycache__"))
    # The place where `make env` creates it, and where the pack looks for it.
    (sandbox.path / ".venv").symlink_to(sys.prefix)
    try:
        done = sandbox.python("cli", "sandbox", "up", "--stack", "all")
        assert done.status == 0, done.output
        yield sandbox
    finally:
        sandbox.python("cli", "sandbox", "down", "--stack", "all")


def judged(sandbox: Checkout, stack: str, command: str, *arguments: str) -> Done:
    """Run a command of the engine with the pack."""
    pack = str(sandbox.path / "policy")
    return sandbox.pulumi(
        stack, *arguments, command, "--policy-pack", pack, "--suppress-outputs", more={**ADMIN, "NO_COLOR": "1"}
    )


def found(done: Done) -> set[tuple[str, str, str, str]]:
    """The policies' findings: level, policy, last part of the type, resource."""
    return set(_JUDGED.findall(done.output))


def strange(sandbox: Checkout, stack: str, program: str) -> list[str]:
    """A Pulumi project with a program of `violations/`, as the engine's arguments."""
    folder = sandbox.path / f"{program}-violations"
    shutil.copytree(Path(__file__).with_name("violations") / program, folder)
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": "../.venv"}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "violations", "runtime": runtime}), encoding="utf-8")
    arguments = ["--cwd", str(folder)]
    done = sandbox.pulumi(stack, *arguments, "stack", "init", program)
    assert done.status == 0, done.output
    return arguments


def test_every_policy_is_broken_here() -> None:
    """For every policy, a resource breaks it on the engine."""
    assert {policy.name for policy in POLICIES} == {*BROKEN["local"], *BROKEN["aws"]}


def test_shipped_stack_passes(sandbox: Checkout, stack: str) -> None:
    """With the committed protection each stack passes its first preview, and no policy is undecided."""
    file = sandbox.folder(stack).stack_file
    before = file.read_text(encoding="utf-8")
    config = yaml.safe_load(before)
    config["config"] |= {"object-store:protect": True, "object-store:emptyOnDestroy": False}
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    try:
        done = judged(sandbox, stack, "preview")
    finally:
        file.write_text(before, encoding="utf-8")

    assert done.status == 0, done.output
    assert "✅ joelclaw-object-store@v" in done.output
    assert "can't run policy" not in done.output
    assert found(done) == set()


def test_each_violation_is_refused_and_named(sandbox: Checkout, stack: str) -> None:
    """A preview fails with exactly the broken policies and their resources."""
    done = judged(sandbox, stack, "preview", *strange(sandbox, stack, stack))

    assert done.status != 0, done.output
    broken = {
        ("mandatory", policy, kind, policy if kind != "Stack" else f"violations-{stack}")
        for policy, kind in BROKEN[stack].items()
    }
    assert found(done) == broken, done.output
    assert "planted-" not in done.output


@on("stack", ["aws"], left=["local"])
def test_sandbox_is_refused_until_the_pack_calls_it_disposable(sandbox: Checkout, stack: str) -> None:
    """Unprotected and emptied buckets are refused; only the pack's own config can allow them."""
    refused = judged(sandbox, stack, "preview")
    assert refused.status != 0, refused.output
    assert {policy for _, policy, _, _ in found(refused)} == {"bucket-protect", "bucket-force-destroy"}

    # During and after the update every value is known: the keys in the credentials, the documents, the names.
    disposable = ("--policy-pack-config", str(sandbox.path / "policy" / "disposable.json"))
    up = judged(sandbox, stack, "up", "--yes", "--skip-preview", *disposable)
    assert up.status == 0, up.output
    after = judged(sandbox, stack, "preview", *disposable)
    assert after.status == 0, after.output
    assert (found(up), found(after)) == (set(), set())


def test_value_that_only_the_update_knows_is_judged_then(sandbox: Checkout) -> None:
    """A preview reports what it cannot tell and passes; the update refuses before the policy reaches the bucket."""
    arguments = strange(sandbox, "aws", "computed")

    preview = judged(sandbox, "aws", "preview", *arguments)
    assert preview.status == 0, preview.output
    assert {(level, policy) for level, policy, _, _ in found(preview)} == {
        ("advisory", "tls-only"),
        ("advisory", "wildcard-grants"),
    }
    assert "string value at .bucket.policy can't be known during preview" in preview.output

    up = judged(sandbox, "aws", "up", "--yes", "--skip-preview", *arguments)
    assert up.status != 0, up.output
    assert ("mandatory", "wildcard-grants", "BucketPolicy", "policy") in found(up)
    client = sandbox.client("aws")
    client.head_bucket(Bucket=COMPUTED_BUCKET)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        client.get_bucket_policy(Bucket=COMPUTED_BUCKET)
