"""verify.roles: a role is assumed if there is a token; otherwise the reason is reported."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from model.deployment import Deployment, build_deployment
from model.plan import build_plan
from model.taxonomy_file import extended, load
from model.trust import GITHUB_ISSUER
from stack.outputs import Published
from verify import roles
from verify.checks.finding import Status, all_refused
from verify.facts import NOT_TRIED, Answer
from verify.probe.smoke import writer_for
from verify.roles import Session, assume_roles
from verify.target import CannotRunError, Target, _target

TOKEN, SECRET = "planted-token", "planted-session-secret"
GENERAL, OWN = "AWS_WEB_IDENTITY_TOKEN_FILE", "OBJECTSTORE_READER_WEB_IDENTITY_TOKEN_FILE"


def deployment(*names: str, issuer: str = "https://ci.example.com") -> Deployment:
    """The shipped plan on AWS, with a role for these identities."""
    trust = {"trust": {"oidc": {"issuer": issuer, "subject": "repo:x/y:main"}}}
    taxonomy = extended(load(), domains={}, identities=dict.fromkeys(names, trust), where="x:")
    plan = build_plan(taxonomy, env="prod", region_code="usw2", tls_only=True, where="x:")
    return build_deployment(plan, stack="aws", cloud="aws", region="us-west-2", account="123456789012")


@dataclass
class Sts:
    """A stand-in for STS: it records requests, and refuses the roles that a test names."""

    refusal: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def client(self, *_: object, **__: object) -> "Sts":
        """Return itself."""
        return self

    def close(self) -> None:
        """Do nothing."""

    def assume_role_with_web_identity(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's arguments
        """A session, or a refusal."""
        self.asked.append(asked)
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "no"}}, "AssumeRoleWithWebIdentity")
        return {"Credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": SECRET, "SessionToken": "planted-session"}}


@pytest.fixture(name="sts")
def _sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    sts = Sts()
    monkeypatch.setattr("verify.roles.sdk_session", lambda: sts)
    return sts


@pytest.fixture(name="token_file")
def _token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    return path


@pytest.mark.parametrize("variable", [GENERAL, OWN])
def test_a_token_in_a_file_opens_a_session(sts: Sts, token_file: Path, variable: str) -> None:
    """The token is sent only to STS, and no representation contains the session."""
    assumed = assume_roles(deployment("reader"), {variable: str(token_file)})

    assert sts.asked[0]["WebIdentityToken"] == TOKEN
    assert sts.asked[0]["RoleArn"] == "arn:aws:iam::123456789012:role/joelclaw-prod-usw2-reader"
    assert roles.session_token(assumed.sessions["reader"]) == "planted-session"
    assert "planted" not in repr(assumed) + repr(assumed.sessions["reader"])


@pytest.mark.usefixtures("sts")
def test_an_identitys_own_file_comes_first(token_file: Path) -> None:
    """An identity's own variable comes first, because the general one may belong to another workload."""
    assumed = assume_roles(deployment("reader"), {OWN: str(token_file), GENERAL: "/none/such"})

    assert set(assumed.sessions) == {"reader"}


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, f"set {OWN} or {GENERAL} to a file"),
        ({GENERAL: "/none/such"}, "/none/such cannot be read"),
        ({GENERAL: "/dev/null"}, "/dev/null cannot be read: it is a device"),
        (
            {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/?x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b"},
            "no token of https://ci.example.com",
        ),
    ],
)
def test_without_a_token_the_reason_is_told(sts: Sts, environ: dict[str, str], reason: str) -> None:
    """Without a token STS gets no request, and a role of another issuer gets no token of GitHub."""
    assert reason in assume_roles(deployment("reader"), environ).absent["reader"]
    assert sts.asked == []


def test_a_token_that_is_refused_is_told_by_its_code(sts: Sts, token_file: Path) -> None:
    """The reason does not contain the token."""
    sts.refusal = "AccessDenied"

    said = assume_roles(deployment("reader"), {GENERAL: str(token_file)}).absent["reader"]

    assert "AccessDenied" in said
    assert TOKEN not in said


def test_github_gives_the_token_of_its_own_issuer(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub gives a token for the role's audience."""
    asked: list[tuple[str, str, str]] = []

    def given(audience: str, url: str, bearer: str) -> str:
        asked.append((audience, url, bearer))
        return TOKEN

    monkeypatch.setattr(roles, "_token_of_github", given)
    environ = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://g/?x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b"}

    assume_roles(deployment("reader", issuer=GITHUB_ISSUER), environ)

    assert asked == [("sts.amazonaws.com", "https://g/?x", "b")]
    assert sts.asked[0]["WebIdentityToken"] == TOKEN


def test_a_verifier_that_is_not_to_be_had_ends_the_run() -> None:
    """Without the verifier's role the run stops, because it could not read the store."""
    with pytest.raises(CannotRunError, match="without the verifier the run cannot read the store"):
        _target(Published(deployment("verifier"), {}, "x"), "client", {})


def test_a_session_is_carried_to_the_adapter() -> None:
    """All three parts of the temporary key are used."""
    session = Session(access_key_id="ASIA1", secret_access_key=SecretStr(SECRET), session_token=SecretStr(TOKEN))

    assert Target(deployment("reader"), {"reader": session}).config("reader").session_token == TOKEN


def test_another_writes_for_one_that_is_absent() -> None:
    """If a writer's role is unavailable, the next writer is used, and if there is none the verifier."""
    plan = deployment("worker").plan

    assert writer_for(plan, plan.bucket("media-raw")).name == "worker"
    assert writer_for(plan, plan.bucket("media-raw"), absent={"worker"}).name == "verifier"


def test_a_refusal_that_was_not_tried_is_not_told() -> None:
    """Attempts that were made must still be refused."""
    untried: Answer[str] = Answer(code=NOT_TRIED, said="no token")
    denied: Answer[str] = Answer(code="AccessDenied")
    codes = frozenset({"AccessDenied"})

    found = all_refused({"a": denied, "b": untried}, codes, "refused", "x")

    assert (found.status, found.found) == (Status.CANNOT_TELL, "no token")
    assert all_refused({"a": Answer("done"), "b": untried}, codes, "refused", "x").status is Status.FAIL
