"""Checks of what happens to objects: the smoke probe, the data path, presigned URLs.

The rule: the bytes that were put come back, by hash and by every way of reading. A presigned URL allows exactly the
request that was signed, and only until it expires.
"""

from collections.abc import Mapping

from model.deployment import Deployment
from model.plan import BucketPlan
from verify.checks.finding import (
    NO_WORKLOAD,
    NO_WRITER,
    RENEW,
    SEE_TRUST,
    STAND_IN,
    UP,
    Status,
    Verdict,
    cannot_tell,
    fail,
    judged,
    not_asked,
    outcome,
)
from verify.facts import Answer, BucketFacts, Carried, Described, LinkFacts, ProbeFacts, Tried
from verify.probe.data_path import CONTENT_TYPE, LISTED_KEYS, METADATA, metadata_text, range_text
from verify.probe.smoke import compliance, has_writer

_NO_PROBE = not_asked("no probe was written")
_SERVER = "check the server: it does not return what was put"
_LOOK_SIGNATURES = "check the server and any proxy in front of it: it accepts a request that was not signed"
SIGNATURE_CODES = frozenset({"SignatureDoesNotMatch"})
# Servers that look for the signature of such a put in its headers miss it there.
_CHUNK_CODES = SIGNATURE_CODES | {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "InvalidArgument",
    "InvalidRequest",
}
# MinIO and AWS both answer AccessDenied with "Request has expired".
EXPIRED_CODES = frozenset({"AccessDenied", "ExpiredToken"})
TOO_LONG = "too_long"  # the adapter refuses it, so it leans on no answer of the server


def object_uploaded(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """An identity that may put objects put the smoke object, and the answer has its size."""
    probe = facts.probe
    if probe is None:
        return _NO_PROBE
    wanted = f"{probe.sent.size} bytes put by {probe.identity}"
    right = probe.uploaded.value is not None and probe.uploaded.value.size == probe.sent.size
    verdict = judged(right, wanted, described(probe.uploaded), RENEW.format(probe.identity))
    stands_in = any(identity.verifies and identity.name == probe.identity for identity in deployment.plan.identities)
    if verdict.status is Status.PASS and compliance(plan) and stands_in:
        return cannot_tell(wanted, STAND_IN, NO_WORKLOAD)
    if verdict.status is Status.PASS and stands_in and has_writer(deployment.plan, plan):
        return cannot_tell(wanted, NO_WRITER, SEE_TRUST)
    return verdict


def object_read_back(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The object comes back with the bytes, content type, etag and size that were put."""
    probe = facts.probe
    if probe is None:
        return _NO_PROBE
    etag = _etag(probe)
    sent = probe.sent
    wanted = described(Answer(Described(etag=etag, size=sent.size, content_type=sent.content_type, sha256=sent.sha256)))
    if etag is None:
        return _not_put(probe, wanted)
    told = Described(etag=etag, size=sent.size, content_type=sent.content_type)
    tried = {
        described(probe.downloaded): probe.downloaded.value == Described(size=sent.size, sha256=sent.sha256),
        f"HEAD: {described(probe.headed)}": probe.headed.value == told,
    }
    wrong = [found for found, right in tried.items() if not right]
    return judged(not wrong, wanted, "; ".join(wrong or tried), RENEW.format(probe.identity))


def object_listed(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A listing of the probe's prefix contains the probe with its etag and size."""
    probe = facts.probe
    if probe is None:
        return _NO_PROBE
    etag = _etag(probe)
    wanted = Described(etag=etag, size=probe.sent.size)
    if etag is None:
        return _not_put(probe, described(Answer(wanted)))
    found = "not listed" if probe.listed.ok and probe.listed.value is None else described(probe.listed)
    return judged(probe.listed.value == wanted, described(Answer(wanted)), found, RENEW.format(probe.identity))


def _not_put(probe: ProbeFacts, wanted: str) -> Verdict:
    return fail(wanted, f"the upload: {described(probe.uploaded)}", RENEW.format(probe.identity))


def object_presigned(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A plain HTTP client gets the object by a presigned URL of the adapter."""
    probe = facts.probe
    if probe is None:
        return _NO_PROBE
    wanted = Described(size=probe.sent.size, sha256=probe.sent.sha256)
    value = probe.presigned.value
    right = value is not None and (value.size, value.sha256) == (wanted.size, wanted.sha256)
    return judged(
        right,
        described(Answer(wanted)),
        described(probe.presigned),
        "check the endpoint that the URL is signed for, and the clocks of both sides",
    )


def object_deleted(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """After a delete the key is gone; not asked if the identity that put the object may not delete."""
    probe = facts.probe
    if probe is None:
        return _NO_PROBE
    if probe.deleted is None:
        return not_asked(f"{probe.identity} has no grant to delete")
    return judged(probe.deleted.value is True, "the key is gone", str(probe.deleted), RENEW.format(probe.identity))


def probes_removed(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """No version or delete marker of this run is left, except a probe that was left on purpose."""
    by_wish = 0
    if facts.probe is not None and compliance(plan) and facts.probe.uploaded.ok:
        verifier = deployment.plan.verifier
        by_wish = int(verifier is None or facts.probe.identity != verifier.name)
    return judged(
        facts.left.value == by_wish,
        f"{by_wish} versions left",
        f"{facts.left.value} versions left" if facts.left.ok else str(facts.left),
        "check the verifier's policy; the lifecycle rule verify-probes expires what is left",
    )


def sizes_survive(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Objects of 0 and 1 byte, and of 5 MiB ± 1 byte where large ones are tried, come back unchanged."""
    return not_asked("not tried") if facts.objects is None else _carried(facts.objects.sizes)


def multipart_survives(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """An object of 12 MiB, put in parts with a checksum, comes back unchanged."""
    if facts.objects is None or facts.objects.multipart is None:
        return not_asked("tried in one bucket of each band only; `--deep` tries it in every bucket")
    return _carried({"12 MiB in parts, with SHA-256": facts.objects.multipart})


def keys_survive(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Objects under keys with spaces, unicode, `+`, `%`, and under a key of 1024 bytes, come back unchanged."""
    return not_asked("not tried") if facts.objects is None else _carried(facts.objects.keys)


def odd_keys_refused(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The adapter sends no key that a server would change: a leading slash, an empty segment, `..`."""
    if facts.objects is None:
        return not_asked("not tried")
    return _each_refused(
        facts.objects.odd_keys, frozenset({"InvalidKey"}), "each refused by the adapter", "fix object_store.keys"
    )


def metadata_survives(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Content type and user metadata come back unchanged."""
    if facts.objects is None:
        return not_asked("not tried")
    wanted = metadata_text(CONTENT_TYPE, METADATA)
    return judged(facts.objects.metadata.value == wanted, wanted, str(facts.objects.metadata), _SERVER)


def overwrite_refused_on_condition(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The server refuses `If-None-Match: *` for a key that exists, at a put and at the join of parts."""
    if facts.objects is None:
        return not_asked("not tried")
    first = facts.objects.sizes["1 byte"].came
    if not first.ok and facts.objects.conditional.code == "PreconditionFailed":
        return cannot_tell("refused", f"the put without the condition was not allowed either ({first})")
    return _each_refused(
        {
            "If-None-Match: *": facts.objects.conditional,
            "If-None-Match: * at the join of parts": facts.objects.conditional_join,
        },
        frozenset({"PreconditionFailed"}),
        "refused",
        "producers cannot rely on conditional puts on this server: check its version",
    )


def range_read(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A range read returns exactly the bytes of the range."""
    if facts.objects is None:
        return not_asked("not tried")
    return judged(facts.objects.ranged.value == range_text(), repr(range_text()), str(facts.objects.ranged), _SERVER)


def listing_complete(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A listing of more keys than one page holds returns all of them."""
    if facts.objects is None or facts.objects.listed is None:
        return not_asked("`--deep` tries it in one bucket of each band")
    return judged(facts.objects.listed.value == LISTED_KEYS, f"{LISTED_KEYS} keys", str(facts.objects.listed), _SERVER)


def presign_works(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The server allows the presigned GET and PUT that were signed."""
    if facts.links is None:
        return not_asked("not tried")
    tried = {"GET": facts.links.get, "PUT": facts.links.put}
    wrong = {method: found for method, found in tried.items() if not found.ok}
    found = "; ".join(f"{method}: {outcome(answer)}" for method, answer in (wrong or tried).items())
    return judged(
        not wrong, f"GET and PUT allowed, signed by {facts.links.identity}", found, RENEW.format(facts.links.identity)
    )


def tampered_presign_refused(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """The server refuses a URL whose signature was changed, also for a put in chunks with an unsigned trailer."""
    tampered = _link_refused(facts.links, "tampered", SIGNATURE_CODES)
    if tampered.status is not Status.PASS or facts.links is None or facts.links.unsigned is None:
        return tampered
    if facts.links.unsigned.ok and (reason := deployment.cannot("refusal_of_puts_without_a_secret")):
        return cannot_tell("refused, also for a put in chunks", reason)
    return _each_refused({"a put in chunks": facts.links.unsigned}, _CHUNK_CODES, "refused", _LOOK_SIGNATURES)


def expired_presign_refused(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The server refuses a URL after it has expired."""
    return _link_refused(facts.links, "expired", EXPIRED_CODES)


def presign_bound_to_key(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A URL gives access to no other key."""
    return _link_refused(facts.links, "other_key", SIGNATURE_CODES)


def presign_bound_to_method(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A URL signed for GET cannot delete."""
    return _link_refused(facts.links, "other_method", SIGNATURE_CODES)


def long_presign_refused(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The adapter refuses to sign a URL for longer than 7 days."""
    return _link_refused(facts.links, TOO_LONG, frozenset({"InvalidExpiry"}))


def _link_refused(links: LinkFacts | None, what: str, codes: frozenset[str]) -> Verdict:
    if links is None:
        return not_asked("not tried")
    tried: Tried = getattr(links, what)
    if what != TOO_LONG and not links.get.ok and tried.code in codes:
        return cannot_tell("refused", f"{tried}, but the URL as it was signed was not allowed either ({links.get})")
    return _each_refused({what.replace("_", " "): tried}, codes, "refused", _LOOK_SIGNATURES)


def _each_refused(answers: Mapping[str, Tried], codes: frozenset[str], wanted: str, remedy: str) -> Verdict:
    wrong = {what: answer for what, answer in answers.items() if answer.code not in codes}
    found = "; ".join(f"{what}: {outcome(answer)}" for what, answer in (wrong or answers).items())
    return judged(not wrong, f"{wanted} ({' or '.join(sorted(codes))})", found, remedy)


def _carried(tried: Mapping[str, Carried]) -> Verdict:
    wrong = {what: carried for what, carried in tried.items() if carried.came.value != carried.sent}
    found = "; ".join(f"{what}: {described(carried.came)}" for what, carried in wrong.items())
    remedy = UP if any(carried.came.code == "NoSuchBucket" for carried in wrong.values()) else _SERVER
    return judged(not wrong, f"the same bytes back: {', '.join(tried)}", found or "the same bytes", remedy)


def _etag(probe: ProbeFacts) -> str | None:
    return probe.uploaded.value.etag if probe.uploaded.value else None


def described(found: Answer[Described] | Answer[Described | None]) -> str:
    """What an operation reported about an object, in words."""
    if found.value is None:
        return str(found)
    value = found.value
    parts = [
        None if value.size is None else f"{value.size} bytes",
        value.content_type,
        None if value.etag is None else f"etag {value.etag}",
        None if value.sha256 is None else f"sha256 {value.sha256[:12]}…",
    ]
    return ", ".join(part for part in parts if part) or "nothing"
