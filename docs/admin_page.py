"""The page on the provisioning admin: how to create it on each cloud, its exact policy, and the reason for each action.

The rule: policy and table come from `ops.admin_policy`, which the tests prove. Only the words around them are here.
"""

import json

from model.plan import StorePlan
from model.policies import Cloud
from ops.admin_policy import Right, admin_policy, rights

_HEADING = """\
# A provisioning admin that is not root

`pulumi up`, `refresh` and `destroy`, `object-store adopt`, the preflight and the rotation of access keys need an admin.
The admin need not be root, and should not be root: root can do everything else too, and its access key is hard to
change.

The policies on this page are those of an environment named `{env}`. This line prints the policy of your stack, from its
config:

```sh
object-store admin-policy --stack local
```

Without a stack, use `--cloud aistor` or `--cloud aws` with `--env ENV` (and `--region-code`, `--empty-on-destroy`,
`--roles`). Give the admin a name that the plan does not use (not `joelclaw-{env}-*`): the admin must not be able to
change itself.
"""
_AISTOR = """\
## AIStor

Run these lines once, with root's alias. `mc` asks for the access key and the secret key, so neither is on a command
line. Enter `provisioner-local` as the access key:

<!-- not run: needs `mc` and root; tests/e2e/test_admin_policy.py deploys with such an admin -->
```sh
object-store admin-policy --stack local > admin.json
mc admin policy create ALIAS provisioner-local admin.json
mc admin user add ALIAS
mc admin policy attach ALIAS provisioner-local --user provisioner-local
```

Then give the access key to the stack, in one of three places. The stack looks in this order, and never combines halves
from two places:

1. the config: `pulumi config set object-store:adminUser provisioner-local` and
   `pulumi config set --secret object-store:adminPassword`;
2. the environment: `AISTOR_ROOT_USER` and `AISTOR_ROOT_PASSWORD` (these are the old names; the values need not be
   root's);
3. a command: `pulumi config set object-store:adminCredentialsCommand 'secrets lease objectstore_admin --ttl 5m'`. The
   command prints `{{"user": "…", "password": "…"}}` or `user:password`. The config holds the command in clear, so the
   command must contain no secret. Each process that needs the access key runs the command, without a shell; one
   `pulumi up` runs it several times. The command has 30 seconds.

MinIO cannot limit an `admin:` action to some names. So an admin that may write and attach policies can give itself more
rights, and can change every identity of the server. Protect its access key as you protect root's. If that is too much
power, give the store its own server. The admin does not have root's access to objects and configuration, and
cannot operate the server.
"""
_AWS = """\
## AWS

Attach the policy to the role that CI assumes (`vars.AWS_ROLE_ARN`), or to a user:

<!-- not run: needs your AWS account; tests/e2e/test_admin_policy.py deploys with such an admin -->
```sh
object-store admin-policy --stack aws > admin.json
aws iam create-policy --policy-name provisioner-joelclaw --policy-document file://admin.json
aws iam attach-role-policy --role-name ROLE --policy-arn arn:aws:iam::ACCOUNT:policy/provisioner-joelclaw   # a role
aws iam attach-user-policy --user-name USER --policy-arn arn:aws:iam::ACCOUNT:policy/provisioner-joelclaw   # or a user
```

The AWS SDK finds the admin's credentials. To get them from a command, use `credential_process` in `~/.aws/config`;
`adminCredentialsCommand` works on AIStor only.

The policy limits users, policies and roles to the names of the plan, and lets the admin attach only the plan's own
policies (`iam:PolicyARN`). It does not limit the content of a policy: an admin that can write the policy of an identity
and create an access key for it can have every right that the policy grants. If that is too much power, use a
permissions boundary, or a service control policy of the account.

The policy leaves out `sts:GetCallerIdentity`, which needs no permission, and `s3:TagResource`, `s3:UntagResource` and
`s3:ListTagsForResource`. The plugin tries these three first. If the server refuses them, the plugin falls back to
`s3:PutBucketTagging` and `s3:GetBucketTagging` (terraform-provider-aws pull request 45251).
"""
_PROOF = """\
## How it is proven

- **The policy is enough.** `tests/e2e/test_admin_policy.py` deploys both sandbox stacks with an admin that has exactly
  this policy: preflight, `pulumi up`, an empty preview, `refresh`, `destroy`.
  `tests/infra/components/test_admin_policy.py` runs a longer life in one process: adoption, changes of each kind,
  things switched off by hand, rotation. The server refuses nothing.
- **The policy needs each action.** The second test removes each action in turn. The server must then refuse that action
  first, and the life must not complete. Actions marked `*` are needed only with `emptyOnDestroy`, which a protected
  stack never has.
- **The sandbox proves this, not the vendors.** The sandbox's server asks for the permissions that the vendors' sources
  and references name. The stand-in plugins make the calls of the real plugins, as far as recordings (pulumi-minio) and
  source (pulumi-aws) show them; these include the reads of CORS, website, logging, replication, request payment and
  acceleration. Real AWS was not asked.
- **Roles** (`--roles`) come only from the source of terraform-provider-aws (internal/service/iam/role.go). No test
  shows that each of these actions is needed. The policy contains them only if you ask for them.
- MinIO reports an access key that the admin may not delete (`admin:RemoveServiceAccount`) as a key that does not exist.
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
        "`--roles` adds these actions, for identities that are roles:\n",
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
