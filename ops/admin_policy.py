"""The policy of a provisioning admin that is not root: exactly the rights that a stack's whole life needs.

The rule: each right is listed with the operation that needs it, and a test removes each right and checks that this
operation fails. Rights on buckets, users, policies and roles are limited to the plan's own names. MinIO's `admin:`
actions accept no resource, so the admin may manage every identity of the server, and an admin that may write and attach
policies can become root. It leaves out how to create the admin (docs/provisioning-admin.md). Pure: no pulumi, no boto3.

Print it: `object-store admin-policy --cloud aws --env prod > admin.json`, or `--stack NAME` for a stack's own plan.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, and of MinIO
cmd/admin-handlers-users.go and cmd/bucket-handlers.go.
"""

import json
import sys
from dataclasses import dataclass
from typing import Literal, get_args

from model.bucket_names import PROJECT
from model.exit_codes import ExitCode
from model.plan import IdentityPlan, StorePlan, build_plan
from model.policies import Cloud, PolicyDocument, Statement, identity_policy
from model.problems import InvalidInputError
from model.stack_names import stack_file
from model.taxonomy_file import extended, load
from model.terminal_text import printable
from ops.usage import UsageError
from stack.runner import EngineError

On = Literal["store", "buckets", "objects", "users", "policies", "roles", "server"]

_LOCK = "Object Lock and default retention of cold buckets"


@dataclass(frozen=True)
class Right:
    """One action and why the admin has it.

    Attributes:
        action: The action's name in a policy.
        on: The resources that it is limited to.
        needed_by: What fails without it.
        only_attaching: Limited to the plan's own policies (`iam:PolicyARN`).
    """

    action: str
    on: On
    needed_by: str
    only_attaching: bool = False


AISTOR: tuple[Right, ...] = (
    Right(
        "s3:ListAllMyBuckets",
        "store",
        "the program, the preflight and `object-store adopt`, which list the existing buckets",
    ),
    Right("s3:CreateBucket", "buckets", "creating a bucket"),
    Right("s3:DeleteBucket", "buckets", "deleting a bucket"),
    Right("s3:ListBucket", "buckets", "the program, which asks for each bucket that the listing does not show"),
    Right("s3:GetBucketLocation", "buckets", "every read of a bucket"),
    Right("s3:GetBucketVersioning", "buckets", "reading a warm bucket's versioning"),
    Right("s3:PutBucketVersioning", "buckets", "setting it, and creating a bucket with Object Lock"),
    Right("s3:GetBucketObjectLockConfiguration", "buckets", f"reading {_LOCK}"),
    Right("s3:PutBucketObjectLockConfiguration", "buckets", f"setting {_LOCK}"),
    Right("s3:GetLifecycleConfiguration", "buckets", "reading lifecycle rules"),
    Right("s3:PutLifecycleConfiguration", "buckets", "setting and removing them"),
    Right("s3:GetBucketPolicy", "buckets", "finding a bucket policy that was put by hand"),
    Right("s3:DeleteBucketPolicy", "buckets", "removing it"),
    Right("admin:CreateUser", "server", "creating an identity's user"),
    Right("admin:GetUser", "server", "reading it and its attached policies"),
    Right("admin:EnableUser", "server", "enabling a user that was disabled by hand"),
    Right("admin:DeleteUser", "server", "removing a user"),
    Right("admin:CreatePolicy", "server", "creating and changing an identity's policy"),
    Right("admin:GetPolicy", "server", "reading it"),
    Right("admin:DeletePolicy", "server", "removing it"),
    Right("admin:AttachUserOrGroupPolicy", "server", "attaching and detaching it"),
    Right("admin:CreateServiceAccount", "server", "creating an identity's key, and the next key in a rotation"),
    Right("admin:ListServiceAccounts", "server", "reading a key"),
    Right("admin:UpdateServiceAccount", "server", "changing grants, which a key's own policy repeats"),
    Right("admin:RemoveServiceAccount", "server", "retiring a key in a rotation"),
)
#: With `emptyOnDestroy`, only for disposable stacks.
# (`s3:ListBucket` lists versions as well there: MinIO, cmd/auth-handler.go.)
AISTOR_EMPTYING: tuple[Right, ...] = (Right("s3:DeleteObject", "objects", "emptying a bucket before it is removed"),)

AWS: tuple[Right, ...] = (
    Right(
        "s3:ListAllMyBuckets",
        "store",
        "the program, the preflight and `object-store adopt`, which list the existing buckets",
    ),
    Right("s3:CreateBucket", "buckets", "creating a bucket"),
    Right("s3:DeleteBucket", "buckets", "deleting a bucket"),
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
    Right("s3:PutBucketVersioning", "buckets", "setting it, and creating a bucket with Object Lock"),
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
    Right("iam:CreateUser", "users", "creating an identity's user"),
    Right("iam:GetUser", "users", "reading it"),
    Right("iam:TagUser", "users", "creating and tagging it"),
    Right("iam:UntagUser", "users", "removing a tag from it"),
    Right("iam:DeleteUser", "users", "removing it"),
    Right("iam:ListGroupsForUser", "users", "removing it: the plugin first removes it from its groups"),
    Right("iam:CreatePolicy", "policies", "creating an identity's policy"),
    Right("iam:GetPolicy", "policies", "reading it"),
    Right("iam:GetPolicyVersion", "policies", "reading its document"),
    Right("iam:ListPolicyVersions", "policies", "changing and removing it"),
    Right("iam:CreatePolicyVersion", "policies", "changing it"),
    Right("iam:DeletePolicyVersion", "policies", "the sixth change (AWS keeps five versions), and removing it"),
    Right("iam:TagPolicy", "policies", "creating and tagging it"),
    Right("iam:UntagPolicy", "policies", "removing a tag from it"),
    Right("iam:DeletePolicy", "policies", "removing it"),
    Right("iam:AttachUserPolicy", "users", "attaching it", only_attaching=True),
    Right("iam:DetachUserPolicy", "users", "detaching it", only_attaching=True),
    Right("iam:ListAttachedUserPolicies", "users", "reading what is attached"),
    Right("iam:CreateAccessKey", "users", "creating an identity's key, and the next key in a rotation"),
    Right("iam:ListAccessKeys", "users", "reading a key"),
    Right("iam:UpdateAccessKey", "users", "enabling a key that was disabled by hand"),
    Right("iam:DeleteAccessKey", "users", "retiring a key in a rotation"),
    Right("iam:GetAccessKeyLastUsed", "users", "checking whether the old key in a rotation is still used; imports"),
)
AWS_EMPTYING: tuple[Right, ...] = (
    Right("s3:ListBucketVersions", "buckets", "emptying a bucket before it is removed"),
    Right("s3:DeleteObjectVersion", "objects", "emptying a bucket before it is removed"),
)
# terraform-provider-aws's calls for aws_iam_role and aws_iam_role_policy_attachment (internal/service/iam/role.go).
AWS_ROLES: tuple[Right, ...] = (
    Right("iam:CreateRole", "roles", "creating an identity's role"),
    Right("iam:GetRole", "roles", "reading it"),
    Right("iam:ListRolePolicies", "roles", "reading it"),
    Right("iam:ListAttachedRolePolicies", "roles", "reading it"),
    Right("iam:UpdateAssumeRolePolicy", "roles", "changing its trust"),
    Right("iam:UpdateRole", "roles", "changing its maximum session duration"),
    Right("iam:UpdateRoleDescription", "roles", "changing its description"),
    Right("iam:TagRole", "roles", "creating and tagging it"),
    Right("iam:UntagRole", "roles", "removing a tag from it"),
    Right("iam:ListInstanceProfilesForRole", "roles", "removing it"),
    Right("iam:DeleteRole", "roles", "removing it"),
    Right("iam:AttachRolePolicy", "roles", "attaching its policies", only_attaching=True),
    Right("iam:DetachRolePolicy", "roles", "detaching them", only_attaching=True),
)


def rights(cloud: Cloud, *, empties: bool = False, roles: bool = False) -> tuple[Right, ...]:
    """Every right of the admin.

    Args:
        cloud: The cloud of the stack.
        empties: The stack has `emptyOnDestroy`.
        roles: The plan has identities that are roles; AWS only.
    """
    if cloud == "aistor":
        return AISTOR + (AISTOR_EMPTYING if empties else ())
    return AWS + (AWS_EMPTYING if empties else ()) + (AWS_ROLES if roles else ())


def admin_policy(plan: StorePlan, cloud: Cloud, *, empties: bool = False, roles: bool = False) -> PolicyDocument:
    """The policy, limited to a plan's names; arguments as of `rights`."""
    return policy_of(rights(cloud, empties=empties, roles=roles), plan, cloud)


def auditor_policy(plan: StorePlan, cloud: Cloud) -> PolicyDocument:
    """The policy of an identity that audits, also of one that the plan does not have."""
    auditor = plan.auditor or IdentityPlan(name="auditor", user_name="auditor", grants=(), audits=True)
    return identity_policy(plan, auditor, cloud)


def policy_of(granted: tuple[Right, ...], plan: StorePlan, cloud: Cloud) -> PolicyDocument:
    """Some rights as a document: one statement for all rights with the same limits."""
    statements: list[Statement] = []
    for on in get_args(On):
        for conditioned in (False, True):
            actions = [one.action for one in granted if one.on == on and one.only_attaching is conditioned]
            if actions:
                statements.append(_statement(on, actions, plan, cloud, conditioned=conditioned))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(on: On, actions: list[str], plan: StorePlan, cloud: Cloud, *, conditioned: bool) -> Statement:
    own = f"{PROJECT}-{plan.env}-*"
    buckets = f"arn:aws:s3:::{plan.bucket_prefix}*"
    resources: dict[On, list[str]] = {
        # AWS knows no resource for the listing of buckets, and MinIO only resources of S3.
        "store": ["*" if cloud == "aws" else "arn:aws:s3:::*"],
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
    """The options: a stack's name, or a cloud and an environment code.

    Attributes:
        stack: The stack whose config gives cloud, codes and emptyOnDestroy.
        cloud: With `env`: for no particular stack.
        env: The environment code.
        region_code: The region code.
        empty_on_destroy: The stack has emptyOnDestroy.
        roles: On AWS: include the rights for roles; with `stack`, its config decides.
        auditor: Print the auditor's policy instead.
    """

    stack: str | None = None
    cloud: Cloud | None = None
    env: str | None = None
    region_code: str = "usw2"
    empty_on_destroy: bool = False
    roles: bool = False
    auditor: bool = False

    def __post_init__(self) -> None:
        """Refuse options that exclude each other."""
        if (self.stack is None) == (self.cloud is None):
            raise UsageError("give either --stack or --cloud")
        if (self.cloud is None) != (self.env is None):
            raise UsageError("--cloud and --env need each other")


def run(asked: Asked) -> ExitCode:
    """Print the policy as JSON."""
    try:
        plan, cloud, empties = _of_stack(asked.stack) if asked.stack else _of_codes(asked)
    except (EngineError, InvalidInputError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    if asked.auditor:
        sys.stdout.write(json.dumps(auditor_policy(plan, cloud), indent=2) + "\n")
        return ExitCode.DONE
    roles = asked.roles or any(identity.trust is not None for identity in plan.identities)
    document = admin_policy(plan, cloud, empties=empties, roles=roles)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return ExitCode.DONE


def _of_codes(asked: Asked) -> tuple[StorePlan, Cloud, bool]:
    assert asked.cloud is not None  # noqa: S101 - `Asked` checks it
    plan = build_plan(
        load(), env=asked.env or "", region_code=asked.region_code, tls_only=True, where="--env, --region-code: "
    )
    return plan, asked.cloud, asked.empty_on_destroy


def _of_stack(stack: str) -> tuple[StorePlan, Cloud, bool]:
    # Imported only here, because it loads Pulumi. The admin need not exist, and the server need not answer.
    from infra.namespace import NAMESPACE  # noqa: PLC0415 - see above
    from infra.regions import check_region  # noqa: PLC0415 - see above
    from infra.settings import parse_config  # noqa: PLC0415 - see above
    from stack.config import read_config  # noqa: PLC0415 - see above

    prefix, where = f"{NAMESPACE}:", f"{stack_file(stack)}: {NAMESPACE}:"
    held = {key.removeprefix(prefix): value for key, (value, _) in read_config(stack).items() if key.startswith(prefix)}
    config = parse_config(held, where)
    if config.cloud == "aws":
        check_region(config.region, where)
    taxonomy = extended(load(), domains=config.domains, identities=config.identities, where=where)
    plan = build_plan(taxonomy, env=config.env, region_code=config.region_code, tls_only=True, where=where)
    return plan, config.cloud, config.empty_on_destroy
