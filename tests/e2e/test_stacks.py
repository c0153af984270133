"""Both stacks on the real engine, from the first `up` to `destroy`."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.sizes import on
from trials.checkout import ONE_OF_EACH_BAND, copy_checkout
from trials.killing import kill_tree, stop

if TYPE_CHECKING:
    from trials.checkout import Checkout, Done

pytestmark = pytest.mark.e2e

BUCKETS = {"local": "joelclaw-local-usw2-", "aws": "joelclaw-prod-usw2-"}


def state_of(checkout: "Checkout", stack: str) -> str:
    """The stored state file."""
    (path,) = checkout.folder(stack).state.glob(f".pulumi/stacks/*/{stack}.json")
    return path.read_text(encoding="utf-8")


# The counts of a stack; the number of findings that cannot tell must not grow unnoticed.
PROVEN = {
    "local": "9 buckets: 1278 proven, 0 failed, 55 cannot tell",
    "aws": "9 buckets: 1280 proven, 0 failed, 16 cannot tell",
}
# The resources of a stack.
UNCHANGED = {"local": 62, "aws": 89}
# No shipped identity audits.
AUDITS = {"settings_audited", "held_versions_audited", "grants_audited", "others_audited", "keys_audited"}
UNTOLD = {
    "local": {
        "abort_multipart_as_planned",
        "transition_as_planned",
        "encryption_as_planned",
        "ownership_enforced",
        "lock_bypass_refused",
        *AUDITS,
    },
    "aws": AUDITS,
}


def credentials_of(checkout: "Checkout", stack: str) -> dict[str, dict[str, str]]:
    """The credentials that a stack published."""
    done = checkout.pulumi(stack, "stack", "output", "credentials", "--json", "--show-secrets", "--stack", stack)
    assert done.status == 0, done.output
    pairs: dict[str, dict[str, str]] = json.loads(done.output)
    return pairs


@on("stack", ["aws"], left=["local"])
def test_deployed_stack_is_proven(checkout: "Checkout", stack: str, tmp_path: Path) -> None:
    """Verification exits 0 on nine buckets, and pytest's JUnit report is written."""
    junit = tmp_path / "report.xml"
    done = checkout.python("verify", "--stack", stack, "--junitxml", str(junit), stack=stack)

    check_proven(done, stack)
    assert 'tests="444"' in junit.read_text(encoding="utf-8")


def check_proven(done: "Done", stack: str) -> None:
    """A verification of everything told what can be told of the stack."""
    assert done.status == 0, done.output
    assert PROVEN[stack] in done.output
    assert set(re.findall(r"^cannot tell (\w+)", done.output, re.MULTILINE)) == UNTOLD[stack]
    assert "\x1b[" not in done.output


@on("stack", ["local"], left=["aws"])
def test_deploying_again_changes_nothing(checkout: "Checkout", stack: str) -> None:
    """A second deployment reports no change and proves the stack again."""
    done = checkout.python("cli", "sandbox", "deploy", "--stack", stack)

    check_proven(done, stack)
    assert " created" not in done.output
    assert f"{UNCHANGED[stack]} unchanged" in done.output


def test_no_change_is_previewed_after_up_and_after_refresh(checkout: "Checkout", stack: str) -> None:
    """A preview is empty after `up` and after `refresh`."""
    first = checkout.pulumi(stack, "preview", "--expect-no-changes", "--stack", stack)
    assert first.status == 0, first.output

    refreshed = checkout.pulumi(stack, "refresh", "--yes", "--skip-preview", "--stack", stack)
    assert refreshed.status == 0, refreshed.output

    second = checkout.pulumi(stack, "preview", "--expect-no-changes", "--stack", stack)
    assert second.status == 0, second.output
    assert "deprecated" not in (first.output + second.output).lower()


@on("stack", ["local"], left=["aws"])
def test_removed_lifecycle_rule_is_found_and_mended(checkout: "Checkout", stack: str) -> None:
    """Verification names bucket, rule, expected and actual value; `up --refresh` repairs it."""
    bucket = BUCKETS[stack] + "session-archive"
    client = checkout.client(stack)
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    kept = [rule for rule in rules if rule["ID"] != "band-warm"]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": kept})

    only = ("--only", "lifecycle_as_planned", "--bucket", "session-archive")
    broken = checkout.python("verify", "--stack", stack, *only, stack=stack)
    assert broken.status == 1, broken.output
    assert f"failed {bucket} lifecycle_as_planned" in broken.output
    assert "wanted: rule band-warm: all keys, expire after 365 d" in broken.output
    assert "found:  rule band-warm: no such rule" in broken.output

    mended = checkout.up(stack, "--refresh", "--stack", stack)
    assert mended.status == 0, mended.output
    assert checkout.python("verify", "--stack", stack, *only, stack=stack).status == 0


@on("stack", ["aws"], left=["local"])
def test_weakened_retention_is_found_and_mended(checkout: "Checkout", stack: str) -> None:
    """A shortened default retention is drift like every other."""
    bucket = BUCKETS[stack] + "otel-archive"
    checkout.client(stack).put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )

    only = ("--only", "retention_as_planned", "--bucket", "otel-archive")
    broken = checkout.python("verify", "--stack", stack, *only, stack=stack)
    assert broken.status == 1, broken.output
    assert "found:  object lock, GOVERNANCE 1 d" in broken.output

    assert checkout.up(stack, "--refresh", "--stack", stack).status == 0
    assert checkout.python("verify", "--stack", stack, *only, stack=stack).status == 0


def test_deployment_file_is_enough_to_verify(checkout: "Checkout", tmp_path: Path) -> None:
    """Without Pulumi, a deployment file and a 0600 credentials file are enough."""
    published = checkout.pulumi("local", "stack", "output", "deployment", "--json", "--stack", "local")
    deployment, credentials = tmp_path / "deployment.json", tmp_path / "credentials.json"
    deployment.write_text(published.output, encoding="utf-8")
    credentials.write_text(json.dumps(credentials_of(checkout, "local")), encoding="utf-8")
    command = ["verify", "--deployment", str(deployment), "--credentials", str(credentials)]

    credentials.chmod(0o644)
    refused = checkout.python(*command)
    assert (refused.status, "chmod 600" in refused.output) == (2, True)

    credentials.chmod(0o600)
    assert checkout.python(*command, "--bucket", "agent-loop-artifacts").status == 0


def test_unknown_stack_is_an_error_that_lists_how_to_see_them(checkout: "Checkout") -> None:
    """A stack name that does not exist exits 2."""
    done = checkout.python("verify", "--stack", "nowhere", stack="local")

    assert done.status == 2
    assert "nowhere" in done.output
    assert "pulumi stack ls" in done.output


@on("stack", ["aws"], left=["local"])
def test_secrets_are_in_no_output_and_not_in_the_state(checkout: "Checkout", stack: str) -> None:
    """No admin or identity secret appears in preview, up, verify, sandbox output or state."""
    folder = checkout.folder(stack)
    secrets = [pair["secret_access_key"] for pair in credentials_of(checkout, stack).values()]
    secrets.append(json.loads(folder.admin_file.read_text(encoding="utf-8"))["password"])
    said = [
        checkout.pulumi(stack, "preview", "--diff", "--stack", stack).output,
        checkout.up(stack, "--diff", "--stack", stack).output,
        checkout.pulumi(stack, "stack", "output", "--json", "--stack", stack).output,
        checkout.python("verify", "--stack", stack, "-v", "--bucket", "agent-loop-artifacts", stack=stack).output,
        checkout.python("cli", "sandbox", "env", stack).output,
        checkout.python("cli", "sandbox", "status").output,
        folder.server_log.read_text(encoding="utf-8"),
        state_of(checkout, stack),
    ]

    assert all(len(secret) >= 16 for secret in secrets)
    for text in said:
        assert not [secret for secret in secrets if secret in text]


def config_of(checkout: "Checkout", stack: str) -> dict[str, Any]:
    """The config of a sandbox stack's file."""
    content = yaml.safe_load(checkout.folder(stack).stack_file.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


# Inputs that the program refuses, and a part of each message; it names all inputs of a line at once.
BAD: list[tuple[str, dict[str, object], tuple[str, ...]]] = [
    (
        "local",
        {
            "domains": {
                "a": {"band": "frozen"},
                "b": {"band": "hot", "expire_after_days": 31},
                "c": {"band": "cold", "retention_days": 364},
                "d": {"band": "cold", "expire_after_days": 364},
            }
        },
        ("legal: hot, warm, cold", "legal: 7 to 30 d", "legal: 365 to 36500 d", "legal: at least 365 d"),
    ),
    (
        "local",
        {
            "domains": {
                "Media": {"band": "hot"},
                "media_x": {"band": "hot"},
                "media.x": {"band": "hot"},
                "e": {"band": "cold", "retention_days": 500, "expire_after_days": 400},
            },
            "identities": {"x": {"grants": {"nope": "read"}}},
        },
        (
            "the name 'Media' is malformed",
            "the name 'media_x' is malformed",
            "the name 'media.x' is malformed",
            "is shorter than the retention",
            "the grant names an unknown domain",
        ),
    ),
    ("local", {"domains": {"x" * 60: {"band": "hot"}}}, ("at most 63",)),
    ("local", {"env": "Local!", "regionCode": "us-west"}, ("'Local!' is malformed", "'us-west' is malformed")),
    ("local", {"domains": {"media-raw": {"band": "cold"}}}, ("the same domain twice",)),
    ("local", {"bogus": "x"}, ("unknown key 'bogus'",)),
    ("local", {"endpoint": "127.0.0.1:9000"}, ("has no scheme",)),
    ("local", {"endpoint": "https://127.0.0.1:1/x"}, ("has a path",)),
    ("local", {"endpoint": "https://127.0.0.1:1"}, ("no usable server answers",)),
    ("local", {"caBundle": "none.pem"}, ("cannot be read",)),
    ("local", {"caBundle": "Pulumi.yaml"}, ("is not a certificate",)),
    ("local", {"adminUser": ""}, ("no admin credentials",)),
    ("local", {"adminUser": "minioadmin"}, ("the vendor's default credentials",)),
    ("aws", {"region": ""}, ("the aws cloud needs a region",)),
    ("aws", {"allowedAccountIds": ["000000000000"]}, ("AWS account ID not allowed: 123456789012",)),
]


@pytest.mark.parametrize(("stack", "values", "expected"), BAD)
def test_bad_input_is_refused_and_nothing_is_made(
    checkout: "Checkout", stack: str, values: dict[str, object], expected: tuple[str, ...]
) -> None:
    """The engine exits non-zero with our messages, and creates no bucket or user."""
    path = checkout.folder(stack).stack_file
    before = path.read_text(encoding="utf-8")
    content = config_of(checkout, stack)
    content["config"].update({f"object-store:{key}": value for key, value in values.items()})
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    names = sorted(bucket["Name"] for bucket in checkout.client(stack).list_buckets()["Buckets"])
    try:
        done = checkout.up(stack, "--stack", stack)
    finally:
        path.write_text(before, encoding="utf-8")

    assert done.status != 0
    assert [text for text in expected if text not in done.output] == []
    assert "Traceback" not in done.output
    assert sorted(bucket["Name"] for bucket in checkout.client(stack).list_buckets()["Buckets"]) == names


@on("stack", ["local"], left=["aws"])
def test_protected_buckets_are_not_destroyed_and_disposable_ones_are(
    engine: None, tmp_path_factory: pytest.TempPathFactory, stack: str
) -> None:
    """A killed `up` continues after `ops.recover`; `destroy` refuses protected buckets and empties disposable ones.

    With an identity that audits, everything can be told that this server can tell.
    """
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp(f"own-{stack}"), ONE_OF_EACH_BAND)
    try:
        assert checkout.python("cli", "sandbox", "up", "--stack", stack).status == 0
        checkout.pulumi(stack, "config", "set", "--path", "object-store:identities.auditor.audits", "true")
        _kill_half_way(checkout, stack)
        taken_up = checkout.python("cli", "recover", "--stack", stack, stack=stack)
        assert taken_up.status == 0, taken_up.output
        assert "interrupted operations" in taken_up.output
        again = checkout.up(stack, "--stack", stack)
        assert again.status == 0, again.output
        assert "no operation is pending" in checkout.python("cli", "recover", "--stack", stack, stack=stack).output
        proven = checkout.python("verify", "--stack", stack, stack=stack)
        assert proven.status == 0, proven.output
        assert set(re.findall(r"^cannot tell (\w+)", proven.output, re.MULTILINE)) == UNTOLD[stack] - AUDITS
        assert re.search(r"^ +auditor +reads of .* as planned, for every request", proven.output, re.MULTILINE)
        users = checkout.client(stack, "iam").list_users()["Users"] if stack == "aws" else []
        assert len(users) == len({user["UserName"] for user in users})

        for domain in ("agent-loop-artifacts", "session-archive"):
            checkout.client(stack).put_object(Bucket=BUCKETS[stack] + domain, Key="left", Body=b"x")
        for key, value in (("emptyOnDestroy", "false"), ("protect", "true")):
            checkout.pulumi(stack, "config", "set", f"object-store:{key}", value, "--stack", stack)
        assert checkout.up(stack, "--stack", stack).status == 0
        refused = checkout.pulumi(stack, "destroy", "--yes", "--skip-preview", "--stack", stack)
        assert refused.status != 0
        assert "protect" in refused.output
        assert len(checkout.client(stack).list_buckets()["Buckets"]) == len(ONE_OF_EACH_BAND)

        for key, value in (("protect", "false"), ("emptyOnDestroy", "true")):
            checkout.pulumi(stack, "config", "set", f"object-store:{key}", value, "--stack", stack)
        assert checkout.up(stack, "--stack", stack).status == 0
        destroyed = checkout.pulumi(stack, "destroy", "--yes", "--skip-preview", "--stack", stack)
        assert destroyed.status == 0, destroyed.output
        assert checkout.client(stack).list_buckets()["Buckets"] == []
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", stack)


def _kill_half_way(checkout: "Checkout", stack: str) -> None:
    """SIGKILL the engine after it has created some buckets, but not all."""
    command = [str(checkout.folder(stack).wrapper), "up", "--yes", "--skip-preview", "--non-interactive"]
    with subprocess.Popen(  # noqa: S603 - the wrapper of the copy
        [*command, "--stack", stack],
        env=checkout.environment(stack),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as engine:
        client = checkout.client(stack)
        deadline = time.monotonic() + 60
        while len(client.list_buckets()["Buckets"]) < 2:
            assert time.monotonic() < deadline, "no bucket was made"
            assert engine.poll() is None, "the engine ended by itself"
            time.sleep(0.02)
        # A kill while the engine writes its checkpoint would leave an unreadable one; between two operations it would
        # interrupt none.
        stop(engine.pid)
        while not _an_operation_is_pending(checkout, stack):
            assert time.monotonic() < deadline, "no checkpoint with a pending operation was written"
            assert engine.poll() is None, "the engine ended by itself"
            os.kill(engine.pid, signal.SIGCONT)
            time.sleep(0.02)
            stop(engine.pid)
        kill_tree(engine.pid)
        engine.wait()


def _an_operation_is_pending(checkout: "Checkout", stack: str) -> bool:
    try:
        state = json.loads(state_of(checkout, stack))
    except ValueError:
        return False
    return bool(state["checkpoint"]["latest"].get("pending_operations"))
