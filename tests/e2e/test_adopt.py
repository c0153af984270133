"""Adoption on both stacks: a lost state, resources made by hand, and resources that must not be adopted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import trials.checkout
from tests.sizes import IS_LONG, on
from trials.checkout import Checkout, Done, copy_checkout

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

PREFIX = {"local": "joelclaw-local-usw2-", "aws": "joelclaw-prod-usw2-"}
DOMAINS = ("media-derived", "docs-derived", "session-archive", "discovery-raw", "otel-archive")
IDENTITIES = ("worker", "session-archiver", "otel-exporter", "reader", "verifier")
CHANGED_BY_HAND = ("session-archive", "media-derived", "discovery-raw", "otel-archive")
# An `up` with these settings does not give the plan without them.
OTHER_SETTINGS = {
    "domains": {"extra": {"band": "hot"}, "docs-derived": {"expire_after_days": 100}},
    "identities": {"worker": {"grants": {"extra": "write"}}},
}
KEYS = {f"{name}-key-1" for name in IDENTITIES}
LEFT_TO_UP = {
    "local": {*KEYS, "otel-archive-retention", *(f"{domain}-policy" for domain in DOMAINS)},
    "aws": KEYS,
}


@pytest.fixture(scope="module", name="own")
def _own(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A sandbox that may lose its state."""
    del engine
    own = copy_checkout(tmp_path_factory.mktemp("adopt"), DOMAINS)
    try:
        # A change loses the state of the aws stack only; its server is not needed for the others.
        done = own.python("cli", "sandbox", "up", "--stack", "all" if IS_LONG else "aws")
        assert done.status == 0, done.output
        yield own
    finally:
        own.python("cli", "sandbox", "down", "--stack", "all")


@contextmanager
def config(checkout: Checkout, stack: str, **values: object) -> Iterator[None]:
    """Temporarily more config; the encryption key of the stack's secrets stays."""
    path = checkout.folder(stack).stack_file
    before = path.read_text(encoding="utf-8")
    content = yaml.safe_load(before)
    content["config"] |= {f"object-store:{key}": value for key, value in values.items()}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def state_file(checkout: Checkout, stack: str) -> "Path":
    """The path of a stack's state."""
    (path,) = checkout.folder(stack).state.glob(f".pulumi/stacks/*/{stack}.json")
    return path


def adopt(checkout: Checkout, stack: str, *arguments: str) -> Done:
    """Run the command; its output contains no secret of the server."""
    done = checkout.python("cli", "adopt", "--stack", stack, *arguments, stack=stack)
    secret = json.loads(checkout.folder(stack).admin_file.read_text(encoding="utf-8"))["password"]
    assert len(secret) >= 16
    assert secret not in done.output
    return done


def previewed(checkout: Checkout, stack: str) -> dict[str, set[str]]:
    """The operations of a preview: names by operation, without unchanged resources."""
    done = checkout.pulumi(stack, "preview", "--json", "--stack", stack)
    assert done.status == 0, done.output
    found: dict[str, set[str]] = {}
    for step in json.loads(done.output[done.output.index("{") :])["steps"]:
        if step["op"] != "same":
            found.setdefault(step["op"], set()).add(step["urn"].rpartition("::")[2])
    return found


def lose_state(checkout: Checkout, stack: str) -> None:
    """Lose the state, as after the loss of a backend: only the config remains."""
    for path in checkout.folder(stack).state.glob(f".pulumi/stacks/*/{stack}.json*"):
        path.unlink()
    done = checkout.pulumi(stack, "stack", "init", stack)
    assert done.status == 0, done.output


def change_by_hand(client: Any, prefix: str) -> None:  # noqa: ANN401 - boto3's S3 client
    """Change lifecycles, versioning and a retention, and create a bucket like `aws s3 mb`."""
    client.put_bucket_lifecycle_configuration(
        Bucket=f"{prefix}session-archive",
        LifecycleConfiguration={
            "Rules": [{"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]
        },
    )
    client.put_bucket_versioning(Bucket=f"{prefix}session-archive", VersioningConfiguration={"Status": "Suspended"})
    client.delete_bucket_lifecycle(Bucket=f"{prefix}media-derived")
    location = {"CreateBucketConfiguration": {"LocationConstraint": client.meta.region_name}}
    client.delete_bucket(Bucket=f"{prefix}discovery-raw")
    client.create_bucket(Bucket=f"{prefix}discovery-raw", **location)
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}}
    client.put_object_lock_configuration(
        Bucket=f"{prefix}otel-archive",
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention},
    )


@on("stack", ["aws"], left=["local"])
def test_lost_state_and_what_was_made_by_hand_are_adopted(own: Checkout, stack: str, tmp_path: "Path") -> None:
    """After the adoption nothing is deleted or replaced; `up` repairs the differences, and verification is green."""
    with config(own, stack, **OTHER_SETTINGS):
        made = own.up(stack, "--stack", stack)
        assert made.status == 0, made.output
    client, prefix = own.client(stack), PREFIX[stack]
    client.delete_bucket(Bucket=f"{prefix}extra")
    change_by_hand(client, prefix)
    lose_state(own, stack)
    out = tmp_path / "import.json"

    done = adopt(own, stack, "--yes", "--out", str(out))

    assert done.status == 0, done.output
    assert f"{prefix}otel-archive: GOVERNANCE 400 d becomes GOVERNANCE 365 d" in done.output
    assert f"{prefix}session-archive: bucket" in done.output
    assert "extra" not in done.output
    file = json.loads(out.read_text(encoding="utf-8"))
    assert [one["logicalName"] for one in file["resources"][:2]] == ["store", {"local": "aistor"}.get(stack, stack)]
    assert "ciphertext" not in out.read_text(encoding="utf-8")
    assert "plaintext" not in out.read_text(encoding="utf-8")

    found = previewed(own, stack)
    assert set(found) == {"create", "update"}
    by_hand = {"media-derived-lifecycle", "discovery-raw-lifecycle"}
    if stack == "aws":
        by_hand |= {f"discovery-raw-{aspect}" for aspect in ("public-access", "ownership", "policy")}
    assert found["create"] <= LEFT_TO_UP[stack] | by_hand
    assert found["create"] >= LEFT_TO_UP[stack] | {"discovery-raw-lifecycle", "media-derived-lifecycle"}
    assert found["update"] >= {
        "session-archive-lifecycle",
        "session-archive-versioning",
        "discovery-raw-versioning",
        "docs-derived-lifecycle",
        "worker-policy",
        "reader-policy",
    }

    assert own.up(stack, "--stack", stack).status == 0
    buckets = [word for name in CHANGED_BY_HAND for word in ("--bucket", name)]
    proven = own.python("verify", "--stack", stack, *buckets, stack=stack)
    assert proven.status == 0, proven.output
    again = adopt(own, stack, "--yes")
    assert (again.status, "nothing to adopt" in again.output) == (0, True)


def without_keys_of(state: dict[str, Any], identity: str) -> dict[str, Any]:
    """The state without an identity's access keys, and without what the stack has published."""
    resources = state["deployment"]["resources"]
    kept = [
        one
        for one in resources
        if not ("accessKey" in one["type"] and one["urn"].rpartition("::")[2].startswith(f"{identity}-key-"))
    ]
    for one in kept:
        if one["type"] == "pulumi:pulumi:Stack":
            one["outputs"] = {}
    return {**state, "deployment": {**state["deployment"], "resources": kept}}


def test_user_without_room_for_a_new_key_is_named_before_anything_is_sent(own: Checkout) -> None:
    """AWS allows two access keys: adopt, preflight and up each refuse, and the line that they name makes room."""
    stack, user = "aws", f"{PREFIX['aws']}worker"
    assert own.up(stack, "--stack", stack).status == 0
    iam = own.client(stack, "iam")

    def keys() -> list[str]:
        return sorted(one["AccessKeyId"] for one in iam.list_access_keys(UserName=user)["AccessKeyMetadata"])

    while len(keys()) < 2:
        iam.create_access_key(UserName=user)
    before = keys()
    state = json.loads(own.pulumi(stack, "stack", "export", "--stack", stack).output)
    lost = json.dumps(without_keys_of(state, "worker"))
    assert own.pulumi(stack, "stack", "import", "--stack", stack, text=lost).status == 0

    refused = [
        adopt(own, stack, "--yes"),
        own.python("cli", "preflight", "--stack", stack, "--before", "up", stack=stack),
        own.up(stack, "--stack", stack),
    ]

    assert keys() == before
    assert [done.status == 0 for done in refused] == [False] * 3
    assert [done.status for done in refused[:2]] == [1, 1]
    for done in refused:
        assert all(key in done.output for key in before), done.output
    assert all(f"object-store adopt --stack {stack}" in done.output for done in refused[1:])
    named = refused[0].output.partition(f"aws iam delete-access-key --user-name {user} --access-key-id ")[2][:20]
    assert named in before
    iam.delete_access_key(UserName=user, AccessKeyId=named)
    for done in (
        adopt(own, stack, "--yes"),
        own.python("cli", "preflight", "--stack", stack, "--before", "up", stack=stack),
        own.up(stack, "--stack", stack),
    ):
        assert done.status == 0, done.output
    assert len(keys()) == 2
    assert previewed(own, stack) == {}
    whole = json.loads(own.pulumi(stack, "stack", "export", "--stack", stack).output)

    # The only key that works may be among them, so one new key less comes first.
    assert own.pulumi(stack, "stack", "import", "--stack", stack, text=lost).status == 0
    with config(own, stack, credentials={"worker": {"current": 2, "previous": 1}}):
        path = 'object-store:credentials["worker"].previous'
        done = adopt(own, stack, "--yes")
        assert (done.status, f"pulumi config rm --stack {stack} --path '{path}'" in done.output) == (1, True)
        assert "delete-access-key" not in done.output
        assert own.pulumi(stack, "config", "rm", "--path", path, "--stack", stack).status == 0
        assert "delete-access-key" in adopt(own, stack, "--yes").output
    assert own.pulumi(stack, "stack", "import", "--stack", stack, text=json.dumps(whole)).status == 0


@on("stack", ["local"], left=["aws"])
def test_nothing_is_imported_that_was_not_agreed_to(checkout: Checkout, stack: str) -> None:
    """Without a terminal and without --yes, the command shows its findings, and the state does not change."""
    client, name = checkout.client(stack), f"{PREFIX[stack]}by-hand"
    with config(
        checkout,
        stack,
        domains={"by-hand": {"band": "hot"}},
        identities={"newcomer": {"grants": {"by-hand": "read"}}},
    ):
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
        before = state_file(checkout, stack).read_bytes()
        try:
            done = adopt(checkout, stack)
        finally:
            client.delete_bucket(Bucket=name)

    assert done.status == 2
    assert f"{name}: bucket" in done.output
    assert "newcomer" not in done.output
    assert "add --yes" in done.output
    assert state_file(checkout, stack).read_bytes() == before


# What a refresh by a refused admin takes out of a state, and the keys and attachments, whose users stay.
_EMPTIED = ("Bucket", "LifecycleConfiguration", "ilmPolicy", "ServiceAccount", "accessKey", "Attachment")


def emptied(state: dict[str, Any]) -> dict[str, Any]:
    """The state without these resources, with an admin's password that the server refuses."""
    resources = state["deployment"]["resources"]
    kept = [one for one in resources if not any(word in one["type"] for word in _EMPTIED)]
    there = {one["urn"] for one in kept}
    for one in kept:
        one["dependencies"] = [urn for urn in one.get("dependencies") or [] if urn in there]
        waits = one.get("propertyDependencies") or {}
        one["propertyDependencies"] = {key: [urn for urn in urns or [] if urn in there] for key, urns in waits.items()}
        if one["type"] == "pulumi:providers:minio":
            one["inputs"]["minioPassword"] = one["outputs"]["minioPassword"] = "planted-wrong-password"
    return {**state, "deployment": {**state["deployment"], "resources": kept}}


@on("stack", ["local"], left=["aws"])
def test_emptied_state_comes_back_with_the_keys_that_work(checkout: Checkout, stack: str) -> None:
    """The engine asks with the config's pair, and keys whose secrets the outputs still have become resources again."""
    before = state_file(checkout, stack).read_bytes()
    credentials = ("stack", "output", "credentials", "--json", "--show-secrets", "--stack", stack)
    pairs = checkout.pulumi(stack, *credentials).output
    state = json.loads(checkout.pulumi(stack, "stack", "export", "--stack", stack).output)
    try:
        lost = emptied(state)
        assert len(lost["deployment"]["resources"]) < len(state["deployment"]["resources"]) - 30
        assert checkout.pulumi(stack, "stack", "import", "--stack", stack, text=json.dumps(lost)).status == 0

        done = adopt(checkout, stack, "--yes")

        assert done.status == 0, done.output
        assert "The secrets of these access keys are known" in done.output
        assert "creates a new key" not in done.output
        # The sandbox empties its buckets when it is destroyed, and an import does not know that.
        preview = previewed(checkout, stack)
        assert preview.keys() <= {"update", "create"}
        # There is nothing to import of a resource that keeps a bucket without a policy.
        assert {name.rpartition("-")[2] for name in preview.get("create", ())} <= {"policy"}
        assert stack == "local" or "create" not in preview
        assert checkout.up(stack, "--stack", stack).status == 0
        assert previewed(checkout, stack) == {}
        assert checkout.pulumi(stack, *credentials).output == pairs
    finally:
        state_file(checkout, stack).write_bytes(before)


def test_bucket_of_another_lock_is_refused(checkout: Checkout, stack: str) -> None:
    """A bucket without the planned lock, and one with an unplanned one, are named with the remedy."""
    client, locked = checkout.client(stack), {"cold": False, "hot": True}
    names = {band: f"{PREFIX[stack]}by-hand-{band}" for band in locked}
    with config(checkout, stack, domains={f"by-hand-{band}": {"band": band} for band in locked}):
        for band, name in names.items():
            client.create_bucket(
                Bucket=name,
                ObjectLockEnabledForBucket=locked[band],
                CreateBucketConfiguration={"LocationConstraint": client.meta.region_name},
            )
        before = state_file(checkout, stack).read_bytes()
        try:
            done = adopt(checkout, stack, "--yes")
        finally:
            for name in names.values():
                client.delete_bucket(Bucket=name)

    assert done.status == 1
    assert f"{names['cold']}: it has no object lock" in done.output
    assert f"{names['hot']}: it has object lock" in done.output
    assert state_file(checkout, stack).read_bytes() == before


@on("stack", ["aws"], left=["local"])
def test_server_that_is_down_is_told(checkout: Checkout, stack: str) -> None:
    """A server that does not answer is a named error, and no resource counts as gone."""
    before = state_file(checkout, stack).read_bytes()
    nowhere = "https://127.0.0.1:1"
    with config(checkout, stack, **({"endpoint": nowhere} if stack == "local" else {})):
        done = checkout.run(
            [trials.checkout.PYTHON, "-m", "cli", "adopt", "--stack", stack, "--yes"],
            stack,
            {"AWS_ENDPOINT_URL": nowhere},
        )

    assert done.status == 2
    assert nowhere in done.output
    assert "Nothing was adopted." in done.output
    assert "Traceback" not in done.output
    assert state_file(checkout, stack).read_bytes() == before
