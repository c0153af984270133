"""The page on the provisioning admin: how to create it on each cloud, its exact policy, and the reason for each action.

The rule: policy and table come from `ops.admin_policy`, which the tests prove. Only the words around them are here.
"""

import json

from model.plan import StorePlan
from model.policies import Cloud
from ops.admin_policy import Right, admin_policy, rights

_HEADING = """\
# A provisioning admin that is not root

`pulumi up`, `refresh` and `destroy`, `object-store adopt`, the preflight and the rotation of keys need an admin. It
need not be root, and should not be: root can do everything else too, and its keys are not easily changed.

The policies below are those of an environment named `{env}`. For yours, from its config:

    object-store admin-policy --stack NAME > admin.json

or, before there is a stack, `--cloud aistor|aws --env ENV` (`--region-code`, `--empty-on-destroy`, `--roles`).
Name the admin so that it is none of the plan's own (`joelclaw-{env}-*`): it must not be able to change itself.
"""
_AISTOR = """\
## AIStor

With root's alias, once. `mc` asks for the keys where they are not given, so neither is on a command line:

    object-store admin-policy --stack local > admin.json
    mc admin policy create ALIAS provisioner-local admin.json
    mc admin user add ALIAS                    # asks for access key (provisioner-local) and secret key
    mc admin policy attach ALIAS provisioner-local --user provisioner-local

Then hand the pair to the stack, in one of three ways, which are asked in this order; a pair is never made of halves of
two of them:

1. `pulumi config set object-store:adminUser provisioner-local` and
   `pulumi config set --secret object-store:adminPassword`;
2. `AISTOR_ROOT_USER` and `AISTOR_ROOT_PASSWORD` in the environment (the names of old; they need not be root's);
3. `pulumi config set object-store:adminCredentialsCommand 'secrets lease objectstore_admin --ttl 5m'`: a command, run
   without a shell, that prints `{{"user": "…", "password": "…"}}` or `user:password`. It stands in the config in clear,
   so no secret may be part of it. It is run by each process that needs the pair, several times in one `pulumi up`, and
   has 30 seconds.

MinIO narrows no `admin:` action to names. An admin that may write policies and attach them can therefore give itself
more, and may change every identity of the server: treat its keys as root's, and give it a server of its own where that
is too much. What it has not is root's reach into objects, configuration, and the server's own operation.
"""
_AWS = """\
## AWS

    object-store admin-policy --stack aws > admin.json
    aws iam create-policy --policy-name provisioner-joelclaw --policy-document file://admin.json
    aws iam attach-role-policy --role-name ROLE --policy-arn arn:aws:iam::ACCOUNT:policy/provisioner-joelclaw

to the role that CI assumes (`vars.AWS_ROLE_ARN`) or to a user. Its keys come by the SDK's own chain;
`credential_process` in `~/.aws/config` is a command there, and `adminCredentialsCommand` is for AIStor alone.

Users, policies and roles are the plan's own by name, and only its own policies may be attached (`iam:PolicyARN`). Their
content is not bounded: whoever may write a policy for an identity and take a key of it can have what the policy says. A
permissions boundary or a service control policy of the account is the remedy where that is too much.

Not in the policy: `sts:GetCallerIdentity`, which needs no permission, and `s3:TagResource`, `s3:UntagResource` and
`s3:ListTagsForResource`. The plugin tries these first and falls back on `s3:PutBucketTagging` and `s3:GetBucketTagging`
where they are refused (terraform-provider-aws pull request 45251).
"""
_PROOF = """\
## How it is proven

- **Enough**: `tests/e2e/test_admin_policy.py` deploys both sandbox stacks with an admin that has just this policy:
  preflight, `pulumi up`, an empty preview, `refresh`, `destroy`. `tests/infra/components/test_admin_policy.py` lives a
  longer life in process (adoption, changes of each kind, things switched off by hand, rotation), and nothing is
  refused.
- **Each action needed**: the latter test takes each one away. It must be what the server refuses first, and the life
  must not come to its end. Actions marked `*` are needed with `emptyOnDestroy` only, which no protected stack has.
- **By the sandbox, not by the vendors**: the server asks for the vendors' permissions as their sources and references
  have them, and the stand-in plugins make the calls of the real ones as far as recordings (pulumi-minio) and source
  (pulumi-aws, among them the reads of CORS, website, logging, replication, request payment and acceleration) show them.
  No real AWS account was asked.
- **Roles** (`--roles`): from the source of terraform-provider-aws (internal/service/iam/role.go) alone; that each of
  these actions is needed is not shown. They are only in the policy where they are asked for.
- A key that may not be deleted (`admin:RemoveServiceAccount`) is reported by MinIO as one that is not there.
"""


def admin_page(plan: StorePlan) -> str:
    """The whole page, for one environment."""
    parts = [
        _HEADING.format(env=plan.env),
        _AISTOR.format(),
        _policy(plan, "aistor"),
        _table("aistor"),
        _AWS,
        _policy(plan, "aws"),
        _table("aws"),
        "### Roles\n",
        "With `--roles`, for identities that are roles:\n",
        _rows(rights("aws", roles=True)[len(rights("aws")) :]),
        _PROOF,
    ]
    return "\n".join(parts)


def _policy(plan: StorePlan, cloud: Cloud) -> str:
    return f"```json\n{json.dumps(admin_policy(plan, cloud), indent=2)}\n```\n"


def _table(cloud: Cloud) -> str:
    return _rows(rights(cloud, empties=True))


def _rows(listed: tuple[Right, ...]) -> str:
    emptying = {*rights("aistor", empties=True), *rights("aws", empties=True)} - {*rights("aistor"), *rights("aws")}
    lines = ["| action | on | needed by |", "|---|---|---|"]
    for right in listed:
        mark = " *" if right in emptying else ""
        lines.append(f"| `{right.action}`{mark} | {right.on} | {right.needed_by} |")
    return "\n".join(lines) + "\n"
