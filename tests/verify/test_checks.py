"""verify.checks: each check passes on a correct store, fails on a wrong one, and reports when it cannot tell."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from verify.answer_codes import SILENT
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS, Finding, Status, judge, parts_of
from verify.facts import DONE, Answer, BucketFacts, Certificate, Described, Expiry, Facts, HeldRetention, LiveRetention
from verify.selection import EVERYTHING, Part, Selection

if TYPE_CHECKING:
    from trials.stores import Store

REFUSED: Answer[Any] = Answer(code="AccessDenied", said="no")
LET_IN: Answer[Any] = Answer(DONE)
Damage = Callable[[Any], BucketFacts]


def judged(store: "Store", facts: Facts, domain: str, check: str, damage: Damage | None = None) -> Finding:
    """The finding on a bucket's facts, with `damage` applied if it is given."""
    name = store.plan.bucket(domain).name
    found = facts if damage is None else replace(facts, buckets={**facts.buckets, name: damage(facts.buckets[name])})
    return next(f for f in judge(store.deployment, found, EVERYTHING, frozenset({check})) if f.bucket == name)


def of_store(store: "Store", facts: Facts, check: str) -> Finding:
    """The finding of a check of the store as a whole."""
    (finding,) = judge(store.deployment, facts, EVERYTHING, frozenset({check}))
    return finding


# This store has no identity that audits.
_UNAUDITED = {
    "settings_audited": 5,
    "held_versions_audited": 2,
    "grants_audited": 1,
    "others_audited": 1,
    "keys_audited": 1,
}
# The checks that cannot tell on each backend, and for how many buckets of the test store. The list must not grow.
UNTOLD = {
    "aistor": {
        "abort_multipart_as_planned": 5,
        "transition_as_planned": 3,
        "encryption_as_planned": 5,
        "ownership_enforced": 5,
        "object_uploaded": 1,
        "retention_applied": 1,
        "lock_bypass_refused": 2,
        **_UNAUDITED,
    },
    "aws": {"object_uploaded": 1, "retention_applied": 1, **_UNAUDITED},
}


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_right_store_is_proven_but_for_an_exact_list(cloud: str, request: pytest.FixtureRequest) -> None:
    """On a store made as planned nothing fails, and exactly the listed checks cannot tell, with the limit as reason."""
    store: Store = request.getfixturevalue("store" if cloud == "aistor" else "aws_store")
    facts: Facts = request.getfixturevalue("facts" if cloud == "aistor" else "aws_facts")
    findings = judge(store.deployment, facts, EVERYTHING)

    assert [str(finding) for finding in findings if finding.status is Status.FAIL] == []
    untold = [finding for finding in findings if finding.status is Status.CANNOT_TELL]
    assert dict(Counter(finding.check for finding in untold)) == UNTOLD[cloud]
    reasons = {item.reason for item in store.deployment.unsupported}
    for finding in untold:
        limited = finding.found in reasons or "COMPLIANCE mode" in finding.remedy
        assert limited or (finding.check in _UNAUDITED and "audits: true" in finding.remedy), str(finding)


def test_every_check_is_judged(store: "Store", facts: Facts) -> None:
    """Each check of the catalogue has a finding wherever it applies."""
    found = {finding.check for finding in judge(store.deployment, facts, EVERYTHING)}

    assert found == {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS}


def rules(change: Callable[[Any], Any]) -> Damage:
    """A damage of a bucket's rules."""
    return lambda facts: replace(facts, rules=Answer(change(facts)))


def part(name: str, **changes: Any) -> Damage:  # noqa: ANN401 - fields of different types
    """A damage of one part of a bucket's facts."""
    return lambda facts: replace(facts, **{name: replace(getattr(facts, name), **changes)})


def probe(**changes: Any) -> Damage:  # noqa: ANN401 - fields of different types
    """A damage of a bucket's probe."""
    return part("probe", **changes)


def carried(name: str, words: str) -> Damage:
    """An object that came back with other bytes."""

    def damage(facts: BucketFacts) -> BucketFacts:
        held = getattr(facts.objects, name)
        return part("objects", **{name: {**held, words: replace(held[words], came=Answer(Described(size=1)))}})(facts)

    return damage


WRONG: list[tuple[str, str, Damage, str]] = [
    ("bucket_in_region", "scratch", lambda f: replace(f, location=Answer("eu-west-1")), "found eu-west-1"),
    ("bucket_in_region", "scratch", lambda f: replace(f, location=Answer(code="NoSuchBucket")), "NoSuchBucket"),
    ("versioning_as_planned", "replay", lambda f: replace(f, versioning=Answer("Suspended")), "found Suspended"),
    ("versioning_as_planned", "scratch", lambda f: replace(f, versioning=Answer("Enabled")), "wanted Off"),
    ("versioning_as_planned", "replay", lambda f: replace(f, versioning=REFUSED), "AccessDenied: no"),
    ("lifecycle_as_planned", "replay", lambda f: replace(f, rules=REFUSED), "AccessDenied"),
    ("lifecycle_as_planned", "replay", rules(lambda f: f.rules.value[:1]), "rule band-warm: no such rule"),
    (
        "lifecycle_as_planned",
        "replay",
        rules(
            lambda f: (
                *f.rules.value,
                replace(f.rules.value[0], rule=f.rules.value[0].rule.model_copy(update={"id": "foreign"})),
            )
        ),
        "wanted rule foreign: no such rule",
    ),
    (
        "lifecycle_as_planned",
        "replay",
        rules(lambda f: (f.rules.value[0], replace(f.rules.value[1], enabled=False))),
        "disabled",
    ),
    (
        "lifecycle_as_planned",
        "replay",
        rules(lambda f: (f.rules.value[0], replace(f.rules.value[1], beyond="Filter.Tag=x"))),
        "Filter.Tag=x",
    ),
    (
        "lifecycle_as_planned",
        "replay",
        rules(
            lambda f: (
                f.rules.value[0],
                replace(f.rules.value[1], rule=f.rules.value[1].rule.model_copy(update={"expire_after_days": 90})),
            )
        ),
        "found rule band-warm: all keys, expire after 90 d",
    ),
    ("lifecycle_as_planned", "replay", rules(lambda f: (*f.rules.value, f.rules.value[1])), "FAIL"),
    (
        "retention_as_planned",
        "archive",
        lambda f: replace(f, retention=Answer(LiveRetention(enabled=True, mode="GOVERNANCE", days=1))),
        "found object lock, GOVERNANCE 1 d",
    ),
    (
        "retention_as_planned",
        "archive",
        lambda f: replace(f, retention=Answer(LiveRetention(enabled=True))),
        "object lock without default retention",
    ),
    (
        "retention_as_planned",
        "archive",
        lambda f: replace(f, retention=Answer(LiveRetention(enabled=False))),
        "found no object lock",
    ),
    ("retention_as_planned", "archive", lambda f: replace(f, retention=REFUSED), "AccessDenied"),
    (
        "retention_as_planned",
        "scratch",
        lambda f: replace(f, retention=Answer(LiveRetention(enabled=True, mode="GOVERNANCE", days=365))),
        "wanted no object lock",
    ),
    ("policy_as_planned", "scratch", lambda f: replace(f, policy=Answer('{"Statement": []}')), '{"Statement": []}'),
    ("policy_as_planned", "scratch", lambda f: replace(f, policy=REFUSED), "AccessDenied"),
    (
        "public_access_blocked",
        "scratch",
        lambda f: replace(f, public_access=REFUSED),
        "but the deployment says that this server has no public access block",
    ),
    (
        "public_access_blocked",
        "scratch",
        part("strangers", anonymous={"list": LET_IN, "get": REFUSED}),
        "found list: allowed",
    ),
    ("expiry_announced", "scratch", probe(expiry=Answer(Expiry("other", "d"))), "found rule other"),
    ("expiry_announced", "scratch", probe(expiry=REFUSED), "AccessDenied"),
    (
        "expiry_announced",
        "scratch",
        lambda f: replace(probe(expiry=Answer(None))(f), rules=Answer(())),
        "because no such rule exists",
    ),
    ("object_uploaded", "scratch", probe(uploaded=REFUSED), "found AccessDenied: no"),
    ("object_uploaded", "scratch", probe(uploaded=Answer(Described(etag="e", size=1))), "found 1 bytes"),
    ("object_read_back", "scratch", probe(uploaded=REFUSED), "the upload: AccessDenied"),
    ("object_listed", "scratch", probe(uploaded=REFUSED), "the upload: AccessDenied"),
    ("object_read_back", "scratch", probe(downloaded=Answer(Described(size=2048, sha256="other"))), "sha256 other"),
    (
        "object_read_back",
        "scratch",
        lambda f: probe(headed=Answer(replace(f.probe.headed.value, content_type="text/plain")))(f),
        "text/plain",
    ),
    ("object_read_back", "scratch", probe(headed=REFUSED), "HEAD: AccessDenied"),
    ("object_read_back", "scratch", probe(downloaded=REFUSED), "AccessDenied"),
    ("object_listed", "scratch", probe(listed=Answer(None)), "found not listed"),
    ("object_listed", "scratch", probe(listed=REFUSED), "AccessDenied"),
    ("object_listed", "scratch", probe(listed=Answer(Described(etag="x", size=1))), "etag x"),
    ("object_presigned", "scratch", probe(presigned=Answer(code="HTTP 403")), "found HTTP 403"),
    ("object_presigned", "scratch", probe(presigned=Answer(Described())), "found nothing"),
    ("object_deleted", "scratch", probe(deleted=Answer(value=False)), "found False"),
    ("object_deleted", "scratch", probe(deleted=REFUSED), "AccessDenied"),
    ("probes_removed", "archive", lambda f: replace(f, left=Answer(2)), "found 2 versions left"),
    ("probes_removed", "archive", lambda f: replace(f, left=REFUSED), "AccessDenied"),
    ("sizes_survive", "scratch", carried("sizes", "1 byte"), "found 1 byte: 1 bytes"),
    ("keys_survive", "scratch", carried("keys", "+"), "found +: 1 bytes"),
    (
        "multipart_survives",
        "scratch",
        lambda f: part("objects", multipart=replace(f.objects.multipart, came=REFUSED))(f),
        "AccessDenied",
    ),
    ("odd_keys_refused", "scratch", part("objects", odd_keys={"//": LET_IN}), "found //: allowed"),
    ("metadata_survives", "scratch", part("objects", metadata=Answer("text/plain")), "found text/plain"),
    (
        "overwrite_refused_on_condition",
        "scratch",
        part("objects", conditional=LET_IN),
        "found If-None-Match: *: allowed",
    ),
    (
        "overwrite_refused_on_condition",
        "archive",
        part("objects", conditional_join=LET_IN),
        "found If-None-Match: * at the join of parts: allowed",
    ),
    ("range_read", "scratch", part("objects", ranged=Answer("0123")), "found 0123"),
    ("listing_complete", "scratch", part("objects", listed=Answer(1000)), "found 1000"),
    ("presign_works", "scratch", part("links", put=REFUSED), "found PUT: AccessDenied"),
    ("tampered_presign_refused", "scratch", part("links", tampered=LET_IN), "found tampered: allowed"),
    ("expired_presign_refused", "scratch", part("links", expired=Answer(code="NoSuchKey")), "NoSuchKey"),
    ("presign_bound_to_key", "scratch", part("links", other_key=LET_IN), "found other key: allowed"),
    ("presign_bound_to_method", "scratch", part("links", other_method=LET_IN), "found other method: allowed"),
    ("long_presign_refused", "scratch", part("links", too_long=LET_IN), "found too long: allowed"),
    ("retention_applied", "archive", probe(retention=REFUSED), "AccessDenied"),
    ("retention_applied", "archive", probe(retention=Answer(HeldRetention("GOVERNANCE", 1))), "GOVERNANCE for 1 days"),
    ("retention_applied", "archive", probe(retention=Answer(HeldRetention("COMPLIANCE", 365))), "COMPLIANCE for 365"),
    ("old_version_kept_on_overwrite", "archive", part("lock", overwritten=Answer(value=False)), "found False"),
    ("old_version_kept_on_delete", "archive", part("lock", deleted=REFUSED), "AccessDenied"),
    ("version_delete_refused", "archive", part("lock", version_deletes={"worker": LET_IN}), "worker: allowed"),
    ("lock_bypass_refused", "archive", part("lock", bypasses={"worker": LET_IN}), "worker: allowed"),
    ("lock_bypass_refused", "archive", part("lock", bypasses={"worker": Answer(code="InvalidRequest")}), "Invalid"),
    ("retention_shortening_refused", "archive", part("lock", shortenings={"reader": LET_IN}), "reader: allowed"),
    ("anonymous_refused", "scratch", part("strangers", anonymous={"get": LET_IN}), "get: allowed"),
    ("anonymous_refused", "scratch", part("strangers", anonymous={"get": Answer(code="NoSuchKey")}), "NoSuchKey"),
    ("plain_http_refused", "scratch", part("strangers", plain_http=LET_IN), "found allowed"),
    ("verifier_confined", "scratch", part("strangers", outside={"list": LET_IN}), "list: allowed"),
]


@pytest.mark.parametrize(("check", "domain", "damage", "expected"), WRONG)
def test_wrong_store_fails(
    store: "Store", facts: Facts, check: str, domain: str, damage: Damage, expected: str
) -> None:
    """Each damage makes its check fail, with what was found and a remedy."""
    finding = judged(store, facts, domain, check, damage)

    assert finding.status is Status.FAIL
    assert expected in str(finding)
    assert finding.remedy


@pytest.mark.parametrize(
    ("check", "damage", "expected"),
    [
        (
            "abort_multipart_as_planned",
            lambda f: replace(f, rules=Answer(f.rules.value[:1])),
            "found rule band-warm: not set",
        ),
        ("abort_multipart_as_planned", lambda f: replace(f, rules=REFUSED), "AccessDenied"),
        (
            "transition_as_planned",
            lambda f: replace(f, rules=Answer(f.rules.value[:1])),
            "found rule band-warm: not set",
        ),
        ("encryption_as_planned", lambda f: replace(f, encryption=Answer("none")), "found none"),
        ("ownership_enforced", lambda f: replace(f, ownership=Answer("ObjectWriter")), "found ObjectWriter"),
        ("public_access_blocked", lambda f: replace(f, public_access=Answer(("BlockPublicAcls",))), "BlockPublicAcls"),
        ("public_access_blocked", lambda f: replace(f, public_access=REFUSED), "AccessDenied"),
        ("policy_as_planned", lambda f: replace(f, policy=Answer("")), "found no bucket policy"),
        ("version_delete_refused", lambda f: f, "nothing"),
    ],
)
def test_wrong_store_on_aws_fails(
    aws_store: "Store", aws_facts: Facts, check: str, damage: Damage, expected: str
) -> None:
    """On AWS the checks compare features that only AWS has."""
    finding = judged(aws_store, aws_facts, "replay", check, damage)

    assert finding.status is (Status.NOT_ASKED if expected == "nothing" else Status.FAIL)
    assert expected in str(finding)


@pytest.mark.parametrize(
    ("unsigned", "aistor", "aws"),
    [
        (LET_IN, Status.CANNOT_TELL, Status.FAIL),
        (Answer(code="SignatureDoesNotMatch"), Status.PASS, Status.PASS),
        (Answer(code="ServiceUnavailable"), Status.FAIL, Status.FAIL),
        (None, Status.PASS, Status.PASS),
    ],
    ids=["let in", "refused", "not answered", "a record of before"],
)
def test_put_without_its_secret_is_never_proven_refused(
    request: pytest.FixtureRequest, unsigned: Answer[str] | None, aistor: Status, aws: Status
) -> None:
    """Where the deployment says that the server lets it in, verify cannot tell; elsewhere it is a failure."""
    for prefix, status in (("", aistor), ("aws_", aws)):
        store, facts = (request.getfixturevalue(f"{prefix}{name}") for name in ("store", "facts"))
        finding = judged(store, facts, "scratch", "tampered_presign_refused", part("links", unsigned=unsigned))

        assert finding.status is status, str(finding)
        assert status is not Status.CANNOT_TELL or "GHSA-hv4r-mvr4-25vw" in finding.found


@pytest.mark.parametrize(
    ("unlockings", "aistor", "aws"),
    [
        ({"worker": LET_IN}, Status.CANNOT_TELL, Status.FAIL),
        ({"worker": REFUSED}, Status.PASS, Status.PASS),
        ({}, Status.PASS, Status.PASS),
    ],
    ids=["let in", "refused", "a record of before"],
)
def test_lock_that_comes_off_is_never_proven(
    request: pytest.FixtureRequest, unlockings: dict[str, Answer[str]], aistor: Status, aws: Status
) -> None:
    """Where the deployment says that the server lets it in, verify cannot tell; elsewhere it is a failure."""
    for prefix, status in (("", aistor), ("aws_", aws)):
        store, facts = (request.getfixturevalue(f"{prefix}{name}") for name in ("store", "facts"))
        finding = judged(store, facts, "archive", "lock_bypass_refused", part("lock", unlockings=unlockings))

        assert finding.status is status, str(finding)
        assert status is Status.PASS or "worker" in str(finding)


@pytest.mark.parametrize(
    ("check", "domain", "damage", "status"),
    [
        ("expiry_announced", "scratch", probe(expiry=Answer(None)), Status.CANNOT_TELL),
        ("public_access_blocked", "scratch", lambda f: replace(f, strangers=None), Status.CANNOT_TELL),
        ("object_deleted", "replay", lambda f: f, Status.NOT_ASKED),
        ("multipart_survives", "orphan", lambda f: f, Status.NOT_ASKED),
        ("listing_complete", "scratch", lambda f: f, Status.NOT_ASKED),
        ("version_delete_refused", "scratch", lambda f: f, Status.NOT_ASKED),
        ("lock_bypass_refused", "archive", part("lock", bypasses={}), Status.NOT_ASKED),
        ("retention_applied", "scratch", lambda f: f, Status.NOT_ASKED),
        ("retention_applied", "archive", probe(uploaded=REFUSED), Status.NOT_ASKED),
        ("retention_applied", "ledger", lambda f: f, Status.CANNOT_TELL),
        ("plain_http_refused", "scratch", part("strangers", plain_http=None), Status.NOT_ASKED),
        ("plain_http_refused", "scratch", part("strangers", plain_http=Answer(code="HTTP 400")), Status.PASS),
        ("listing_complete", "scratch", part("objects", listed=Answer(1001)), Status.PASS),
    ],
)
def test_what_is_neither_proven_nor_wrong(
    store: "Store", facts: Facts, check: str, domain: str, damage: Damage, status: Status
) -> None:
    """A check reports that it cannot tell or was not asked, and why."""
    finding = judged(store, facts, domain, check, damage)

    assert finding.status is status
    assert finding.found


@pytest.mark.parametrize("check", [name for name, (held, _) in BUCKET_CHECKS.items() if held.part is not None])
def test_part_that_was_not_gathered_is_not_proven(store: "Store", facts: Facts, check: str) -> None:
    """A check without its facts never passes."""

    def bare(found: BucketFacts) -> BucketFacts:
        return replace(found, probe=None, objects=None, links=None, lock=None, strangers=None)

    assert judged(store, facts, "archive", check, bare).status in (Status.NOT_ASKED, Status.CANNOT_TELL)


@pytest.mark.parametrize("check", BUCKET_CHECKS)
def test_bucket_without_facts_fails(store: "Store", facts: Facts, check: str) -> None:
    """Facts that were not gathered prove nothing."""
    findings = judge(store.deployment, replace(facts, buckets={}), EVERYTHING, frozenset({check}))

    assert {finding.status for finding in findings} == {Status.FAIL}


#: The answer to each request that a run does not send any more.
NO_MORE: Answer[Any] = Answer(code=SILENT, said="the run sent no more requests")


def without_one_answer(held: object, *place: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """For each answer in the facts: its place, and the facts without it."""
    if isinstance(held, Answer):
        yield place, NO_MORE
    elif isinstance(held, Mapping):
        for key, value in held.items():
            for deeper, less in without_one_answer(value, *place, str(key)):
                yield deeper, {**held, key: less}
    elif is_dataclass(held) and not isinstance(held, type):
        for one in fields(held):
            for deeper, less in without_one_answer(getattr(held, one.name), *place, one.name):
                yield deeper, replace(held, **{one.name: less})


@pytest.mark.parametrize("domain", ["scratch", "archive"])
def test_no_answer_is_no_fault_of_the_store(store: "Store", facts: Facts, domain: str) -> None:
    """Whichever request got no answer when the server stopped answering, no check fails of what was not answered."""
    name = store.plan.bucket(domain).name
    selection = Selection(buckets=frozenset({name}))
    bare = replace(facts, buckets={name: facts.buckets[name]})
    failed = {
        (*place, finding.check)
        for place, less in without_one_answer(bare)
        for finding in judge(store.deployment, replace(less, gave_up="no answer"), selection)
        if finding.status is Status.FAIL and finding.check != "endpoint_reached"
    }

    assert failed == {("buckets", name, "left", "probes_removed")}


class TestStore:
    """Checks of the store as a whole."""

    def test_shut_door_fails_and_nothing_else_is_asked(self, store: "Store", facts: Facts) -> None:
        """There is one clear failure; the other checks are not asked."""
        shut = replace(facts, door=replace(facts.door, reached=Answer(code="OSError", said="no server answers")))
        bare = Facts(facts.run_id, facts.taken_at, shut.door)
        findings = judge(store.deployment, bare, EVERYTHING)

        assert [f.check for f in findings if f.status is Status.FAIL] == ["endpoint_reached"]
        assert of_store(store, bare, "certificate_valid").status is Status.NOT_ASKED

    def test_silence_fails_once(self, store: "Store", facts: Facts) -> None:
        """If the server stops answering, only `endpoint_reached` fails; checks without an answer are not asked."""
        name = store.plan.bucket("scratch").name
        silent: Answer[Any] = NO_MORE
        broken = replace(facts, gave_up="no answer", buckets={name: replace(facts.buckets[name], location=silent)})
        selection = Selection(buckets=frozenset({name}))
        found = judge(store.deployment, broken, selection, frozenset({"bucket_in_region", "endpoint_reached"}))

        assert {f.check: f.status for f in found} == {
            "endpoint_reached": Status.FAIL,
            "bucket_in_region": Status.NOT_ASKED,
        }

    @pytest.mark.parametrize(
        ("ends", "status", "warns"),
        [("2199-01-01T00:00:00+00:00", Status.PASS, False), ("soon", Status.PASS, True)],
    )
    def test_certificate(self, store: "Store", facts: Facts, ends: str, status: Status, *, warns: bool) -> None:
        """A certificate that expires soon gives a warning."""
        held = Certificate(("127.0.0.1",), facts.taken_at if ends == "soon" else ends)
        finding = of_store(
            store, replace(facts, door=replace(facts.door, certificate=Answer(held))), "certificate_valid"
        )

        assert (finding.status, bool(finding.remedy)) == (status, warns)

    def test_untrusted_certificate_fails(self, store: "Store", facts: Facts) -> None:
        """The remedy says what to set."""
        door = replace(facts.door, certificate=Answer(code="CertificateNotTrusted", said="self-signed"))
        finding = of_store(store, replace(facts, door=door), "certificate_valid")

        assert finding.status is Status.FAIL
        assert "caBundle" in finding.remedy
        plain = replace(facts, door=replace(facts.door, certificate=None))
        assert of_store(store, plain, "certificate_valid").status is Status.NOT_ASKED

    @pytest.mark.parametrize(
        ("check", "changes", "expected"),
        [
            ("undeclared_buckets_absent", {"bucket_names": Answer(("joelclaw-test-usw2-x", "other"))}, "usw2-x"),
            ("undeclared_buckets_absent", {"bucket_names": REFUSED}, "AccessDenied"),
            ("declared_buckets_present", {"bucket_names": Answer(())}, "absent: joelclaw-test-usw2-scratch"),
            ("declared_buckets_present", {"bucket_names": REFUSED}, "AccessDenied"),
            ("default_keys_refused", {"default_keys": LET_IN}, "allowed"),
            ("default_keys_refused", {"default_keys": REFUSED}, "AccessDenied"),
            ("admin_api_refused", {"admin": {"worker": LET_IN}}, "worker: allowed"),
            ("admin_api_refused", {"admin": {"worker": Answer(code="HTTP 426")}}, "HTTP 426"),
        ],
    )
    def test_wrong_store_fails(
        self, store: "Store", facts: Facts, check: str, changes: dict[str, Any], expected: str
    ) -> None:
        """Each damage makes its check fail."""
        assert facts.store is not None
        finding = of_store(store, replace(facts, store=replace(facts.store, **changes)), check)

        assert finding.status is Status.FAIL
        assert expected in finding.found

    @pytest.mark.parametrize("check", [n for n, (held, _) in STORE_CHECKS.items() if held.part is not None])
    def test_what_was_not_gathered_is_not_proven(self, store: "Store", facts: Facts, check: str) -> None:
        """Without its facts a check of the store is not asked."""
        assert of_store(store, replace(facts, store=None, audit=None), check).status is Status.NOT_ASKED

    def test_aws_has_no_default_keys(self, aws_store: "Store", aws_facts: Facts) -> None:
        """AWS has no default keys to try."""
        assert of_store(aws_store, aws_facts, "default_keys_refused").status is Status.NOT_ASKED


class TestGrants:
    """Checks of the grants matrix."""

    def cell(
        self, store: "Store", facts: Facts, identity: str, domain: str, **answers: Answer[str]
    ) -> dict[str, Status]:
        """The verdicts of a cell with some of its answers changed."""
        bucket = store.plan.bucket(domain)
        changed = {**facts.grants[identity][bucket.name], **answers}
        grants = {**facts.grants, identity: {**facts.grants[identity], bucket.name: changed}}
        found = judge(store.deployment, replace(facts, grants=grants), EVERYTHING)
        return {f.action or "": f.status for f in found if (f.identity, f.bucket) == (identity, bucket.name)}

    def test_allowed_that_is_refused_fails(self, store: "Store", facts: Facts) -> None:
        """The check fails for a workload that cannot do a granted action."""
        assert self.cell(store, facts, "worker", "scratch", put=REFUSED)["put"] is Status.FAIL

    def test_refused_that_is_let_in_fails(self, store: "Store", facts: Facts) -> None:
        """The check fails also if only the answer's code shows that the caller is allowed."""
        found = self.cell(store, facts, "reader", "scratch", put=Answer(code="PreconditionFailed"), delete=LET_IN)

        assert (found["put"], found["delete"], found["get"]) == (Status.FAIL, Status.FAIL, Status.PASS)

    def test_other_error_is_no_refusal(self, store: "Store", facts: Facts) -> None:
        """An internal error of the server is not a refusal."""
        broken: Answer[str] = Answer(code="InternalError")

        assert self.cell(store, facts, "reader", "scratch", put=broken)["put"] is Status.FAIL

    def test_absent_call_cannot_tell(self, store: "Store", facts: Facts) -> None:
        """A call that the server does not implement proves nothing about who may call it."""
        absent: Answer[str] = Answer(code="NotImplemented")
        found = self.cell(store, facts, "worker", "scratch", change_lifecycle=absent)

        assert found["change_lifecycle"] is Status.CANNOT_TELL

    def test_attempt_that_would_stay_cannot_tell(self, store: "Store", facts: Facts) -> None:
        """An attempt that was not made cannot tell, with the reason."""
        left_out: Answer[str] = Answer(code="NotTried", said="it would stay locked")

        assert self.cell(store, facts, "worker", "ledger", put=left_out)["put"] is Status.CANNOT_TELL

    def test_refusals_of_an_identity_that_never_worked_prove_nothing(self, store: "Store", facts: Facts) -> None:
        """A server refuses an unknown key everywhere, so its refusals do not count."""
        nowhere = {bucket: dict.fromkeys(cell, REFUSED) for bucket, cell in facts.grants["reader"].items()}
        changed = replace(
            facts,
            grants={**facts.grants, "reader": nowhere},
            introduced={**facts.introduced, "reader": REFUSED},
        )
        found = judge(store.deployment, changed, EVERYTHING)
        verdicts = {f.action: f.status for f in found if f.identity == "reader"}

        assert (verdicts["get"], verdicts["put"]) == (Status.FAIL, Status.CANNOT_TELL)

    def test_cell_without_facts_fails(self, store: "Store", facts: Facts) -> None:
        """An action that was not tried is never proven."""
        found = judge(store.deployment, replace(facts, grants={}), EVERYTHING)

        assert {f.status for f in found if f.identity is not None} == {Status.FAIL}


def test_parts_of_checks() -> None:
    """The selected checks decide which parts are gathered."""
    assert parts_of(["bucket_in_region"]) == frozenset()
    assert parts_of(["range_read", "put_as_granted"]) == {Part.OBJECTS, Part.GRANTS}


def test_what_the_backend_cannot_do_is_not_wanted_there(store: "Store", facts: Facts) -> None:
    """On AWS the same facts fail, because AWS supports abort-multipart rules and transitions."""
    on_aws = store.deployment.model_copy(update={"unsupported": (), "cloud": "aws"})
    found = judge(on_aws, facts, EVERYTHING, frozenset({"lifecycle_as_planned"}))
    finding = next(f for f in found if f.bucket == store.plan.bucket("replay").name)

    assert finding.status is Status.FAIL
    assert "move to STANDARD_IA after 30 d" in finding.wanted
    assert "unfinished uploads go after 7 d" in finding.wanted


def test_renamed_domain_keeps_the_name_of_its_bucket(store: "Store", facts: Facts) -> None:
    """The convention uses the domain's oldest name; without `renamed_from` the same name breaks it."""
    scratch = store.plan.bucket("scratch")

    def named(domain: str, *former: str) -> Status:
        renamed = scratch.model_copy(update={"domain": domain, "renamed_from": former})
        plan = store.plan.model_copy(update={"buckets": (renamed,)})
        deployment = store.deployment.model_copy(update={"plan": plan})
        (finding,) = judge(deployment, facts, EVERYTHING, frozenset({"names_as_convention"}))
        return finding.status

    assert named("scratch") is Status.PASS
    assert named("drafts", "scratch") is Status.PASS
    assert named("drafts") is Status.FAIL


def test_bucket_that_moved_from_warm_to_hot_may_be_suspended(store: "Store", facts: Facts) -> None:
    """Versioning cannot be set back to Off, so a hot bucket may be suspended; a warm one may not."""

    def suspended(found: BucketFacts) -> BucketFacts:
        return replace(found, versioning=Answer("Suspended"))

    assert judged(store, facts, "scratch", "versioning_as_planned", suspended).status is Status.PASS
    assert judged(store, facts, "replay", "versioning_as_planned", suspended).status is Status.FAIL
