"""infra.live_names: names that another stack has on the server, asked by both admin APIs and on AWS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.admin_api import AdminApi
from infra.live_names import foreign_names, planned_names, taken_names
from infra.moves import names_taken
from infra.program import plan_for
from infra.settings import Settings, settings_from
from model.plan import StorePlan
from model.policies import as_json, identity_policies
from model.problems import InvalidInputError
from model.resources import About, numbered, with_numbers
from model.user_names import ServerName, Taken, UserNames
from tests.infra.identity_server import ADMIN, PASSWORD, REGION, IdentityServer, client, refuse, running

ROOT = Path(__file__).parents[2]
WORKER = ServerName(About.USER, "joelclaw-local-worker")
READS = {"info-canned-policy", "user-info"}


@pytest.fixture(params=["v3", "v4"], name="server")
def _server(request: pytest.FixtureRequest) -> Iterator[IdentityServer]:
    with running(IdentityServer(request.param)) as server:
        yield server


def on_aistor(server: IdentityServer, **values: str) -> Settings:
    """The settings of a stack on the server."""
    own = {"endpoint": server.endpoint, "adminUser": ADMIN, "adminPassword": PASSWORD, "region": REGION}
    return settings_from({"cloud": "aistor", "env": "local", **own, **values}, "second", ROOT, {})


def deploy(api: AdminApi, plan: StorePlan) -> None:
    """The users and policies of a plan, as an update makes them."""
    for identity in plan.identities:
        api.add_user(identity.user_name, "planted-user-secret")
        for number, document in with_numbers(identity_policies(plan, identity, "aistor")):
            name = numbered(identity.user_name, number)
            api.put_policy(name, as_json(document))
            api.attach(identity.user_name, name)


@pytest.mark.parametrize("older", UserNames)
@pytest.mark.parametrize("second", [{"regionCode": "euw1"}, {"env": "lab"}])
def test_new_stack_beside_an_older_one_has_its_own_names(
    server: IdentityServer, older: UserNames, second: dict[str, str]
) -> None:
    """Of another region or environment: nothing is taken, whichever names the older stack has, and nothing changes."""
    deploy(client(server), plan_for(on_aistor(server), older))
    before = json.dumps([sorted(server.users), server.policies], default=str)
    settings = on_aistor(server, **second)
    server.asked.clear()

    assert foreign_names(plan_for(settings, None), settings, set()) == []
    assert set(server.commands()) <= READS
    assert json.dumps([sorted(server.users), server.policies], default=str) == before


def test_standing_stack_of_another_region_meets_the_older_one(server: IdentityServer) -> None:
    """Two stacks of before share names without a region code: the problem says whose each is, and what to write."""
    deploy(client(server), plan_for(on_aistor(server), UserNames.BY_ENV))
    settings = on_aistor(server, regionCode="euw1")
    plan = plan_for(settings, UserNames.BY_ENV)
    server.asked.clear()

    held = planned_names(plan, settings).keys() - {WORKER}
    problems = names_taken(foreign_names(plan, settings, held), plan, settings.stack)

    assert [problem.where for problem in problems] == ["joelclaw-local-worker"]
    assert problems[0].wrong == (
        "the user already exists, but it is not in the stack, for the buckets joelclaw-local-usw2-…"
    )
    assert problems[0].paste.startswith("pulumi config set --stack second object-store:env NAME")
    assert "adopt" not in problems[0].paste
    assert set(server.commands()) <= READS


def test_second_stack_of_the_same_environment_and_region_is_refused(server: IdentityServer) -> None:
    """Its users are refused with both ways; a policy that is as planned is no obstacle."""
    settings = on_aistor(server)
    plan = plan_for(settings, None)
    deploy(client(server), plan)
    problems = names_taken(foreign_names(plan, settings, set()), plan, settings.stack)

    assert [problem.where for problem in problems] == [", ".join(identity.user_name for identity in plan.identities)]
    assert problems[0].wrong == "the users already exist, but they are not in the stack"
    assert "object-store adopt --stack second" in problems[0].paste
    assert "if another stack has it: pulumi config set --stack second object-store:env NAME" in problems[0].paste


def test_policy_with_another_document_is_taken(server: IdentityServer) -> None:
    """The plugin of v3 would overwrite it without a word."""
    settings = on_aistor(server)
    plan = plan_for(settings, None)
    document = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::x"]}]}'
    )
    client(server).put_policy(plan.identities[0].user_name, document)

    (taken,) = foreign_names(plan, settings, set())
    assert (taken.name.what, taken.is_for_another(plan.bucket_prefix)) == (About.POLICY, False)


def test_server_that_does_not_say_is_an_error(server: IdentityServer) -> None:
    """A refusal is never "the name is free"."""
    server.fault("user-info", refuse(403, "AccessDenied"))

    with pytest.raises(
        InvalidInputError, match="cannot tell which of the stack's names for users and policies"
    ) as told:
        taken_names([WORKER], on_aistor(server))
    assert PASSWORD not in str(told.value)


def test_nothing_new_asks_nothing(server: IdentityServer) -> None:
    """An update of a standing stack costs no request."""
    settings = on_aistor(server)
    plan = plan_for(settings, None)

    assert foreign_names(plan, settings, planned_names(plan, settings).keys()) == []
    assert server.commands() == []


def on_aws(**values: str) -> Settings:
    """The settings of a stack on AWS."""
    return settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2", **values}, "second", ROOT, {})


@pytest.fixture(name="iam")
def _iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield boto3.session.Session().client("iam", region_name="us-west-2")


def deploy_on_aws(iam: Any, plan: StorePlan) -> None:  # noqa: ANN401 - boto3's client
    """The users and policies of a plan, with the tags of the stack `first`."""
    tags = [{"Key": "project", "Value": "joelclaw"}, {"Key": "stack", "Value": "first"}]
    for identity in plan.identities:
        iam.create_user(UserName=identity.user_name, Tags=tags)
        for number, document in with_numbers(identity_policies(plan, identity, "aws")):
            name = numbered(identity.user_name, number)
            made = iam.create_policy(PolicyName=name, PolicyDocument=as_json(document), Tags=tags)
            iam.attach_user_policy(UserName=identity.user_name, PolicyArn=made["Policy"]["Arn"])


@pytest.mark.parametrize("older", UserNames)
def test_two_regions_of_one_environment_in_one_account(iam: Any, older: UserNames) -> None:  # noqa: ANN401 - as above
    """The names of the new stack are free, whichever the older one has."""
    deploy_on_aws(iam, plan_for(on_aws(), older))
    settings = on_aws(regionCode="euw1")

    assert foreign_names(plan_for(settings, None), settings, set()) == []


def test_names_of_another_stack_in_the_account(iam: Any) -> None:  # noqa: ANN401 - as above
    """Each user and policy is named, with the stack in its tags and the buckets that it is for."""
    deploy_on_aws(iam, plan_for(on_aws(), UserNames.BY_ENV))
    settings = on_aws(regionCode="euw1")
    plan = plan_for(settings, UserNames.BY_ENV)
    found = foreign_names(plan, settings, set())

    assert {one.name for one in found} == planned_names(plan, settings).keys()
    assert {(one.stack, one.prefixes) for one in found} == {("first", frozenset({"joelclaw-prod-usw2-"}))}
    (problem,) = names_taken(found, plan, "second")
    assert problem.wrong.startswith("the users and policies already exist, but they are not in the stack, for")
    assert problem.paste.startswith("pulumi config set --stack second object-store:env NAME")


def test_role_that_exists(iam: Any) -> None:  # noqa: ANN401 - as above
    """A role made by hand: no policy tells whose it is, so both ways are named."""
    iam.create_role(RoleName="joelclaw-prod-usw2-ci", AssumeRolePolicyDocument="{}", Tags=[])
    role = ServerName(About.ROLE, "joelclaw-prod-usw2-ci")
    settings = on_aws()

    (problem,) = names_taken(taken_names([role], settings), plan_for(settings, None), "second")
    assert problem.wrong == "the role already exists, but it is not in the stack"
    assert "object-store adopt --stack second" in problem.paste


def test_tags_alone_are_named() -> None:
    """Without a policy the tags are the only evidence."""
    settings = on_aws()
    taken = Taken(ServerName(About.USER, "joelclaw-prod-usw2-worker"), stack="first")

    (problem,) = names_taken([taken], plan_for(settings, None), "second")
    assert problem.wrong.endswith("; its tags name the stack first")


def test_account_that_does_not_say_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without credentials nothing is known."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(InvalidInputError, match="AWS answers Unable to locate credentials"):
        taken_names([WORKER], on_aws())
