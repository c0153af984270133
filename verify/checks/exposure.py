"""Checks of what must be closed (to anonymous callers, over plain http, outside the probe prefix), and of the store.

The rule: closed means refused by a code that says so. A server that does not speak plain http at all counts as closed.
"""

from datetime import datetime, timedelta

from model.bucket_names import bucket_name
from model.deployment import Deployment
from model.plan import BucketPlan
from verify.answer_codes import ADMIN_DENIED, NO_ANSWER
from verify.checks.finding import (
    LOOK_POLICY,
    UP,
    Status,
    Verdict,
    all_refused,
    fail,
    judged,
    not_asked,
    outcome,
    verifiers,
)
from verify.facts import NOT_TRIED, SKEWED, BucketFacts, Facts, skew_in_words

DENIED = frozenset({"AccessDenied"})
UNKNOWN_KEY = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
# The answers of a server whose port speaks TLS only: MinIO and Go servers send 400, others close the connection.
_NO_PLAIN_HTTP = NO_ANSWER | {"HTTP 400", "HTTP 426", "HTTP 301", "HTTP 308", "IncompleteRead", "ConnectionResetError"}
WARN_BELOW_DAYS = 30
# An answer's `Date` has whole seconds, and a presigned URL is rarely signed for a shorter time.
WARN_ABOVE_SKEW = timedelta(seconds=2)
GIVEN_UP = "verify again; if that ends alike, check the server and the network"
SET_CLOCK = "set the clocks of this machine and of the server, for example by NTP"


def anonymous_refused(deployment: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A request without a signature cannot list, read or put anything."""
    if facts.strangers is None:
        return not_asked("not tried")
    return all_refused(
        facts.strangers.anonymous,
        DENIED,
        "refused",
        "remove the bucket policy or the ACL that makes the bucket public",
        verifiers(deployment),
    )


def plain_http_refused(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """If the plan requires TLS, the server refuses a signed request over plain http, or does not serve http at all."""
    if not deployment.plan.tls_only:
        return not_asked("the plan does not require TLS")
    if facts.strangers is None or facts.strangers.plain_http is None:
        return not_asked("not tried")
    found = facts.strangers.plain_http
    right = found.code in DENIED | _NO_PLAIN_HTTP
    shown = "not served" if found.code in _NO_PLAIN_HTTP else outcome(found)
    leans_on = verifiers(deployment) if found.code in DENIED else ()
    return judged(right, "refused (AccessDenied) or not served", shown, UP, leans_on)


def verifier_confined(deployment: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Outside the probe prefix the verifier can neither list, nor read, nor delete a version."""
    if facts.strangers is None:
        return not_asked("not tried")
    return all_refused(facts.strangers.outside, DENIED, "refused outside .verify/", UP, verifiers(deployment))


def endpoint_reached(_: Deployment, facts: Facts) -> Verdict:
    """The endpoint answers, and keeps answering until the end of the run."""
    door = facts.door
    if door.reached.code == NOT_TRIED:
        return not_asked(door.reached.said)
    if facts.gave_up:
        return fail(f"answers from {door.endpoint}", facts.gave_up, GIVEN_UP)
    wanted = f"answers from {door.endpoint}"
    if not door.reached.ok:
        remedy = "check the server, the network and `--via`; run `object-store preflight` for details"
        return fail(wanted, door.reached.said, SET_CLOCK if door.reached.code == SKEWED else remedy)
    ahead = timedelta(seconds=door.ahead_seconds)
    warning = f"{skew_in_words(ahead)}: {SET_CLOCK}" if abs(ahead) > WARN_ABOVE_SKEW else ""
    return Verdict(Status.PASS, wanted, "it answers", warning)


def certificate_valid(_: Deployment, facts: Facts) -> Verdict:
    """The endpoint's certificate is trusted, holds the endpoint's name, and does not expire soon."""
    if not facts.door.reached.ok:
        return not_asked("the endpoint does not answer")
    held = facts.door.certificate
    if held is None:
        return not_asked("the endpoint is plain http")
    wanted = f"a trusted certificate for {facts.door.endpoint}, valid for {WARN_BELOW_DAYS} days or more"
    if held.value is None:
        return fail(
            wanted,
            str(held),
            "set the CA that signed it (object-store:caBundle), or install a trusted certificate on the server",
        )
    left = (datetime.fromisoformat(held.value.ends) - datetime.fromisoformat(facts.taken_at)).days
    found = f"{', '.join(held.value.names)}, valid for {left} days"
    soon = f"renew the certificate: it expires in {left} days" if left < WARN_BELOW_DAYS else ""
    return Verdict(Status.PASS, wanted, found, soon)


def undeclared_buckets_absent(deployment: Deployment, facts: Facts) -> Verdict:
    """The plan declares every bucket whose name begins with our prefix."""
    if facts.store is None:
        return not_asked("not tried")
    names, prefix = facts.store.bucket_names, deployment.plan.bucket_prefix
    wanted = f"no bucket {prefix}… except the declared ones"
    if names.value is None:
        return fail(wanted, str(names), LOOK_POLICY)
    declared = {bucket.name for bucket in deployment.plan.buckets}
    extra = sorted(name for name in names.value if name.startswith(prefix) and name not in declared)
    return judged(
        not extra,
        wanted,
        ", ".join(extra) or "no other",
        "declare the bucket in infra/taxonomy.yaml and import it, or check its contents and remove it",
    )


def declared_buckets_present(deployment: Deployment, facts: Facts) -> Verdict:
    """The server lists every declared bucket."""
    if facts.store is None:
        return not_asked("not tried")
    names, wanted = facts.store.bucket_names, f"{len(deployment.plan.buckets)} buckets"
    if names.value is None:
        return fail(wanted, str(names), LOOK_POLICY)
    absent = [bucket.name for bucket in deployment.plan.buckets if bucket.name not in names.value]
    return judged(not absent, wanted, f"absent: {', '.join(absent)}" if absent else "all of them", UP)


def names_as_convention(deployment: Deployment, _: Facts) -> Verdict:
    """Every bucket is named `joelclaw-{env}-{region code}-{domain}`, after the domain's oldest name."""
    plan = deployment.plan
    wrong = [b.name for b in plan.buckets if b.name != bucket_name(plan.env, plan.region_code, b.named_after)]
    wanted = bucket_name(plan.env, plan.region_code, "{domain}")
    return judged(not wrong, wanted, ", ".join(wrong) or "all of that form", "run `pulumi up` with this checkout")


def default_keys_refused(deployment: Deployment, facts: Facts) -> Verdict:
    """The server does not know the vendor's well-known default key pair."""
    if facts.store is None:
        return not_asked("not tried")
    if facts.store.default_keys is None:
        return not_asked("AWS has no default keys")
    found = facts.store.default_keys
    return judged(
        found.code in UNKNOWN_KEY,
        f"refused ({' or '.join(sorted(UNKNOWN_KEY))})",
        outcome(found),
        "change the server's root credentials now: these are publicly known",
        verifiers(deployment),
    )


def other_stacks_refused(_: Deployment, facts: Facts) -> Verdict:
    """No identity can list or put in the buckets of another stack on the same server or account."""
    if facts.store is None:
        return not_asked("not tried")
    if not facts.store.beside:
        return not_asked("the server lists no bucket of another stack")
    beside = facts.store.beside
    answers = {f"{identity} ({what})": answer for identity in beside for what, answer in beside[identity].items()}
    return all_refused(answers, DENIED, "refused in other stacks' buckets", UP, leans_on=beside)


def admin_api_refused(deployment: Deployment, facts: Facts) -> Verdict:
    """No identity can call the IAM or admin API; the suite tries each family of calls, from users to imports."""
    if facts.store is None:
        return not_asked("not tried")
    api = "IAM API" if deployment.cloud == "aws" else "admin API"
    return all_refused(facts.store.admin, ADMIN_DENIED, f"the {api} refused to every identity", UP)
