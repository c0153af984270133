"""The admin's policy as a document: limited to the plan's names, within size limits, and printed for its creator.

Other tests prove that it suffices and that each action is necessary: tests/infra/components/test_admin_policy.py and
tests/e2e/test_admin_policy.py.
"""

import json

import pytest

from model.plan import StorePlan, build_plan
from model.policies import POLICY_SIZE, Cloud, Statement, as_json
from model.taxonomy_file import load
from ops import admin_policy as module
from ops.admin_policy import AWS_ROLES, Right, admin_policy, rights
from sandbox.server import minio_policy, policy_engine
from tests.console import command as console

main = console("admin-policy")

CLOUDS: tuple[Cloud, ...] = ("aistor", "aws")
MARK = "arn:aws:iam::123456789012"


@pytest.fixture(name="plan")
def _plan() -> StorePlan:
    return build_plan(load(), env="prod", region_code="usw2", tls_only=True, where="x:")


def allows(plan: StorePlan, action: str, resource: str, **context: str) -> bool:
    """Whether the AWS policy of an emptied plan with roles allows an action."""
    policy = policy_engine.parse(dict(admin_policy(plan, "aws", empties=True, roles=True)))
    access = policy_engine.Access(action, resource, {f"iam:{key}": (value,) for key, value in context.items()})
    return policy_engine.evaluate([policy], access) is policy_engine.Verdict.ALLOWED


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_action_is_a_pattern_and_none_stands_twice(plan: StorePlan, cloud: Cloud) -> None:
    """Each action is named once, and the document holds exactly the actions of the table."""
    named = [right.action for right in rights(cloud, empties=True, roles=True)]
    document = admin_policy(plan, cloud, empties=True, roles=True)

    assert not [action for action in named if "*" in action]
    assert len(named) == len(set(named))
    assert sorted(named) == sorted(action for one in document["Statement"] for action in one["Action"])


@pytest.mark.parametrize(
    ("action", "own", "foreign"),
    [
        ("s3:DeleteBucket", "arn:aws:s3:::joelclaw-prod-usw2-media-raw", "arn:aws:s3:::joelclaw-other-usw2-media-raw"),
        (
            "s3:DeleteObjectVersion",
            "arn:aws:s3:::joelclaw-prod-usw2-agent-loop-artifacts/a/b",
            "arn:aws:s3:::somebodys/a/b",
        ),
        ("iam:CreateAccessKey", f"{MARK}:user/joelclaw-prod-worker", f"{MARK}:user/root-like"),
        ("iam:CreateUser", f"{MARK}:user/joelclaw-prod-worker", f"{MARK}:user/joelclaw-production"),
        ("iam:CreatePolicyVersion", f"{MARK}:policy/joelclaw-prod-worker", f"{MARK}:policy/provisioner-joelclaw-prod"),
        ("iam:UpdateAssumeRolePolicy", f"{MARK}:role/joelclaw-prod-ci", f"{MARK}:role/admin"),
    ],
)
def test_aws_rights_reach_the_plans_own_names_alone(plan: StorePlan, action: str, own: str, foreign: str) -> None:
    """They do not cover other stacks' buckets, other identities of the account, or the admin itself."""
    assert allows(plan, action, own)
    assert not allows(plan, action, foreign)


@pytest.mark.parametrize(("action", "kind"), [("iam:AttachUserPolicy", "user"), ("iam:AttachRolePolicy", "role")])
def test_aws_admin_attaches_the_plans_own_policies_alone(plan: StorePlan, action: str, kind: str) -> None:
    """It cannot attach AdministratorAccess to an identity and create a key for it."""
    identity = f"{MARK}:{kind}/joelclaw-prod-worker"

    assert allows(plan, action, identity, policyarn=f"{MARK}:policy/joelclaw-prod-worker")
    assert not allows(plan, action, identity, policyarn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert not allows(plan, action, identity)


def test_minio_takes_it(plan: StorePlan) -> None:
    """It has only actions that MinIO knows, and no resource for `admin:` actions."""
    kept = minio_policy.checked(dict(admin_policy(plan, "aistor", empties=True)))

    assert [one for one in kept["Statement"] if "Resource" not in one] == [
        {
            "Sid": "Server",
            "Effect": "Allow",
            "Action": [right.action for right in rights("aistor") if right.action.startswith("admin:")],
        }
    ]


def test_one_managed_policy_holds_it(plan: StorePlan) -> None:
    """With all options it fits AWS's size limit."""
    assert len(as_json(admin_policy(plan, "aws", empties=True, roles=True))) <= POLICY_SIZE["aws"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_objects_are_touched_only_to_empty_buckets(plan: StorePlan, cloud: Cloud) -> None:
    """Without `emptyOnDestroy` the admin cannot read, write or delete objects."""

    def of_objects(statements: list[Statement]) -> list[Statement]:
        return [one for one in statements if any(name.endswith("/*") for name in one.get("Resource", []))]

    assert of_objects(admin_policy(plan, cloud)["Statement"]) == []
    (emptying,) = of_objects(admin_policy(plan, cloud, empties=True)["Statement"])
    assert [action.removesuffix("Version") for action in emptying["Action"]] == ["s3:DeleteObject"]


def test_roles_are_asked_for() -> None:
    """Their rights appear only if the plan has identities with roles, and never on AIStor."""

    def of_roles(found: tuple[Right, ...]) -> list[Right]:
        return [right for right in found if right.on == "roles"]

    assert of_roles(rights("aws")) == []
    assert of_roles(rights("aws", roles=True)) == list(AWS_ROLES)
    assert of_roles(rights("aistor", roles=True)) == []


def test_command_prints_it(capsys: pytest.CaptureFixture[str], plan: StorePlan) -> None:
    """The output is the document, ready for `mc` and `aws`."""
    assert main(["--cloud", "aws", "--env", "prod"]) == 0
    assert json.loads(capsys.readouterr().out) == admin_policy(plan, "aws")

    assert main(["--cloud", "aistor", "--env", "prod", "--empty-on-destroy"]) == 0
    assert json.loads(capsys.readouterr().out) == admin_policy(plan, "aistor", empties=True)


def test_command_reads_a_stack(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes, cloud and `emptyOnDestroy` come from the stack; neither admin nor server need exist."""
    values = {"cloud": "aistor", "env": "lab", "endpoint": "https://127.0.0.1:1", "protect": "false"}
    config = {f"object-store:{key}": (value, False) for key, value in (values | {"emptyOnDestroy": "true"}).items()}
    monkeypatch.setattr("stack.config.read_config", lambda _stack: config)

    assert main(["--stack", "lab"]) == 0
    printed = json.loads(capsys.readouterr().out)
    own = build_plan(load(), env="lab", region_code="usw2", tls_only=True, where="x:")
    assert printed == admin_policy(own, "aistor", empties=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cloud", "aws", "--env", "Prod!"], "--env, --region-code: env: 'Prod!' is malformed"),
        (["--stack", "a;b"], "is not a stack name"),
    ],
)
def test_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """A malformed code and a missing stack exit with 2, and nothing is printed."""
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert said in written.err
    assert written.out == ""


@pytest.mark.parametrize("arguments", [["--cloud", "aws"], [], ["--stack", "lab", "--cloud", "aws", "--env", "prod"]])
def test_command_wants_a_stack_or_codes(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A cloud alone does not name buckets, and two sources are one too many."""
    assert main(arguments) == 2
    assert "--cloud" in capsys.readouterr().err


def test_every_right_says_what_needs_it() -> None:
    """The table of the docs has no empty cell."""
    everything = (*module.AISTOR, *module.AISTOR_EMPTYING, *module.AWS, *module.AWS_EMPTYING, *AWS_ROLES)
    assert all(right.needed_by for right in everything)
