"""Small exported states for the tests of `recover`: two buckets and two identities, by each implementation."""

from typing import Any

from model.resources import TYPES, About, By, logical_name
from ops.recover.lost import Held, held_in

ACCOUNT = "123456789012"
BUCKETS = {"hot-one": "b-hot", "warm-one": "b-warm", "cold-one": "b-cold"}
NAMES = ("worker", "reader")
SETTINGS = {
    "v3": (About.LIFECYCLE,),
    "v4": (About.LIFECYCLE,),
    "aws": (About.PUBLIC_ACCESS, About.OWNERSHIP, About.ENCRYPTION, About.LIFECYCLE, About.BUCKET_POLICY),
}


def urn(by: By, what: About, subject: str, number: int | None = None) -> str:
    """A resource's URN."""
    return f"urn:pulumi:s::object-store::{TYPES[by][what]}::{logical_name(subject, what, number)}"


def key_id(by: By, name: str) -> str:
    """The access key of an identity."""
    return f"AK{by}{name}".upper()


def exported(by: By) -> dict[str, Any]:
    """A deployed stack: each setting depends on its bucket, each attachment on user and policy, each key on those."""
    resources: list[dict[str, Any]] = [{"urn": "urn:stack", "custom": False, "type": "pulumi:pulumi:Stack"}]

    def add(
        what: About, subject: str, own_id: str, values: dict[str, Any], *needs: str, number: int | None = None
    ) -> str:
        one = urn(by, what, subject, number)
        resources.append(
            {
                "urn": one,
                "custom": True,
                "id": own_id,
                "type": TYPES[by][what],
                "inputs": values,
                "outputs": values,
                "dependencies": list(needs),
                "propertyDependencies": {"x": list(needs)},
            }
        )
        return one

    for domain, name in BUCKETS.items():
        bucket = add(About.BUCKET, domain, name, {"bucket": name})
        extra = {"warm-one": (About.VERSIONING,), "cold-one": (About.RETENTION,)}.get(domain, ())
        for what in (*SETTINGS[by], *extra):
            add(what, domain, name, {"bucket": name}, bucket)
    for name in NAMES:
        user = add(About.USER, name, f"u-{name}", {"name": f"u-{name}", "status": "enabled"})
        policy_id = f"arn:aws:iam::{ACCOUNT}:policy/u-{name}" if by == "aws" else f"u-{name}"
        policy = add(About.POLICY, name, policy_id, {"name": f"u-{name}"})
        pair = {"user": f"u-{name}", "policyArn": policy_id}
        pair = pair if by == "aws" else {"userName": f"u-{name}", "policyName": policy_id}
        attachment = add(About.ATTACHMENT, name, f"u-{name}-1", pair, user, policy)
        of = {"user": f"u-{name}"} if by == "aws" else {"targetUser": f"u-{name}"}
        add(About.KEY, name, key_id(by, name), {**of, "status": "on"}, user, attachment, number=1)
    return {"version": 3, "deployment": {"resources": resources}}


def one_of(state: dict[str, Any], what: About, subject: str) -> Held:
    """A resource of a state by what it configures and whose it is."""
    (found,) = [one for one in held_in(state) if (one.what, one.subject) == (what, subject)]
    return found
