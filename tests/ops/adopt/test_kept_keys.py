"""ops.adopt.kept_keys and ops.keys_in_state: access keys that come back into a state, and those that do not."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.admin_api import AdminApi
from infra.program import deployment_for, plan_for
from infra.settings import Settings, settings_from
from model.resources import By
from ops.adopt.adoptable import Held
from ops.adopt.kept_keys import KeptKey, missing_keys, pairs_in_file, pairs_in_state, published_keys, working_keys
from ops.adopt.live import AdoptionError
from ops.identities_in_state import Place, StateError
from ops.keys_in_state import with_keys
from sandbox.server.temporary import RunningServer, running_server
from stack.state_secret import revealed, secret
from tests.running_stores import config_of

STATEMENT = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
SECRET = "planted-key-secret"  # noqa: S105 - planted
TWO_GENERATIONS = {"credentials": json.dumps({"worker": {"current": 3, "previous": 2}})}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="settings")
def _settings(server: RunningServer, tmp_path: Path) -> Settings:
    return settings_from({**config_of(server), **TWO_GENERATIONS}, "local", tmp_path, {})


def on_aws(**more: str) -> Settings:
    """Settings of a stack on AWS."""
    return settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2", **more}, "aws", Path.cwd(), {})


def exported(settings: Settings, credentials: object) -> dict[str, Any]:
    """A state of which only the stack's outputs are left."""
    deployment = deployment_for(plan_for(settings, None), settings).model_dump(mode="json")
    hidden = {**secret(""), "plaintext": json.dumps(credentials)}
    outputs = {"deployment": deployment, "credentials": hidden}
    return {
        "version": 3,
        "deployment": {"resources": [{"urn": "u", "type": "pulumi:pulumi:Stack", "outputs": outputs}]},
    }


def pair(access_key: str, **more: object) -> dict[str, object]:
    """A published pair."""
    return {"access_key_id": access_key, "secret_access_key": SECRET, **more}


def test_published_pair_is_that_of_the_generation_it_was_published_as(settings: Settings) -> None:
    """The current and the previous one, of identities whose keys are missing; others and removed ones are left out."""
    published = pairs_in_state(
        exported(settings, {"worker": pair("NEW", previous=pair("OLD")), "reader": pair("R")}), "local"
    )
    plan = plan_for(settings, None)
    missing = [("worker", 3), ("worker", 2), ("verifier", 1)]

    found = published_keys(plan, published, missing)

    assert [(key.name, key.user, key.access_key_id) for key in found] == [
        ("worker-key-3", "joelclaw-local-usw2-worker", "NEW"),
        ("worker-key-2", "joelclaw-local-usw2-worker", "OLD"),
    ]
    assert published_keys(plan, published, [("worker", 4)]) == []
    assert published_keys(plan, None, missing) == []
    assert SECRET not in repr(found)


def test_pairs_in_a_file_are_those_of_the_planned_generations(settings: Settings, tmp_path: Path) -> None:
    """The file is what `pulumi stack output credentials` wrote, and nobody else can read it."""
    path, plan = tmp_path / "credentials.json", plan_for(settings, None)
    path.write_text(json.dumps({"worker": pair("NEW", previous=pair("OLD")), "gone": pair("G")}), encoding="utf-8")
    path.chmod(0o600)

    found = published_keys(plan, pairs_in_file(path, plan), [("worker", 3), ("worker", 2)])

    assert [(key.name, key.access_key_id) for key in found] == [("worker-key-3", "NEW"), ("worker-key-2", "OLD")]
    assert SECRET not in repr(pairs_in_file(path, plan))


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("{}", 0o644, "chmod 600"),
        ("{", 0o600, "credentials.json"),
        ('{"worker": {"access_key_id": "planted-one"}}', 0o600, "these are not the key pairs"),
        (None, 0o600, "No such file"),
    ],
)
def test_file_that_is_no_private_file_of_pairs_is_refused(
    settings: Settings, tmp_path: Path, text: str | None, mode: int, said: str
) -> None:
    """Nothing of its content is shown."""
    path = tmp_path / "credentials.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    with pytest.raises(AdoptionError, match=said) as caught:
        pairs_in_file(path, plan_for(settings, None))

    assert "planted" not in str(caught.value)


def test_stack_that_has_published_nothing_has_no_key() -> None:
    """A new state has no stack resource, or one without outputs."""
    assert pairs_in_state({"deployment": None}, "local") is None
    assert pairs_in_state({"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}]}}, "local") is None


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        ("v3", "minio:index/iamServiceAccount:IamServiceAccount"),
        ("v4", "pulumi-python:dynamic/identity:ServiceAccount"),
        ("aws", "aws:iam/accessKey:AccessKey"),
    ],
)
def test_missing_keys_are_those_that_an_update_would_make(by: By, kind: str) -> None:
    """Each planned generation without a resource of its name; an identity with a role has none."""
    trust = {"reader": {"trust": {"oidc": {"issuer": "https://ci.example.com", "subject": "job"}}}}
    accounts = json.dumps(["123456789012"])
    plan = plan_for(on_aws(identities=json.dumps(trust), allowedAccountIds=accounts, **TWO_GENERATIONS), None)
    state = Held(frozenset({(kind, "worker-key-3"), ("other", "verifier-key-1")}), {}, 0)

    found = missing_keys(plan, state, by)

    assert ("worker", 2) in found
    assert ("verifier", 1) in found
    assert ("worker", 3) not in found
    assert "reader" not in dict(found)


def test_key_comes_back_only_if_the_server_lets_its_pair_in(settings: Settings, server: RunningServer) -> None:
    """Not one that is unknown, of another user, switched off, or whose secret is another."""
    own = settings.aistor
    assert own is not None
    with AdminApi.of(own, settings.region) as api:
        for user in ("worker", "other"):
            api.add_user(user, "planted-user-secret")
        for user, access_key in (
            ("worker", "GOOD"),
            ("worker", "SWITCHED-OFF"),
            ("other", "ANOTHERS"),
            ("worker", "CHANGED"),
        ):
            api.add_service_account(user, POLICY, access_key, SECRET)
        api.update_service_account("SWITCHED-OFF", policy=POLICY, status="off")
    assert server.endpoint == own.endpoint.url

    def key(access_key: str, secret_key: str = SECRET) -> KeptKey:
        return KeptKey("worker", "worker", 1, access_key, secret_key)

    asked = [key("GOOD"), key("UNKNOWN"), key("SWITCHED-OFF"), key("ANOTHERS"), key("CHANGED", "planted-other-secret")]
    (found,) = working_keys(settings, asked)

    assert (found.access_key_id, found.live["status"]) == ("GOOD", "on")
    assert json.loads(found.live["policy"])["Statement"][0]["Action"] == ["s3:GetObject"]
    assert working_keys(settings, []) == []


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "RequestTimeTooSkewed"])
def test_server_that_does_not_say_whether_a_key_works_is_an_error(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, code: str
) -> None:
    """A busy server has refused no key, so none is made again."""

    class Busy:
        def list_buckets(self) -> None:
            raise ClientError({"Error": {"Code": code}}, "ListBuckets")

    key = KeptKey("worker", "worker", 1, "AK", SECRET)
    monkeypatch.setattr("ops.adopt.kept_keys._on_aistor", lambda *_: [key])
    monkeypatch.setattr("ops.adopt.kept_keys.open_client", lambda **_: nullcontext(Busy()))

    with pytest.raises(AdoptionError, match=f"cannot tell whether the access key AK of worker works: {code}"):
        working_keys(settings, [key])


@mock_aws
def test_key_of_the_user_on_aws_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that IAM lists for the user."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    iam = boto3.session.Session().client("iam", region_name="us-west-2")
    iam.create_user(UserName="joelclaw-prod-worker")
    made = iam.create_access_key(UserName="joelclaw-prod-worker")["AccessKey"]
    good = KeptKey("worker", "joelclaw-prod-worker", 1, made["AccessKeyId"], made["SecretAccessKey"])

    assert working_keys(on_aws(), [good, replace(good, access_key_id="AKIAUNKNOWN")]) == [good]


def place() -> Place:
    """The stack of the states."""
    return Place("local", "object-store", {"endpoint": "https://s3", "region": "r", "caPem": ""}, {})


KEY = KeptKey("worker", "joelclaw-local-worker", 2, "AK", SECRET, {"policy": POLICY, "status": "on"})


def state_for(by: By) -> dict[str, Any]:
    """A state with the store and the provider."""
    store = "object-store:storage:" + ("AwsStore" if by == "aws" else "AistorStore")
    provider = {"v3": ("minio", "aistor"), "v4": ("pulumi-python", "default"), "aws": ("aws", "aws")}[by]
    kind = f"pulumi:providers:{provider[0]}"
    resources = [
        {"urn": place().urn(kind, provider[1]), "id": "1", "type": kind},
        {"urn": place().urn(kind, "default_1"), "id": "2", "type": kind},
        {"urn": place().urn(store, "store"), "type": store},
    ]
    return {"version": 3, "deployment": {"resources": resources}}


@pytest.mark.parametrize(
    ("by", "kind", "hidden"),
    [
        ("v3", "minio:index/iamServiceAccount:IamServiceAccount", "secretKey"),
        ("v4", "pulumi-python:dynamic/identity:ServiceAccount", "secretKey"),
        ("aws", "aws:iam/accessKey:AccessKey", "secret"),
    ],
)
def test_key_becomes_a_resource_under_its_name_with_its_secret_hidden(by: By, kind: str, hidden: str) -> None:
    """Below the store, with the right provider; a second run adds nothing."""
    before = state_for(by)

    state = with_keys(before, [KEY], by, place())

    *others, made = state["deployment"]["resources"]
    assert others == before["deployment"]["resources"]
    assert (made["type"], made["id"]) == (kind, "AK")
    assert made["urn"].endswith(f"${kind}::worker-key-2")
    assert made["provider"] == f"{others[0]['urn']}::1"
    assert made["parent"] == others[2]["urn"]
    assert revealed(made["outputs"][hidden]) == SECRET
    assert hidden in made["additionalSecretOutputs"]
    assert SECRET not in json.dumps(made["inputs"])
    assert with_keys(state, [KEY], by, place()) == state


def test_state_without_a_place_for_the_key_is_refused() -> None:
    """Neither the store nor the provider may be invented here."""
    for place_of_missing in (0, 2):
        state = state_for("v3")
        state["deployment"]["resources"].pop(place_of_missing)
        with pytest.raises(StateError, match="first run: pulumi up"):
            with_keys(state, [KEY], "v3", place())
    assert with_keys({"deployment": None}, [], "v3", place()) == {"deployment": None}
