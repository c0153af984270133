"""The audit of identities: who may do what in truth, for every request, and who else there is.

The rule: documents are compared, and a difference is named by one request that it allows (`model.allowed`). Other words
for the same are no difference. Everybody outside the plan who reaches one of its buckets is named, unless the
deployment names them as administrators.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote

from model.allowed import STRANGER, Access, Request, example, for_strangers, more_allowed, sentence
from model.deployment import Deployment
from model.plan import IdentityPlan
from model.policies import Cloud, as_json, bucket_policy, identity_policies, service_account_policy, trust_policy
from model.policy_meaning import same_meaning
from model.remedies import Remedy
from model.resources import numbered, with_numbers
from model.trust import provider_arn
from verify.checks.finding import Status, Verdict, cannot_tell, fail, not_asked
from verify.checks.settings import GIVE_AUDITOR, RESTORE_AUDITOR
from verify.facts import UNSHOWN, Answer, BucketFacts, Facts, HeldDocument, LiveKey, Principal

_S3 = "arn:aws:s3:::"
AS_PLANNED = "as planned, for every request"
_ANYWHERE = "everything, as {}"
# Reads of the IAM or admin API give nobody access to a bucket.
_HARMLESS: dict[Cloud, list[str]] = {
    "aistor": [
        "admin:BandwidthMonitor",
        "admin:ConsoleLog",
        "admin:DataUsageInfo",
        "admin:Get*",
        "admin:List*",
        "admin:KMSKeyStatus",
        "admin:OBDInfo",
        "admin:Profiling",
        "admin:Prometheus",
        "admin:ServerInfo",
        "admin:ServerTrace",
        "admin:StorageInfo",
        "admin:TopLocksInfo",
    ],
    "aws": ["iam:ChangePassword", "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*"],
}


# Whoever may do one of these to anybody can give itself every right.
_ESCALATIONS = [
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
]


@dataclass(frozen=True)
class Difference:
    """What is not as planned, and the lines that mend it."""

    found: str
    remedy: str


@dataclass(frozen=True)
class Holder:
    """Somebody, by plan and in truth.

    Attributes:
        name: The identity's name in the plan, or the name on the server.
        planned: What the plan gives them; empty for somebody who is not in the plan.
        differences: What differs; empty if nothing does.
        unread: What could not be read; empty if all was.
        access: What governs them in truth, and by plan; None where `differences` says all.
    """

    name: str
    planned: str
    differences: tuple[Difference, ...] = ()
    unread: str = ""
    access: tuple[Access, Access] | None = None

    @property
    def truth(self) -> str:
        """What they may do in truth, in words."""
        told = [one.found for one in self.differences]
        return "; ".join([*told, *([f"not read: {self.unread}"] if self.unread else [])]) or AS_PLANNED


def grants_audited(deployment: Deployment, facts: Facts) -> Verdict:
    """Every identity may do what the plan grants and nothing else, for every request: its documents are compared."""
    return _told(facts, "the planned documents, or others that allow the same", lambda: declared(deployment, facts))


def others_audited(deployment: Deployment, facts: Facts) -> Verdict:
    """No user, role or key of an administrator outside the plan reaches a declared bucket."""
    return _told(
        facts,
        "no other user, role or key of an administrator that reaches a declared bucket",
        lambda: others(deployment, facts),
    )


def keys_audited(deployment: Deployment, facts: Facts) -> Verdict:
    """Every identity has its published keys, switched on and without an end, no other key, and no password."""
    return _told(facts, "the published keys, which never expire, and no password", lambda: keys(deployment, facts))


def trusts_audited(deployment: Deployment, facts: Facts) -> Verdict:
    """Every role trusts exactly the planned issuer, audience and subjects."""
    if not deployment.roles:
        return not_asked("no identity has a role")
    return _told(facts, "the planned trust", lambda: trusts(deployment, facts))


def _told(facts: Facts, wanted: str, compare: Callable[[], Iterable[Holder]]) -> Verdict:
    audit = facts.audit
    if audit is None:
        return not_asked("not selected")
    if audit.why_not:
        return cannot_tell(wanted, audit.why_not, GIVE_AUDITOR)
    if not audit.principals.ok:
        return cannot_tell(wanted, str(audit.principals), RESTORE_AUDITOR)
    holders = list(compare())
    wrong = [one for one in holders if one.differences]
    if wrong:
        lines = dict.fromkeys(difference.remedy for one in wrong for difference in one.differences)
        return fail(wanted, "; ".join(f"{one.name}: {one.truth}" for one in wrong), f"run {', and '.join(lines)}")
    if unread := [one for one in holders if one.unread]:
        return cannot_tell(wanted, "; ".join(f"{one.name}: {one.unread}" for one in unread), RESTORE_AUDITOR)
    return Verdict(Status.PASS, wanted, f"so for {len(holders)} identities" if holders else "none")


def declared(deployment: Deployment, facts: Facts) -> Iterator[Holder]:
    """Each identity of the plan, with what its documents allow more or less than the plan."""
    found = _found(facts)
    of_policies = [unread] if deployment.cloud == "aws" and (unread := _unread_policies(facts)) else []
    for identity in deployment.plan.identities:
        live = found.get((_kind(identity), identity.user_name))
        planned = _planned_in_words(identity)
        if live is None:
            lost = Difference(f"no {_kind(identity)} {identity.user_name} on the server", Remedy.LOST.value)
            yield Holder(identity.name, planned, (lost,))
            continue
        differences = list(_differences(deployment, facts, identity, live))
        if not live.enabled:
            differences.insert(0, Difference("switched off", Remedy.LOST.value))
        unread = "; ".join([*([] if live.keys.ok else [str(live.keys)]), *of_policies])
        yield Holder(
            identity.name, planned, tuple(differences), unread, _of_identity(deployment, facts, identity, live)
        )


def others(deployment: Deployment, facts: Facts) -> Iterator[Holder]:
    """Everybody outside the plan who reaches one of its buckets."""
    own = {(_kind(identity), identity.user_name) for identity in deployment.plan.identities}
    known = frozenset(deployment.administrators)
    policies, planned_policies = _live_policies(facts), _planned_policies(deployment, facts)
    if unread := _unread_policies(facts):
        yield Holder("the bucket policies", "", unread=unread)
    if not _same_policies(policies, planned_policies):
        yield from _strangers(deployment, facts, policies, planned_policies)
    for one in facts.audit.principals.value or () if facts.audit else ():
        if one.kind == "account" or (deployment.cloud == "aistor" and one.enabled and one.name in known):
            # An administrator's keys are named one by one: each is a door of its own.
            yield from _keys_of_administrator(deployment, one, _elsewhere(deployment, facts, ""))
            continue
        if (one.kind, one.name) in own or one.name in known or not one.enabled:
            continue
        live = _access(deployment, one, _layers(one), policies if deployment.cloud == "aws" else {})
        elsewhere = _elsewhere(deployment, facts, _account(one))
        request = more_allowed(live, _access(deployment, one, ((elsewhere,),), _planned_policies(deployment, facts)))
        if request is not None:
            at = ", ".join(map(str, one.documents)) or "a bucket policy"
            text = f"{one.kind} {one.name}, which is not in the plan: {_words(request)} ({at})"
            yield Holder(
                one.name,
                "",
                (Difference(text, _remove(deployment, one)),),
                access=(live, replace(live, layers=((),), of_resources={})),
            )


def keys(deployment: Deployment, facts: Facts) -> Iterator[Holder]:
    """Each identity with keys, and what its keys on the server have more or less than the published ones."""
    found, audit = _found(facts), facts.audit
    for identity in deployment.plan.identities:
        live = found.get((_kind(identity), identity.user_name))
        if live is None or audit is None or identity.trust is not None:
            continue
        unread = "; ".join(str(answer) for answer in (live.keys, live.login) if answer is not None and not answer.ok)
        published = audit.published.get(identity.name, ())
        differences = list(_key_differences(deployment, identity, live.keys.value or (), published, facts.taken_at))
        if not live.keys.ok:
            differences = []
        if live.login is not None and live.login.value:
            line = f"`aws iam delete-login-profile --user-name {live.name}`"
            differences.append(Difference("a password for the console", line))
        yield Holder(identity.name, "", tuple(differences), unread)


def trusts(deployment: Deployment, facts: Facts) -> Iterator[Holder]:
    """Each role of the plan, and whom it trusts if that differs."""
    found = _found(facts)
    for identity in deployment.plan.identities:
        if identity.trust is None or identity.name not in deployment.roles:
            continue
        live = found.get(("role", identity.user_name))
        if live is None:
            continue  # `grants_audited` names it
        account = deployment.roles[identity.name].arn.split(":")[4]
        planned = as_json(trust_policy(identity.trust, provider_arn(identity.trust, account)))
        yield Holder(identity.name, "", tuple(_trust_differences(live.trust, planned)))


def _trust_differences(live: str, planned: str) -> Iterator[Difference]:
    """Who may take a role and should not, or no longer may; one request of each."""
    if same_meaning(live, planned):
        return
    sides = {"": live}, {"": planned}
    for words, (have, want) in {"{}": sides, "no longer so: {}": sides[::-1]}.items():
        if (request := next(for_strangers(have, want, "aws"), None)) is not None:
            yield Difference(words.format(_words(request)), Remedy.CHANGED.value)


def _found(facts: Facts) -> dict[tuple[str, str], Principal]:
    principals = facts.audit.principals.value if facts.audit else ()
    return {(one.kind, one.name): one for one in principals or ()}


def _kind(identity: IdentityPlan) -> str:
    return "user" if identity.trust is None else "role"


def _planned_in_words(identity: IdentityPlan) -> str:
    if identity.verifies:
        return "everything under .verify/, and reads of configuration"
    if identity.audits:
        return "reads of configuration and identities"
    held: dict[str, list[str]] = {}
    for grant in identity.grants:
        held.setdefault(grant.access.value, []).append(grant.domain)
    return "; ".join(f"{access} in {', '.join(domains)}" for access, domains in held.items())


def _differences(deployment: Deployment, facts: Facts, identity: IdentityPlan, live: Principal) -> Iterator[Difference]:
    plan, cloud = deployment.plan, deployment.cloud
    named = {
        numbered(identity.user_name, number): as_json(document)
        for number, document in with_numbers(identity_policies(plan, identity, cloud))
    }
    planned = tuple(named.values())
    policies, planned_policies = _live_policies(facts), _planned_policies(deployment, facts)
    if cloud == "aistor":  # there a bucket policy is for anonymous callers alone
        policies, planned_policies = {}, {}
    same_policies = _same_policies(policies, planned_policies)
    unplanned = [one for one in live.documents if not any(same_meaning(one.text, text) for text in planned)]
    if not same_policies or live.boundary is not None or not _same(_texts(live.documents), planned):
        have = _access(deployment, live, _layers(live), policies)
        want = _access(deployment, live, (planned,), planned_policies)
        remedy = _unplanned_remedy(live, unplanned, named)
        yield from _compared(have, want, remedy, _places(unplanned, live, same_policies=same_policies))
    if cloud == "aistor":
        yield from _of_keys(deployment, facts, identity, live, planned)


def _of_identity(
    deployment: Deployment, facts: Facts, identity: IdentityPlan, live: Principal
) -> tuple[Access, Access]:
    """All that governs an identity in truth, and by plan."""
    planned = tuple(map(as_json, identity_policies(deployment.plan, identity, deployment.cloud)))
    if deployment.cloud == "aws":
        have = _access(deployment, live, _layers(live), _live_policies(facts))
        return have, _access(deployment, live, (planned,), _planned_policies(deployment, facts))
    published = facts.audit.published.get(identity.name, ()) if facts.audit else ()
    narrowed = [
        (key.document,) for key in live.keys.value or () if key.access_key_id in published and key.document is not None
    ]
    own = as_json(service_account_policy(deployment.plan, identity))
    have = _access(deployment, live, (*_layers(live), *narrowed[:1]), {})
    return have, _access(deployment, live, (planned, (own,)), {})


def _of_keys(
    deployment: Deployment, facts: Facts, identity: IdentityPlan, live: Principal, planned: tuple[str, ...]
) -> Iterator[Difference]:
    """What a key's own policy, which narrows its user's, allows more or less than planned."""
    own = as_json(service_account_policy(deployment.plan, identity))
    published = facts.audit.published.get(identity.name, ()) if facts.audit else ()
    for key in live.keys.value or ():
        # A key that the stack did not publish is a finding of `keys_audited`.
        if key.access_key_id not in published or (key.document is not None and same_meaning(key.document, own)):
            continue
        narrowed = () if key.document is None else ((key.document,),)
        have = _access(deployment, live, (planned, *narrowed), {})
        want = _access(deployment, live, (planned, (own,)), {})
        yield from _compared(have, want, Remedy.CHANGED.value, f"the own policy of key {key.access_key_id}")


def _compared(have: Access, want: Access, remedy: str, places: str) -> Iterator[Difference]:
    if (more := more_allowed(have, want)) is not None:
        yield Difference(f"{_words(more)} ({places})", remedy)
    if (less := more_allowed(want, have)) is not None:
        yield Difference(f"no longer so: {_words(less)} ({places})", remedy)


def _places(unplanned: Sequence[HeldDocument], live: Principal, *, same_policies: bool) -> str:
    told = [*map(str, unplanned), *([str(live.boundary)] if live.boundary else [])]
    return ", ".join([*told, *([] if same_policies else ["a bucket policy"])]) or "a policy that is missing"


def _same(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each document has one of the same meaning on the other side."""
    return all(any(same_meaning(one, other) for other in others) for one in some) and all(
        any(same_meaning(one, other) for other in some) for one in others
    )


def _same_policies(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Whether each bucket's policy means the same on both sides."""
    return all(same_meaning(some.get(name, ""), others.get(name, "")) for name in {*some, *others})


def _texts(documents: Iterable[HeldDocument]) -> tuple[str, ...]:
    return tuple(one.text for one in documents)


def _words(request: Request) -> str:
    return f"{sentence(request)}, such as {example(request)}"


def _layers(live: Principal) -> tuple[tuple[str, ...], ...]:
    bound = () if live.boundary is None else ((live.boundary.text,),)
    return (_texts(live.documents), *bound)


def _account(live: Principal) -> str:
    """The number of its AWS account; empty on AIStor."""
    return live.arn.split(":")[4] if live.arn else ""


def _access(
    deployment: Deployment, live: Principal, layers: tuple[tuple[str, ...], ...], policies: Mapping[str, str]
) -> Access:
    account = _account(live)
    own = {identity.user_name: identity.name for identity in deployment.plan.identities}
    return Access(
        own.get(live.name, live.name),
        deployment.cloud,
        layers,
        policies,
        names=frozenset({live.arn} if live.arn else ()),
        accounts=frozenset({f"arn:aws:iam::{account}:root"} if account else ()),
        known={"aws:username": (live.name,)} if live.kind == "user" else {},
    )


def _policy(bucket: BucketFacts) -> Answer[str]:
    """A bucket's policy, empty for none: as the auditor read it, else as the verifier did."""
    found = bucket.audit.settings.get("bucket policy") if bucket.audit is not None else None
    if found is None or (not found.ok and found.code != "NoSuchBucketPolicy"):
        return bucket.policy
    return Answer(found.value or "")


def _live_policies(facts: Facts) -> dict[str, str]:
    found = {name: _policy(bucket) for name, bucket in facts.buckets.items()}
    return {name: policy.value for name, policy in found.items() if policy.value}


def _unread_policies(facts: Facts) -> str:
    """The buckets whose policy neither the auditor nor the verifier could read; empty if there is none."""
    found = {name: _policy(bucket) for name, bucket in facts.buckets.items()}
    return "; ".join(f"policy of {name}: {policy}" for name, policy in found.items() if not policy.ok)


def _planned_policies(deployment: Deployment, facts: Facts) -> dict[str, str]:
    """Of the buckets whose policy was read; a run may be about some buckets alone."""
    if deployment.cloud == "aistor" or not deployment.plan.tls_only:
        return {}
    return {name: as_json(bucket_policy(name)) for name, bucket in facts.buckets.items() if _policy(bucket).ok}


def _elsewhere(deployment: Deployment, facts: Facts, account: str) -> str:
    """A document that allows all that does not lead to the plan's buckets, its identities or its administrators."""
    plan, cloud = deployment.plan, deployment.cloud
    buckets = [arn for bucket in plan.buckets for arn in (f"{_S3}{bucket.name}", f"{_S3}{bucket.name}/*")]
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": ["s3:*"], "NotResource": buckets},
        # Names are no objects.
        {"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": ["*" if cloud == "aws" else f"{_S3}*"]},
    ]
    if cloud == "aistor":
        statements += [
            {"Effect": "Allow", "Action": _HARMLESS[cloud]},
            {"Effect": "Allow", "Action": ["kms:*"]},
            {"Effect": "Allow", "Action": ["sts:*"]},
        ]
    else:
        names = [identity.user_name for identity in plan.identities]
        ours = [f"arn:aws:iam::{account}:{kind}/{name}*" for name in names for kind in ("user", "role", "policy")]
        ours += [one.arn for one in _found(facts).values() if one.name in deployment.administrators]
        statements += [
            {"Effect": "Allow", "Action": _HARMLESS[cloud], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["iam:*"], "NotResource": ours},
            {"Effect": "Deny", "Action": _ESCALATIONS, "Resource": ["*"]},
            {"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": ["*"]},
        ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _strangers(
    deployment: Deployment, facts: Facts, policies: Mapping[str, str], planned_policies: Mapping[str, str]
) -> Iterator[Holder]:
    """Other accounts, services and anonymous callers whom a bucket policy allows more than planned."""
    known = {one.arn for one in _found(facts).values() if one.arn}
    roots = {f"arn:aws:iam::{arn.split(':')[4]}:root" for arn in known}
    found = list(for_strangers(policies, planned_policies, deployment.cloud, frozenset(known | roots)))
    for request in found:
        if request.principal == STRANGER and any(not one.principal for one in found):
            continue  # whoever has no key may do it, too
        text = f"{_words(request)} (a bucket policy)"
        names = frozenset({request.principal} if request.principal else ())
        access = Access(request.principal, deployment.cloud, (), policies, names)
        yield Holder(
            request.principal or "anybody",
            "",
            (Difference(text, Remedy.CHANGED.value),),
            access=(access, replace(access, of_resources={})),
        )


def _unplanned_remedy(live: Principal, unplanned: Sequence[HeldDocument], named: dict[str, str]) -> str:
    """The lines that take away what is not planned; a planned policy that was changed is the program's to restore."""
    lines = []
    for one in unplanned:
        if one.name.rpartition("/")[2] in named and not one.group:
            lines.append(Remedy.UNSHOWN.value if one.text == json.dumps(UNSHOWN) else Remedy.CHANGED.value)
        else:
            lines.append(f"`{_taken_away(live, one)}`")
    if live.boundary is not None:
        lines.append(f"`aws iam delete-{live.kind}-permissions-boundary --{live.kind}-name {live.name}`")
    return ", and ".join(dict.fromkeys(lines)) or Remedy.EITHER.value


def _taken_away(live: Principal, one: HeldDocument) -> str:
    name, group, policy = quote(live.name), quote(one.group), quote(one.name)
    if not live.arn:  # AIStor
        if one.group:
            return f"mc admin group remove ALIAS {group} {name}"
        return f"mc admin policy detach ALIAS {policy} --user {name}"
    if one.group:
        return f"aws iam remove-user-from-group --group-name {group} --user-name {name}"
    whose = f"--{live.kind}-name {name}"
    if one.kind == "inline":
        return f"aws iam delete-{live.kind}-policy {whose} --policy-name {policy}"
    return f"aws iam detach-{live.kind}-policy {whose} --policy-arn {policy}"


def _keys_of_administrator(deployment: Deployment, one: Principal, elsewhere: str) -> Iterator[Holder]:
    if not one.keys.ok:
        yield Holder(one.name, "", unread=str(one.keys))
    for key in one.keys.value or ():
        if key.access_key_id in deployment.administrators or not key.enabled:
            continue
        request = key.document and more_allowed(
            _access(deployment, one, ((key.document,),), {}),
            _access(deployment, one, ((elsewhere,),), {}),
        )
        if key.document and request is None:
            continue
        may = _words(request) if request else _ANYWHERE.format(one.name)
        line = (
            f"`mc admin user svcacct rm ALIAS {quote(key.access_key_id)}`{_or_declare(deployment, key.access_key_id)}"
        )
        yield Holder(one.name, "", (Difference(f"key {key.access_key_id} of {one.name}: {may}", line),))


def _remove(deployment: Deployment, one: Principal) -> str:
    lines = {
        "user": f"mc admin user remove ALIAS {quote(one.name)}"
        if not one.arn
        else f"aws iam delete-user --user-name {quote(one.name)}",
        "role": f"aws iam delete-role --role-name {quote(one.name)}",
    }
    taken = [_taken_away(one, document) for document in one.documents]
    line = lines[one.kind] if not one.arn else " && ".join(dict.fromkeys(taken))
    return f"`{line}`{_or_declare(deployment, one.name)}"


def _or_declare(deployment: Deployment, name: str) -> str:
    number = len(deployment.administrators)
    return (
        f", or name an administrator: `pulumi config set --stack {deployment.stack} --path "
        f"'object-store:administrators[{number}]' {quote(name)}`, then `pulumi up`"
    )


def _key_differences(
    deployment: Deployment,
    identity: IdentityPlan,
    live: Sequence[LiveKey],
    published: Sequence[str],
    now: str,
) -> Iterator[Difference]:
    aws = deployment.cloud == "aws"
    # Credentials from the environment lack the previous generation.
    unpublished = max(0, len(identity.credential.live) - len(published))
    unknown = [key for key in live if key.access_key_id not in published][unpublished:]
    for key in unknown:
        line = (
            f"aws iam delete-access-key --user-name {identity.user_name} --access-key-id {quote(key.access_key_id)}"
            if aws
            else f"mc admin user svcacct rm ALIAS {quote(key.access_key_id)}"
        )
        yield Difference(f"another key {key.access_key_id}", f"`{line}`")
    known = {key.access_key_id: key for key in live}
    rotate = f"`object-store keys rotate {identity.name} --stack {deployment.stack}`, deliver the new key, then retire"
    for name in published:
        own = known.get(name)
        if own is None:
            yield Difference(f"no key {name} on the server", Remedy.LOST.value)
        elif not own.enabled:
            yield Difference(f"key {name} is switched off", Remedy.LOST.value)
        elif own.expires:
            days = (datetime.fromisoformat(own.expires) - datetime.fromisoformat(now)).days
            yield Difference(f"key {name} expires {own.expires}, in {days} d", rotate)
