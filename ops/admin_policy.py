"""The policy of a provisioning admin that is not root: what all of a stack's life needs, and nothing else.

The rule: a right stands here with what needs it, and a test takes each one away and sees that very thing fail. Buckets,
users, policies and roles are narrowed to the plan's own names; MinIO's `admin:` actions take no resource, so there the
admin may manage every identity of the server, and whoever may write policies and attach them can become root. It leaves
out how the admin is made (docs/provisioning-admin.md). Pure: no pulumi, no boto3.

Print it: `object-store admin-policy --cloud aws --env prod > admin.json`, or `--stack NAME` for a stack's own plan.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, and of MinIO
cmd/admin-handlers-users.go and cmd/bucket-handlers.go.
"""

import json
import sys
from dataclasses import dataclass
from typing import Literal, get_args

from model.exit_codes import ExitCode
from model.plan import PROJECT, StorePlan, build_plan
from model.policies import Cloud, PolicyDocument, Statement
from model.problems import InvalidInputError
from model.taxonomy_file import extended, load
from ops.usage import UsageError
from stack.runner import EngineError

On = Literal["store", "buckets", "objects", "users", "policies", "roles", "server"]

_LOCK = "Object Lock and default retention of cold buckets"


@dataclass(frozen=True)
class Right:
    """One action and why the admin has it.

    Attributes:
        action: As policies spell it.
        on: What it is narrowed to.
        needed_by: What fails without it.
        only_attaching: Of the plan's own policies only (`iam:PolicyARN`).
    """

    action: str
    on: On
    needed_by: str
    only_attaching: bool = False


AISTOR: tuple[Right, ...] = (
    Right("s3:ListAllMyBuckets", "store", "the preflight and `object-store adopt`, which list what is there"),
    Right("s3:CreateBucket", "buckets", "making a bucket"),
    Right("s3:DeleteBucket", "buckets", "removing one"),
    Right("s3:ListBucket", "buckets", "the program, which asks whether a renamed domain's bucket exists"),
    Right("s3:GetBucketLocation", "buckets", "every read of a bucket"),
    Right("s3:GetBucketVersioning", "buckets", "reading a warm bucket's versioning"),
    Right("s3:PutBucketVersioning", "buckets", "setting it, and making a bucket with Object Lock"),
    Right("s3:GetBucketObjectLockConfiguration", "buckets", f"reading {_LOCK}"),
    Right("s3:PutBucketObjectLockConfiguration", "buckets", f"setting {_LOCK}"),
    Right("s3:GetLifecycleConfiguration", "buckets", "reading lifecycle rules"),
    Right("s3:PutLifecycleConfiguration", "buckets", "setting and removing them"),
    Right("s3:GetBucketPolicy", "buckets", "`object-store adopt` and imports, which look for a policy made by hand"),
    Right("admin:CreateUser", "server", "making an identity's user"),
    Right("admin:GetUser", "server", "reading it and what is attached to it"),
    Right("admin:EnableUser", "server", "a user that was switched off by hand is switched on again"),
    Right("admin:DeleteUser", "server", "removing a user"),
    Right("admin:CreatePolicy", "server", "making and changing an identity's policy"),
    Right("admin:GetPolicy", "server", "reading it"),
    Right("admin:DeletePolicy", "server", "removing it"),
    Right("admin:AttachUserOrGroupPolicy", "server", "attaching and detaching it"),
    Right("admin:CreateServiceAccount", "server", "an identity's key, and each next one of a rotation"),
    Right("admin:ListServiceAccounts", "server", "reading a key"),
    Right("admin:UpdateServiceAccount", "server", "changed grants, which a key's own policy repeats"),
    Right("admin:RemoveServiceAccount", "server", "retiring a key of a rotation"),
)
#: With `emptyOnDestroy`, of disposable stacks only.
# (`s3:ListBucket` lists versions as well there: MinIO, cmd/auth-handler.go.)
AISTOR_EMPTYING: tuple[Right, ...] = (Right("s3:DeleteObject", "objects", "emptying a bucket before it is removed"),)

AWS: tuple[Right, ...] = (
    Right("s3:ListAllMyBuckets", "store", "the preflight and `object-store adopt`, which list what is there"),
    Right("s3:CreateBucket", "buckets", "making a bucket"),
    Right("s3:DeleteBucket", "buckets", "removing one"),
    Right("s3:ListBucket", "buckets", "every read of a bucket begins with HeadBucket"),
    Right("s3:GetBucketLocation", "buckets", "reading a bucket's region"),
    Right("s3:GetBucketAcl", "buckets", "reading a bucket"),
    Right("s3:GetBucketCORS", "buckets", "reading a bucket"),
    Right("s3:GetBucketWebsite", "buckets", "reading a bucket"),
    Right("s3:GetBucketLogging", "buckets", "reading a bucket"),
    Right("s3:GetBucketRequestPayment", "buckets", "reading a bucket"),
    Right("s3:GetAccelerateConfiguration", "buckets", "reading a bucket"),
    Right("s3:GetReplicationConfiguration", "buckets", "reading a bucket"),
    Right("s3:GetBucketTagging", "buckets", "reading tags"),
    Right("s3:PutBucketTagging", "buckets", "setting them"),
    Right("s3:GetBucketVersioning", "buckets", "reading versioning"),
    Right("s3:PutBucketVersioning", "buckets", "setting it, and making a bucket with Object Lock"),
    Right("s3:GetBucketObjectLockConfiguration", "buckets", f"reading {_LOCK}"),
    Right("s3:PutBucketObjectLockConfiguration", "buckets", f"setting {_LOCK}"),
    Right("s3:GetLifecycleConfiguration", "buckets", "reading lifecycle rules"),
    Right("s3:PutLifecycleConfiguration", "buckets", "setting and removing them"),
    Right("s3:GetEncryptionConfiguration", "buckets", "reading default encryption"),
    Right("s3:PutEncryptionConfiguration", "buckets", "setting it"),
    Right("s3:GetBucketPublicAccessBlock", "buckets", "reading the public access block"),
    Right("s3:PutBucketPublicAccessBlock", "buckets", "setting it"),
    Right("s3:GetBucketOwnershipControls", "buckets", "reading ownership controls"),
    Right("s3:PutBucketOwnershipControls", "buckets", "setting them"),
    Right("s3:GetBucketPolicy", "buckets", "reading the bucket policy"),
    Right("s3:PutBucketPolicy", "buckets", "setting it"),
    Right("s3:DeleteBucketPolicy", "buckets", "removing it"),
    Right("iam:CreateUser", "users", "making an identity's user"),
    Right("iam:GetUser", "users", "reading it"),
    Right("iam:TagUser", "users", "making and tagging it"),
    Right("iam:UntagUser", "users", "taking a tag off it"),
    Right("iam:DeleteUser", "users", "removing it"),
    Right("iam:ListGroupsForUser", "users", "removing it: the plugin takes it out of groups first"),
    Right("iam:CreatePolicy", "policies", "making an identity's policy"),
    Right("iam:GetPolicy", "policies", "reading it"),
    Right("iam:GetPolicyVersion", "policies", "reading its document"),
    Right("iam:ListPolicyVersions", "policies", "changing and removing it"),
    Right("iam:CreatePolicyVersion", "policies", "changing it"),
    Right("iam:DeletePolicyVersion", "policies", "the sixth change (AWS keeps five versions), and removing it"),
    Right("iam:TagPolicy", "policies", "making and tagging it"),
    Right("iam:UntagPolicy", "policies", "taking a tag off it"),
    Right("iam:DeletePolicy", "policies", "removing it"),
    Right("iam:AttachUserPolicy", "users", "attaching it", only_attaching=True),
    Right("iam:DetachUserPolicy", "users", "detaching it", only_attaching=True),
    Right("iam:ListAttachedUserPolicies", "users", "reading what is attached"),
    Right("iam:CreateAccessKey", "users", "an identity's key, and each next one of a rotation"),
    Right("iam:ListAccessKeys", "users", "reading a key"),
    Right("iam:UpdateAccessKey", "users", "a key that was switched off by hand is switched on again"),
    Right("iam:DeleteAccessKey", "users", "retiring a key of a rotation"),
    Right("iam:GetAccessKeyLastUsed", "users", "whether the old key of a rotation is still used; imports"),
)
AWS_EMPTYING: tuple[Right, ...] = (
    Right("s3:ListBucketVersions", "buckets", "emptying a bucket before it is removed"),
    Right("s3:DeleteObjectVersion", "objects", "emptying a bucket before it is removed"),
)
# What terraform-provider-aws calls for aws_iam_role and aws_iam_role_policy_attachment (internal/service/iam/role.go).
AWS_ROLES: tuple[Right, ...] = (
    Right("iam:CreateRole", "roles", "making an identity's role"),
    Right("iam:GetRole", "roles", "reading it"),
    Right("iam:ListRolePolicies", "roles", "reading it"),
    Right("iam:ListAttachedRolePolicies", "roles", "reading it"),
    Right("iam:UpdateAssumeRolePolicy", "roles", "changing its trust"),
    Right("iam:UpdateRole", "roles", "changing its longest session"),
    Right("iam:UpdateRoleDescription", "roles", "changing its description"),
    Right("iam:TagRole", "roles", "making and tagging it"),
    Right("iam:UntagRole", "roles", "taking a tag off it"),
    Right("iam:ListInstanceProfilesForRole", "roles", "removing it"),
    Right("iam:DeleteRole", "roles", "removing it"),
    Right("iam:AttachRolePolicy", "roles", "attaching its policies", only_attaching=True),
    Right("iam:DetachRolePolicy", "roles", "detaching them", only_attaching=True),
)


def rights(cloud: Cloud, *, empties: bool = False, roles: bool = False) -> tuple[Right, ...]:
    """Every right of the admin.

    Args:
        cloud: Whose.
        empties: The stack has `emptyOnDestroy`.
        roles: The plan has identities that are roles; AWS only.
    """
    if cloud == "aistor":
        return AISTOR + (AISTOR_EMPTYING if empties else ())
    return AWS + (AWS_EMPTYING if empties else ()) + (AWS_ROLES if roles else ())


def admin_policy(plan: StorePlan, cloud: Cloud, *, empties: bool = False, roles: bool = False) -> PolicyDocument:
    """The policy, narrowed to a plan's names; arguments as of `rights`."""
    return policy_of(rights(cloud, empties=empties, roles=roles), plan)


def policy_of(granted: tuple[Right, ...], plan: StorePlan) -> PolicyDocument:
    """Some rights as a document: one statement for all that is narrowed alike."""
    statements: list[Statement] = []
    for on in get_args(On):
        for conditioned in (False, True):
            actions = [one.action for one in granted if one.on == on and one.only_attaching is conditioned]
            if actions:
                statements.append(_statement(on, actions, plan, conditioned=conditioned))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(on: On, actions: list[str], plan: StorePlan, *, conditioned: bool) -> Statement:
    own = f"{PROJECT}-{plan.env}-*"
    buckets = f"arn:aws:s3:::{plan.bucket_prefix}*"
    resources: dict[On, list[str]] = {
        "store": ["arn:aws:s3:::*"],
        "buckets": [buckets],
        "objects": [f"{buckets}/*"],
        "users": [f"arn:aws:iam::*:user/{own}"],
        "policies": [f"arn:aws:iam::*:policy/{own}"],
        "roles": [f"arn:aws:iam::*:role/{own}"],
        "server": [],
    }
    statement: Statement = {
        "Sid": f"{on.capitalize()}{'Attach' if conditioned else ''}",
        "Effect": "Allow",
        "Action": actions,
    }
    if resources[on]:
        statement["Resource"] = resources[on]
    if conditioned:
        statement["Condition"] = {"ArnLike": {"iam:PolicyARN": resources["policies"]}}
    return statement


@dataclass(frozen=True)
class Asked:
    """Whose policy is printed: a stack's own, or that of a cloud and an environment code.

    Attributes:
        stack: Cloud, codes and emptyOnDestroy are those of this stack's config.
        cloud: With `env`: of no stack in particular.
        env: The environment code.
        region_code: The region code.
        empty_on_destroy: The stack has emptyOnDestroy.
        roles: On AWS, roles as well; a stack's config says it by itself.
    """

    stack: str | None = None
    cloud: Cloud | None = None
    env: str | None = None
    region_code: str = "usw2"
    empty_on_destroy: bool = False
    roles: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if (self.stack is None) == (self.cloud is None):
            raise UsageError("--stack or --cloud: one of them")
        if (self.cloud is None) != (self.env is None):
            raise UsageError("--cloud and --env go together")


def run(asked: Asked) -> ExitCode:
    """Print the policy as JSON."""
    try:
        plan, cloud, empties = _of_stack(asked.stack) if asked.stack else _of_codes(asked)
    except (EngineError, InvalidInputError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.CANNOT
    roles = asked.roles or any(identity.trust is not None for identity in plan.identities)
    document = admin_policy(plan, cloud, empties=empties, roles=roles)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return ExitCode.DONE


def _of_codes(asked: Asked) -> tuple[StorePlan, Cloud, bool]:
    assert asked.cloud is not None  # noqa: S101 - checked where it was asked
    plan = build_plan(
        load(), env=asked.env or "", region_code=asked.region_code, tls_only=True, where="--env, --region-code: "
    )
    return plan, asked.cloud, asked.empty_on_destroy


def _of_stack(stack: str) -> tuple[StorePlan, Cloud, bool]:
    # Imported where asked for: it loads Pulumi. The admin need not exist, nor the server answer.
    from infra.namespace import NAMESPACE  # noqa: PLC0415 - see above
    from infra.settings import parse_config  # noqa: PLC0415 - see above
    from stack.config import read_config  # noqa: PLC0415 - see above

    prefix, where = f"{NAMESPACE}:", f"Pulumi.{stack}.yaml: {NAMESPACE}:"
    held = {key.removeprefix(prefix): value for key, (value, _) in read_config(stack).items() if key.startswith(prefix)}
    config = parse_config(held, where)
    taxonomy = extended(load(), domains=config.domains, identities=config.identities, where=where)
    plan = build_plan(taxonomy, env=config.env, region_code=config.region_code, tls_only=True, where=where)
    return plan, config.cloud, config.empty_on_destroy
