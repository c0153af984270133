"""Identities by the admin API on the real engine: a v4-only server, drift, faults, and the switch of a live stack."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import yaml

from infra.admin_api import AdminApi, NotFoundError
from sandbox.server.process import admin_credentials, running_server
from tests.sizes import on
from trials.checkout import ONE_OF_EACH_BAND, Checkout, Done, copy_checkout

pytestmark = pytest.mark.e2e

Mood = Literal["v3", "v4"]
STACK = "local"
USER = "joelclaw-local-usw2-"
# One of each band, and of each identity.
DOMAINS = (*ONE_OF_EACH_BAND, "vault-backups")
PROVEN = re.compile(r"\b4 buckets: \d+ proven, 0 failed, ")
EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}],
    }
)


#: A test of what does not depend on the version that the server speaks; with `make long` it runs on both.
once = on("deployed", ["v4"], left=["v3"])


@dataclass(frozen=True)
class Deployed:
    """A separate sandbox whose local stack manages its identities by `adminApi: v4`.

    Attributes:
        checkout: The copy.
        mood: The admin API version that its server speaks.
    """

    checkout: Checkout
    mood: Mood

    def pulumi(self, *arguments: str, text: str = "", more: Mapping[str, str] | None = None) -> Done:
        """A pulumi command of the stack."""
        return self.checkout.pulumi(STACK, *arguments, "--stack", STACK, text=text, more=more)

    def verify(self, *options: str) -> Done:
        """A verification, of everything unless an option narrows it."""
        return self.checkout.python("verify", "--stack", STACK, *options, stack=STACK)

    def switch(self, to: str) -> Done:
        """Run `switch-admin-api`."""
        return self.checkout.python("cli", "switch-admin-api", "--stack", STACK, "--to", to, "--yes", stack=STACK)

    def api(self) -> AdminApi:
        """The server's admin API, for damage by hand."""
        return self.checkout.admin_api(STACK)

    def credentials(self) -> dict[str, dict[str, str]]:
        """The credentials that the stack published."""
        done = self.pulumi("stack", "output", "credentials", "--json", "--show-secrets")
        assert done.status == 0, done.output
        pairs: dict[str, dict[str, str]] = json.loads(done.output)
        return pairs

    def resources(self) -> dict[str, tuple[str, str]]:
        """Type and id of each resource of the state, by URN."""
        exported = json.loads(self.pulumi("stack", "export").output)
        held = (exported["deployment"] or {}).get("resources") or []
        return {one["urn"]: (one["type"], one.get("id", "")) for one in held}

    def types(self) -> set[str]:
        """The types of the state's resources."""
        return {kind for kind, _ in self.resources().values()}


def public(bucket: str) -> str:
    """A bucket policy that lets everyone read."""
    statement = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": [f"arn:aws:s3:::{bucket}/*"]}]})


def set_config(checkout: Checkout, **values: object) -> None:
    """Change the sandbox stack's config, as `pulumi config set` would."""
    path = checkout.folder(STACK).stack_file
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["config"] |= {f"object-store:{key}": value for key, value in values.items()}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="module", name="deployed", params=["v4", "v3"])
def _deployed(
    request: pytest.FixtureRequest, engine: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """One stack is created on a v4-only server, after a refusal of `adminApi: v3`; one by the plugin, then switched."""
    del engine
    mood: Mood = request.param
    checkout = copy_checkout(tmp_path_factory.mktemp(f"admin-{mood}"), DOMAINS)
    try:
        done = checkout.python("cli", "sandbox", "up", "--stack", STACK, "--admin-api", mood)
        assert done.status == 0, done.output
        own = Deployed(checkout, mood)
        if mood == "v4":
            _check_plugin_is_stopped(own)
            set_config(checkout, adminApi="v4")
        if mood == "v4":
            made = checkout.python("cli", "sandbox", "deploy", "--stack", STACK)
            assert made.status == 0, made.output
            assert PROVEN.search(made.output), made.output
        else:
            made = own.pulumi("up", "--yes", "--skip-preview")
            assert made.status == 0, made.output
            handed_out = own.credentials()
            moved = own.switch("v4")
            assert moved.status == 0, moved.output
            assert own.credentials() == handed_out
        yield own
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", STACK)


def _check_plugin_is_stopped(own: Deployed) -> None:
    """With `adminApi: v3` the preflight stops and names the remedy, and nothing is created."""
    set_config(own.checkout, adminApi="v3")
    refused = own.checkout.python("cli", "sandbox", "deploy", "--stack", STACK)

    assert refused.status != 0
    assert "object-store:adminApi v4" in refused.output
    assert own.checkout.client(STACK).list_buckets()["Buckets"] == []
    assert own.types() == set()


@once
def test_nothing_is_left_to_do_after_up_and_after_refresh(deployed: Deployed) -> None:
    """The preview is empty after `up`, a refresh changes nothing, and the preview is empty after it."""
    for arguments in (
        ("preview", "--expect-no-changes"),
        ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
        ("preview", "--expect-no-changes"),
    ):
        done = deployed.pulumi(*arguments)
        assert done.status == 0, done.output


@once
def test_identities_are_ours_and_the_rest_the_plugins(deployed: Deployed) -> None:
    """Buckets stay with the plugin; no user, policy or key does."""
    found = deployed.types()

    assert {kind for kind in found if "iam" in kind.lower()} == set()
    assert {kind for kind in found if "dynamic/identity" in kind} == {
        f"pulumi-python:dynamic/identity:{kind}" for kind in ("User", "Policy", "Attachment", "ServiceAccount")
    }
    assert "minio:index/s3Bucket:S3Bucket" in found


@on("deployed", ["v3"], left=["v4"])
def test_drift_of_each_kind_is_found_and_mended(deployed: Deployed) -> None:
    """Verification fails, a preview shows each damage, `up --refresh` repairs it, and the other keys stay."""
    before = deployed.credentials()
    keys = {name: pair["access_key_id"] for name, pair in before.items()}
    artifacts = "joelclaw-local-usw2-agent-loop-artifacts"
    deployed.checkout.client(STACK).put_bucket_policy(Bucket=artifacts, Policy=public(artifacts))
    with deployed.api() as api:
        api.put_policy(f"{USER}reader", EVERYTHING)
        # Before the damages that look like a new key: a verification waits for that to become known.
        found = deployed.verify("--bucket", "agent-loop-artifacts")
        api.set_user_status(f"{USER}worker", "disabled")
        api.detach(f"{USER}otel-exporter", f"{USER}otel-exporter")
        api.delete_service_account(keys["session-archiver"])
        api.update_service_account(keys["vault-backup"], policy=EVERYTHING, status="off")

    assert found.status == 1, found.output
    previewed = deployed.pulumi("preview", "--refresh", "--json")
    assert previewed.status == 0, previewed.output
    steps = json.loads(previewed.output[previewed.output.index("{") :])["steps"]
    assert {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] not in ("same", "refresh")} == {
        "worker-user": "update",
        "reader-policy": "update",
        "otel-exporter-attachment": "create",
        "session-archiver-key-1": "create",
        "vault-backup-key-1": "update",
        "agent-loop-artifacts-policy": "update",
    }
    mended = deployed.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert mended.status == 0, mended.output

    proven = deployed.verify()
    assert proven.status == 0, proven.output
    after = deployed.credentials()
    assert {name for name in before if before[name] != after[name]} == {"session-archiver"}
    assert deployed.pulumi("preview", "--refresh", "--expect-no-changes").status == 0


@once
def test_hand_deleted_user_is_made_again(deployed: Deployed) -> None:
    """A deleted user takes its attachment and key along; `up` recreates these three and touches nothing else."""
    before = deployed.credentials()
    with deployed.api() as api:
        api.remove_user(f"{USER}otel-exporter")

    mended = deployed.pulumi("up", "--yes", "--skip-preview", "--refresh")

    assert mended.status == 0, mended.output
    assert "3 created" in mended.output
    assert deployed.verify("--bucket", "otel-archive").status == 0
    after = deployed.credentials()
    assert {name for name in before if before[name] != after[name]} == {"otel-exporter"}
    _check_users_go_before_their_policies(deployed)


def _check_users_go_before_their_policies(deployed: Deployed) -> None:
    """Each user depends on its policy, because MinIO detaches none from a user that is switched off."""
    held = json.loads(deployed.pulumi("stack", "export").output)["deployment"]["resources"]
    waits = {
        one["urn"].rpartition("::")[2]: one.get("dependencies", []) for one in held if one["type"].endswith(":User")
    }

    assert len(waits) == 6
    for user, urns in waits.items():
        assert [urn.rpartition("::")[2] for urn in urns] == [user.removesuffix("-user") + "-policy"]


@once
def test_wrong_password_at_refresh_leaves_the_state(deployed: Deployed) -> None:
    """A refusal is an error, not "gone": the state is unchanged, and no output shows the password."""
    admin = admin_credentials(deployed.checkout.folder(STACK))
    secrets = {"object-store:adminUser": admin.user, "object-store:adminPassword": admin.password}
    right = {"AISTOR_ROOT_USER": admin.user, "AISTOR_ROOT_PASSWORD": admin.password}
    wrong = {**right, "AISTOR_ROOT_PASSWORD": "planted-wrong-password"}
    for key in secrets:
        assert deployed.pulumi("config", "rm", key).status == 0
    try:
        settled = deployed.pulumi("up", "--yes", "--skip-preview", more=right)
        assert settled.status == 0, settled.output
        before = deployed.resources()
        refused = deployed.pulumi("refresh", "--yes", "--skip-preview", more=wrong)
        after = deployed.resources()
        again = deployed.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", more=right)
    finally:
        for key, value in secrets.items():
            assert deployed.pulumi("config", "set", "--secret", key, text=value).status == 0
        assert deployed.pulumi("up", "--yes", "--skip-preview").status == 0

    assert refused.status != 0
    assert re.search(r"cannot read .*user \S+: user-info: SignatureDoesNotMatch", refused.output), refused.output
    assert wrong["AISTOR_ROOT_PASSWORD"] not in refused.output
    assert len([kind for kind in before.values() if "dynamic/identity" in kind[0]]) == 24
    assert after == before
    assert again.status == 0, again.output


@once
def test_setting_changed_without_the_move_is_refused(deployed: Deployed) -> None:
    """The program fails and names the command to run, and nothing is created or deleted."""
    before = deployed.credentials()
    set_config(deployed.checkout, adminApi="v3")
    try:
        refused = deployed.pulumi("up", "--yes", "--skip-preview")
    finally:
        set_config(deployed.checkout, adminApi="v4")

    assert refused.status != 0
    assert "object-store switch-admin-api --stack local --to v3" in refused.output
    assert "Traceback" not in refused.output
    assert deployed.credentials() == before
    assert deployed.pulumi("preview", "--expect-no-changes").status == 0


@once
def test_lost_state_is_adopted(deployed: Deployed) -> None:
    """Users, policies and attachments are adopted unchanged, keys are recreated; nothing is deleted or replaced."""
    for path in deployed.checkout.folder(STACK).state.glob(".pulumi/stacks/*/local.json*"):
        path.unlink()
    assert deployed.checkout.pulumi(STACK, "stack", "init", STACK).status == 0
    with deployed.api() as api:
        api.put_policy(f"{USER}reader", EVERYTHING)

    done = deployed.checkout.python("cli", "adopt", "--stack", STACK, "--yes", stack=STACK)

    assert done.status == 0, done.output
    assert f"{USER}worker: user, policy, attachment" in done.output
    previewed = deployed.pulumi("preview", "--json")
    steps = json.loads(previewed.output[previewed.output.index("{") :])["steps"]
    found = {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] != "same"}
    assert set(found.values()) <= {"create", "update"}
    assert found["reader-policy"] == "update"
    assert {name for name in found if name.endswith("-key-1")} == {
        f"{name}-key-1"
        for name in ("worker", "session-archiver", "otel-exporter", "vault-backup", "reader", "verifier")
    }
    assert "worker-user" not in found
    assert deployed.pulumi("up", "--yes", "--skip-preview").status == 0
    assert deployed.verify().status == 0
    again = deployed.checkout.python("cli", "adopt", "--stack", STACK, "--yes", stack=STACK)
    assert (again.status, "nothing to adopt" in again.output) == (0, True)


@once
def test_secrets_are_in_no_output_and_not_in_the_state(deployed: Deployed) -> None:
    """No admin, identity or user secret appears in preview, up, export, switch, server log or state."""
    folder = deployed.checkout.folder(STACK)
    secrets = [pair["secret_access_key"] for pair in deployed.credentials().values()]
    secrets.append(admin_credentials(folder).password)
    shown = json.loads(deployed.pulumi("stack", "export", "--show-secrets").output)["deployment"]["resources"]
    users = [
        one["outputs"]["secret"]
        for one in shown
        if one["type"].endswith("identity:User") and "secret" in one["outputs"]
    ]
    secrets += [json.loads(one["plaintext"]) for one in users]
    said = [
        deployed.pulumi("preview", "--diff").output,
        deployed.pulumi("up", "--yes", "--skip-preview", "--diff").output,
        deployed.pulumi("stack", "export").output,
        deployed.switch("v4").output,
        folder.server_log.read_text(encoding="utf-8"),
        next(folder.state.glob(".pulumi/stacks/*/local.json")).read_text(encoding="utf-8"),
    ]

    assert all(len(secret) >= 16 for secret in secrets)
    for text in said:
        assert not [secret for secret in secrets if secret in text]


@dataclass(frozen=True)
class Elsewhere:
    """Another clone with another virtual environment, on the state of the first.

    Attributes:
        first: The clone that created the stack.
        second: The other clone.
        venv: Its virtual environment.
    """

    first: Checkout
    second: Checkout
    venv: Path

    @classmethod
    def made(cls, first: Checkout, folder: Path) -> "Elsewhere":
        """Clone, environment and project, each in another folder than in the first."""
        venv, clone = folder / "other-venv", folder / "deeper" / "clone"
        clone.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)  # noqa: S603 - our own Python
        (site,) = (venv / "lib").glob("python3*/site-packages")
        (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
        second = copy_checkout(clone, DOMAINS)
        target = second.folder(STACK)
        target.project.mkdir(parents=True)
        shutil.copy(first.folder(STACK).stack_file, target.stack_file)
        shutil.copy(first.folder(STACK).project / "ca.pem", target.project / "ca.pem")
        project = yaml.safe_load(first.folder(STACK).project_file.read_text(encoding="utf-8"))
        project["runtime"]["options"]["virtualenv"] = str(venv)
        target.project_file.write_text(yaml.safe_dump(project), encoding="utf-8")
        return cls(first, second, venv)

    def pulumi(self, *arguments: str) -> Done:
        """A pulumi command there."""
        environ = {
            "PYTHONPATH": str(self.second.path),
            "PULUMI_PYTHON_CMD": str(self.venv / "bin" / "python"),
            "PATH": os.pathsep.join([str(self.venv / "bin"), self.first.environment(STACK)["PATH"]]),
        }
        where = ("--cwd", str(self.second.folder(STACK).project), "--stack", STACK, "--non-interactive")
        return self.first.run([str(self.first.folder(STACK).wrapper), *arguments, *where], STACK, environ)


@once
def test_two_machines_see_no_change_after_each_other(deployed: Deployed, tmp_path: Path) -> None:
    """After an update of one clone, the other previews no change; the pickled data is the same in both."""
    first, server = deployed.checkout, running_server(deployed.checkout.folder(STACK))
    assert server is not None
    # Beside the project file, as in every clone; the sandbox's own path belongs to this machine.
    shutil.copy(server.ca_bundle, first.folder(STACK).project / "ca.pem")
    set_config(first, caBundle="ca.pem")
    try:
        settled = deployed.pulumi("up", "--yes", "--skip-preview")
        assert settled.status == 0, settled.output
        elsewhere = Elsewhere.made(first, tmp_path)
        for arguments in (("preview", "--diff"), ("up", "--yes", "--skip-preview", "--refresh"), ("preview", "--diff")):
            there = elsewhere.pulumi(*arguments, "--expect-no-changes")
            assert there.status == 0, there.output
        state = next(first.folder(STACK).state.glob(".pulumi/stacks/*/local.json")).read_text(encoding="utf-8")
        here = deployed.pulumi("preview", "--diff", "--expect-no-changes")
        assert here.status == 0, here.output
    finally:
        set_config(first, caBundle=server.ca_bundle)
        assert deployed.pulumi("up", "--yes", "--skip-preview").status == 0
    pickled = {
        one["inputs"]["__provider"]
        for one in json.loads(state)["checkpoint"]["latest"]["resources"]
        if "dynamic/identity" in one["type"]
    }
    assert len(pickled) == 4
    for text in pickled:
        # A reference to a class, after the 11 bytes of the pickle's frame.
        assert re.search(rb"infra\.identity\.[a-z_]+", base64.b64decode(text))
        assert b"/" not in base64.b64decode(text)[11:]


def test_live_stack_goes_there_and_back(deployed: Deployed) -> None:
    """A switch replaces and deletes nothing, keeps the keys, and stays proven; a server without v3 refuses v3."""
    if deployed.mood == "v4":
        refused = deployed.switch("v3")
        assert refused.status == 2
        assert "stay at v4" in refused.output
        assert deployed.verify("--bucket", "agent-loop-artifacts").status == 0
        return
    before, names = deployed.credentials(), [f"{USER}worker", f"{USER}verifier"]
    with deployed.api() as api:
        users = [api.user(name) for name in names]
    for to, kind in (("v3", "minio:index/iamUser:IamUser"), ("v4", "pulumi-python:dynamic/identity:User")):
        moved = deployed.switch(to)
        assert moved.status == 0, moved.output
        assert kind in deployed.types()
        for arguments in (
            ("up", "--yes", "--skip-preview", "--expect-no-changes"),
            ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
            ("preview", "--expect-no-changes"),
        ):
            done = deployed.pulumi(*arguments)
            assert done.status == 0, done.output
        proven = deployed.verify("--bucket", "agent-loop-artifacts")
        assert proven.status == 0, proven.output
        assert deployed.credentials() == before
        with deployed.api() as api:
            # `updatedAt` would show every write.
            assert [api.user(name) for name in names] == users


def test_second_stack_on_the_server_leaves_the_first_alone(deployed: Deployed) -> None:
    """Another region of the environment gets its own names, by both admin APIs; the same region is refused."""
    checkout, second = deployed.checkout, "second"
    pairs, before = deployed.credentials(), everything_of(deployed, deployed.credentials())

    def of_second(*arguments: str) -> Done:
        return checkout.pulumi(STACK, *arguments, "--stack", second)

    made = checkout.pulumi(STACK, "stack", "init", second, "--no-select", "--copy-config-from", STACK)
    assert made.status == 0, made.output
    refused = of_second("up", "--yes", "--skip-preview")
    assert refused.status != 0
    assert f"{USER}worker" in refused.output
    assert "the users already exist, but they are not in the stack" in refused.output
    assert f"pulumi config set --stack {second} object-store:env NAME" in refused.output
    assert everything_of(deployed, pairs) == before

    for key, value in (("regionCode", "euw1"), ("adminApi", deployed.mood)):
        assert of_second("config", "set", f"object-store:{key}", value).status == 0
    try:
        done = of_second("up", "--yes", "--skip-preview")
        assert done.status == 0, done.output
        with deployed.api() as api:
            assert api.user("joelclaw-local-euw1-worker")["status"] == "enabled"
        assert everything_of(deployed, pairs) == before
    finally:
        done = of_second("destroy", "--yes", "--skip-preview")
    assert done.status == 0, done.output
    assert everything_of(deployed, pairs) == before
    # What the identities may do is compared above; here the buckets.
    proven = deployed.verify("--only", "lifecycle_as_planned", "--only", "policy_as_planned")
    assert proven.status == 0, proven.output


def in_one_order(value: object) -> object:
    """An answer with each list sorted: the server gives a document's actions in another order each time."""
    if isinstance(value, dict):
        return {key: in_one_order(json.loads(one) if key == "policy" else one) for key, one in value.items()}
    return sorted(json.dumps(in_one_order(one)) for one in value) if isinstance(value, list) else value


def everything_of(deployed: Deployed, pairs: Mapping[str, Mapping[str, str]]) -> list[object]:
    """The first stack's users, policies and keys on the server; `updatedAt` would show every write."""
    with deployed.api() as api:
        return [
            in_one_order(part)
            for identity, pair in pairs.items()
            for part in (
                api.user(f"{USER}{identity}"),
                api.policy(f"{USER}{identity}"),
                api.service_account(pair["access_key_id"]),
            )
        ]


def test_destroy_ends_clean(deployed: Deployed) -> None:
    """Every user, policy and key is gone from the server, and the state is empty."""
    keys = deployed.credentials()

    done = deployed.pulumi("destroy", "--yes", "--skip-preview")

    assert done.status == 0, done.output
    assert deployed.types() == set()
    assert deployed.checkout.client(STACK).list_buckets()["Buckets"] == []
    with deployed.api() as api:
        for identity, pair in keys.items():
            for ask, name in (
                (api.user, f"{USER}{identity}"),
                (api.policy, f"{USER}{identity}"),
                (api.service_account, pair["access_key_id"]),
            ):
                with pytest.raises(NotFoundError):
                    ask(name)
