"""Every policy document that is generated for AWS passes parliament (`make lint`).

It also compares the names of actions that `model.allowed` knows with those of parliament.

The rule: each kind of document is judged: an identity's whole and split policies, a bucket's policy, the provisioning
admin's policy. parliament compares actions, resources and condition keys with AWS's service reference. It leaves out
trust policies, which parliament cannot read, and the documents for MinIO.
"""

import importlib.resources
import json
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

from model.allowed import actions
from model.plan import StorePlan, build_plan
from model.policies import as_json, bucket_policy, identity_policies
from model.taxonomy_file import extended, load
from ops.admin_policy import admin_policy

_DOMAINS = 60
#: What the provisioning admin is for: it writes policies and rules, and so can give itself what it does not hold
#: (docs/provisioning-admin.md).
ACCEPTED = {"admin": {"RESOURCE_POLICY_PRIVILEGE_ESCALATION"}}


def documents() -> Iterator[tuple[str, str]]:
    """Each document with its name."""
    plan = _plan()
    for identity in plan.identities:
        for number, document in enumerate(identity_policies(plan, identity, "aws"), start=1):
            yield f"{identity.name} {number}", as_json(document)
    yield "bucket", as_json(bucket_policy(plan.buckets[0].name))
    for empties in (False, True):
        for roles in (False, True):
            yield "admin", as_json(admin_policy(plan, "aws", empties=empties, roles=roles))


def findings(name: str, document: str) -> list[str]:
    """What parliament finds in a document, without what is accepted."""
    judged = _parliament().analyze_policy_string(document)
    accepted = ACCEPTED.get(name, set())
    return [f"{name}: {one.issue} {json.dumps(one.detail)}" for one in judged.findings if one.issue not in accepted]


def unlisted_actions() -> list[str]:
    """Actions of S3 that AWS's service reference has and `model.allowed.actions` has not, or the other way."""
    path = importlib.resources.files(_parliament()) / "iam_definition.json"
    services = json.loads(path.read_text())
    listed = {
        f"s3:{one['privilege']}": {kind["resource_type"].strip("*") for kind in one["resource_types"]} - {""}
        for service in services
        if service["prefix"] == "s3"
        for one in service["privileges"]
    }
    objects = {name for name, kinds in listed.items() if "object" in kinds}
    buckets = {name for name, kinds in listed.items() if kinds == {"bucket"}}
    others = set(listed) - objects - buckets - {actions.LIST_BUCKETS}
    known = {"objects": objects, "buckets": buckets, "others": others}
    own = {
        "objects": actions.AWS_OF_OBJECTS,
        "buckets": actions.AWS_OF_BUCKETS,
        "others": actions.AWS_OF_OTHERS,
    }
    return [
        f"model/allowed/actions.py: {name} is of {kind} for one side only"
        for kind, names in known.items()
        for name in sorted(names ^ set(own[kind]))
    ]


def _plan() -> StorePlan:
    accesses = ("read", "append", "write")
    domains = {f"domain-{number:03}": {"band": "warm"} for number in range(_DOMAINS)}
    grants = {name: accesses[number % len(accesses)] for number, name in enumerate(domains)}
    identities = {
        "mixed": {"grants": grants},
        "clock": {"grants": {"discovery-raw": "append"}, "overwrites": True},
    }
    taxonomy = extended(load(), domains=domains, identities=identities, where="docs: ")
    return build_plan(taxonomy, env="prod", region_code="usw2", tls_only=True, where="docs: ", refuses_overwrites=True)


def _parliament() -> ModuleType:
    # parliament 1.6.4 asks `pkg_resources` for the paths of its two files; setuptools has it no longer (since 82).
    paths = ModuleType("pkg_resources")
    paths.resource_filename = lambda package, name: str(importlib.resources.files(package) / name)  # type: ignore[attr-defined]
    sys.modules.setdefault("pkg_resources", paths)
    with warnings.catch_warnings():
        # It leaves its own files open, and Python warns of its source where no compiled file is kept.
        warnings.simplefilter("ignore")
        import parliament  # type: ignore[import-untyped]  # noqa: PLC0415 - after the module that it imports

    found: ModuleType = parliament
    return found


def main() -> int:
    """Print every finding."""
    found = [line for name, document in documents() for line in findings(name, document)] + unlisted_actions()
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
