"""ops.preview.data_at_risk: exact counts and bytes of a live bucket whose objects have known ages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pydantic import TypeAdapter

from model.lifecycle import current_goes_at
from model.plan import LifecycleRule
from ops.preview import data_at_risk
from ops.preview.data_at_risk import AtRisk, DataNotReadError, Eligible, Question, Tally, at_risk, sized
from ops.read_identity import open_client
from trials.stores import Store

EVERYTHING = 1_000_000


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = at("2026-03-05 12:00")


def days(expire: int | None, noncurrent: int | None = None, prefix: str = "") -> tuple[LifecycleRule, ...]:
    """The rules of a bucket, including the probes' rule."""
    rule = LifecycleRule(id="band", prefix=prefix, expire_after_days=expire, expire_noncurrent_after_days=noncurrent)
    return (LifecycleRule(id="verify-probes", prefix=".verify/", expire_after_days=1), rule)


@pytest.fixture(scope="module", name="client")
def _client(aged_store: Store) -> Iterator[Any]:
    """The S3 client of the identity that may read everything, with its own key pair."""
    with open_client(aged_store.deployment, aged_store.target.credentials["reader"]) as client:
        yield client


def question(
    store: Store,
    domain: str,
    rules: tuple[LifecycleRule, ...],
    before: tuple[LifecycleRule, ...] = (),
    *,
    removed: bool = False,
) -> Question:
    """A question about a bucket of the plan."""
    return Question(domain, store.plan.bucket(domain).name, rules, before, removed)


def test_introduced_expiry_is_counted_exactly(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Objects on both sides of both midnights count correctly; the verifier's probe does not count."""
    found = at_risk(client, question(aged_store, "scratch", days(90)), now=NOW, max_keys=EVERYTHING)

    oldest = at("2025-01-02 10:00")
    assert found.current == Eligible(
        at_once=Tally(2, 1020, oldest, at("2025-12-04 23:59:59")),
        within_30_days=Tally(4, 5023, oldest, at("2026-01-03 23:59:59")),
    )
    assert found.noncurrent == Eligible()
    assert (found.read_keys, found.complete, found.exists) == (7, True, True)
    assert found.sentences() == (
        (
            "scratch: 2 objects (1.0 kB) would be eligible to expire at once, 4 (5.0 kB) within 30 days; "
            "oldest 2025-01-02, newest 2026-01-03"
        ),
    )


def test_shortened_expiry_says_what_would_go_anyway(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """The new rules decide, and the part that the present rules take within 30 days is listed too."""
    asked = question(aged_store, "scratch", days(90), before=days(365))
    found = at_risk(client, asked, now=NOW, max_keys=EVERYTHING)

    assert found.current.within_30_days.objects == 4
    assert found.current.anyway == Tally(1, 1000, at("2025-01-02 10:00"), at("2025-01-02 10:00"))
    assert found.sentences()[0].endswith("; under the present rules 1 (1.0 kB) within 30 days")


@pytest.mark.parametrize(("now", "eligible"), [("2026-03-04 23:59:59", 1), ("2026-03-05 00:00:00", 2)])
def test_eligible_from_midnight_on(aged_store: Store, client: Any, now: str, eligible: int) -> None:  # noqa: ANN401 - a boto3 client
    """A second before midnight an object is not eligible yet; at midnight it is."""
    found = at_risk(client, question(aged_store, "scratch", days(90)), now=at(now), max_keys=EVERYTHING)

    assert found.current.at_once.objects == eligible


def test_rule_for_a_prefix_leaves_the_rest_alone(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Only keys with the prefix count."""
    found = at_risk(client, question(aged_store, "scratch", days(10, prefix="b/")), now=NOW, max_keys=EVERYTHING)

    assert (found.current.at_once.objects, found.current.at_once.size_bytes) == (2, 4050)
    assert (found.current.within_30_days.objects, found.current.within_30_days.size_bytes) == (3, 4057)


def test_server_announces_the_same_moments(aged_store: Store) -> None:
    """Each object's `x-amz-expiration` under the live rules equals `model.lifecycle`."""
    bucket = aged_store.plan.bucket("scratch")
    keys = [one["Key"] for one in aged_store.client.list_objects_v2(Bucket=bucket.name)["Contents"]]

    assert len(keys) == 7
    for key in keys:
        answer = aged_store.client.head_object(Bucket=bucket.name, Key=key)
        announced = parsedate_to_datetime(answer["Expiration"].split('"')[1])
        assert announced == current_goes_at(bucket.rules, key, answer["LastModified"]), key


@pytest.mark.parametrize("page_keys", [1, 2, 3, 1000])
def test_noncurrent_versions_count_from_their_successors(
    aged_store: Store,
    client: Any,  # noqa: ANN401 - a boto3 client
    monkeypatch: pytest.MonkeyPatch,
    page_keys: int,
) -> None:
    """A version's time starts when it is overwritten or deleted, across pages too; a delete marker is not data."""
    monkeypatch.setattr(data_at_risk, "PAGE_KEYS", page_keys)
    found = at_risk(client, question(aged_store, "replay", days(90, 30)), now=NOW, max_keys=EVERYTHING)

    current = Tally(1, 6, at("2025-03-01"), at("2025-03-01"))
    assert found.current == Eligible(current, current)
    assert found.noncurrent == Eligible(
        at_once=Tally(2, 15, at("2025-01-01"), at("2025-06-01")),
        within_30_days=Tally(4, 255, at("2025-01-01"), at("2026-02-01 12:00")),
    )
    assert (found.read_keys, found.complete) == (8, True)
    assert found.sentences() == (
        (
            "replay: 1 object (6 B) would be eligible to expire at once, 1 (6 B) within 30 days; "
            "oldest 2025-03-01, newest 2025-03-01"
        ),
        (
            "replay: 2 noncurrent versions (15 B) would be eligible to expire at once, 4 (255 B) within 30 days; "
            "oldest 2025-01-01, newest 2026-02-01"
        ),
    )


def test_bucket_that_would_go_takes_all_with_it(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Each version counts, independent of age and rules; the probes still do not count."""
    versioned = at_risk(client, question(aged_store, "replay", (), removed=True), now=NOW, max_keys=EVERYTHING)
    plain = at_risk(client, question(aged_store, "scratch", (), removed=True), now=NOW, max_keys=EVERYTHING)

    assert (plain.current.at_once.objects, plain.current.at_once.size_bytes) == (6, 5080)
    assert plain.current.at_once == plain.current.within_30_days
    assert versioned.sentences() == (
        "replay: 2 objects (3.0 kB) would be removed with the bucket; oldest 2025-03-01, newest 2026-03-01",
        "replay: 4 noncurrent versions (255 B) would be removed with the bucket; oldest 2025-01-01, newest 2026-02-01",
    )


def test_many_objects_are_read_in_pages(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """2 501 objects are three pages, and progress is reported after each."""
    told: list[int] = []
    asked = question(aged_store, "orphan", days(30))
    found = at_risk(client, asked, now=NOW, max_keys=2501, progress=told.append)

    assert told == [1000, 2000, 2501]
    assert found.complete
    assert found.current.at_once == Tally(2501, 2_501_000, at("2025-01-01"), at("2025-01-01"))
    assert found.sentences()[0].startswith(
        "orphan: 2 501 objects (2.5 MB) would be eligible to expire at once, 2 501 (2.5 MB) "
    )


@pytest.mark.parametrize("max_keys", [1, 999, 1000, 1500, 2500])
def test_bounded_reading_says_at_least(aged_store: Store, client: Any, max_keys: int) -> None:  # noqa: ANN401 - a boto3 client
    """Exactly that many entries are read, and the rest is not estimated."""
    found = at_risk(client, question(aged_store, "orphan", days(30)), now=NOW, max_keys=max_keys)

    assert (found.read_keys, found.current.at_once.objects, found.complete) == (max_keys, max_keys, False)
    assert found.sentences()[0].startswith("orphan: at least ")
    assert "raise --max-keys" in found.sentences()[0]


def test_bucket_that_is_not_there_yet_holds_nothing(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """The bucket of a new domain puts no data at risk."""
    asked = question(aged_store, "ledger", days(90))
    found = at_risk(client, asked, now=NOW, max_keys=EVERYTHING)

    assert (found.exists, found.complete, found.read_keys) == (False, True, 0)
    assert found.sentences() == (f"ledger: the bucket {asked.bucket} does not exist yet, so no data is at risk",)


def test_refused_identity_is_said_with_the_remedy(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """If nothing could be read, nothing is counted."""
    aged_store.set_user_policy("reader", [{"Effect": "Deny", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}])
    try:
        with pytest.raises(DataNotReadError, match=r"^scratch: cannot read the bucket \S+: AccessDenied; .*`pul"):
            at_risk(client, question(aged_store, "scratch", days(90)), now=NOW, max_keys=EVERYTHING)
    finally:
        aged_store.restore_user_policy("reader")


class Circular:
    """A client whose server always announces another page and returns the same one."""

    calls = 0

    def list_object_versions(self, **_: object) -> dict[str, Any]:
        """Return the same page again."""
        self.calls += 1
        return {"IsTruncated": True, "NextKeyMarker": "a"}


class Failing:
    """A client whose server does not answer correctly."""

    class meta:  # noqa: N801 - boto3's own name
        """The client's own data."""

        endpoint_url = "https://store.example"

    def __init__(self, error: Exception) -> None:
        """Every call raises this error."""
        self.error = error

    def list_object_versions(self, **_: object) -> dict[str, Any]:
        """Raise the error."""
        raise self.error


def test_server_that_goes_round_in_circles_is_not_followed() -> None:
    """Repeated markers end the reading, and the answer is then incomplete."""
    client: Any = Circular()
    found = at_risk(client, Question("d", "b", days(1), ()), now=NOW, max_keys=EVERYTHING)

    assert (client.calls, found.complete) == (2, False)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ReadTimeoutError(endpoint_url="https://store.example/b?versions"),
            r"no usable answer from https://store\.example \(ReadTimeoutError\); check that",
        ),
        (
            ClientError({"Error": {"Code": "SlowDown", "Message": "planted"}}, "ListObjectVersions"),
            r"cannot read the bucket b: SlowDown; try again",
        ),
    ],
)
def test_server_that_does_not_answer_is_said(error: Exception, said: str) -> None:
    """The message has the URL or the server's code, and never the server's own words."""
    client: Any = Failing(error)
    with pytest.raises(DataNotReadError, match=said) as caught:
        at_risk(client, Question("d", "b", days(1), ()), now=NOW, max_keys=EVERYTHING)

    assert "planted" not in str(caught.value)


def test_error_with_a_status_of_success_is_no_empty_bucket() -> None:
    """MinIO answers 206 with an error if it cannot decrypt an object; boto3 returns a page without any field."""
    client: Any = Circular()
    client.list_object_versions = lambda **_: {"ResponseMetadata": {"HTTPStatusCode": 206}}
    with pytest.raises(DataNotReadError, match="the bucket b cannot be listed: the answer is not a listing"):
        at_risk(client, Question("d", "b", days(1), ()), now=NOW, max_keys=EVERYTHING)


SOME = Tally(1204, 3_100_000_000, at("2025-01-02"), at("2025-06-01"))
MORE = Tally(5310, 9_900_000_000, at("2025-01-02"), at("2026-03-04"))


@pytest.mark.parametrize(
    ("answer", "sentences"),
    [
        (AtRisk("d", "b"), ["d: nothing would be eligible to expire within 30 days"]),
        (
            AtRisk("d", "b", read_keys=1000, complete=False),
            [
                (
                    "d: nothing that was read would be eligible to expire within 30 days "
                    "(read only the first 1 000 keys and versions: raise --max-keys)"
                )
            ],
        ),
        (
            AtRisk("d", "b", current=Eligible(SOME, MORE)),
            [
                (
                    "d: 1 204 objects (3.1 GB) would be eligible to expire at once, 5 310 (9.9 GB) within 30 days; "
                    "oldest 2025-01-02, newest 2026-03-04"
                )
            ],
        ),
        (
            AtRisk("d", "b", current=Eligible(SOME, MORE, SOME), read_keys=9000, complete=False),
            [
                (
                    "d: at least 1 204 objects (3.1 GB) would be eligible to expire at once, "
                    "at least 5 310 (9.9 GB) within 30 days; oldest 2025-01-02, newest 2026-03-04; "
                    "under the present rules at least 1 204 (3.1 GB) within 30 days "
                    "(read only the first 9 000 keys and versions: raise --max-keys)"
                )
            ],
        ),
        (
            AtRisk("d", "b", noncurrent=Eligible(Tally(), MORE)),
            [
                (
                    "d: nothing would be eligible to expire at once, 5 310 noncurrent versions (9.9 GB) "
                    "within 30 days; oldest 2025-01-02, newest 2026-03-04"
                )
            ],
        ),
        (
            AtRisk("d", "b", removed=True, current=Eligible(SOME, SOME, SOME), complete=False, read_keys=2000),
            [
                (
                    "d: at least 1 204 objects (3.1 GB) would be removed with the bucket; "
                    "oldest 2025-01-02, newest 2025-06-01 "
                    "(read only the first 2 000 keys and versions: raise --max-keys)"
                )
            ],
        ),
        (AtRisk("d", "b", removed=True), ["d: the bucket would be removed; it holds no data"]),
        (
            AtRisk("d", "b", removed=True, complete=False, read_keys=5),
            [
                (
                    "d: the bucket would be removed; the part that was read holds no data "
                    "(read only the first 5 keys and versions: raise --max-keys)"
                )
            ],
        ),
    ],
)
def test_sentences(answer: AtRisk, sentences: list[str]) -> None:
    """These are the sentences for a reviewer."""
    assert list(answer.sentences()) == sentences


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3_100_000_000, "3.1 GB"),
        (10**15, "1.0 PB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_sizes(size_bytes: int, said: str) -> None:
    """The unit fits, also after rounding."""
    assert sized(size_bytes) == said


def test_answer_travels_as_json() -> None:
    """The fields are plain, with times in ISO form."""
    answer = AtRisk("d", "b", current=Eligible(SOME, MORE))
    form = TypeAdapter(AtRisk)
    content = json.loads(form.dump_json(answer))

    assert content["current"]["at_once"] == {
        "objects": 1204,
        "size_bytes": 3_100_000_000,
        "oldest": "2025-01-02T00:00:00Z",
        "newest": "2025-06-01T00:00:00Z",
    }
    assert form.validate_python(content, strict=False) == answer


def test_thirty_days_end_thirty_days_later(aged_store: Store, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """An expiry exactly 30 days ahead counts as within 30 days."""
    asked = question(aged_store, "orphan", days(30))
    goes = at("2025-02-01")
    early = at_risk(client, asked, now=goes - timedelta(days=30, seconds=1), max_keys=10)
    just = at_risk(client, asked, now=goes - timedelta(days=30), max_keys=10)

    assert (early.current.within_30_days.objects, just.current.within_30_days.objects) == (0, 10)
