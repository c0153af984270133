"""model.plan: the plan that a taxonomy gives in one environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import LifecycleRule, Retention, StorageClassChange, StorePlan, build_plan, check_appends
from model.problems import InvalidInputError
from model.taxonomy import Access, Identity, RetentionMode
from model.taxonomy_file import extended, load

WHERE = "Pulumi.local.yaml: object-store:"


def plan(domains: dict[str, object] | None = None, env: str = "local", region_code: str = "usw2") -> StorePlan:
    """The shipped plan, with additional domains if given."""
    taxonomy = extended(load(), domains=domains or {}, identities={}, where=WHERE)
    return build_plan(taxonomy, env=env, region_code=region_code, tls_only=True, where=WHERE)


def test_bucket_names_are_the_decision_records() -> None:
    """The initial buckets have the names of ADR-0209."""
    assert [bucket.name for bucket in plan().buckets] == [
        "joelclaw-local-usw2-media-raw",
        "joelclaw-local-usw2-media-derived",
        "joelclaw-local-usw2-docs-raw",
        "joelclaw-local-usw2-docs-derived",
        "joelclaw-local-usw2-session-archive",
        "joelclaw-local-usw2-otel-archive",
        "joelclaw-local-usw2-vault-backups",
        "joelclaw-local-usw2-agent-loop-artifacts",
        "joelclaw-local-usw2-discovery-raw",
    ]


class TestBands:
    """The plan of each band."""

    def test_hot_is_unversioned_and_expires(self) -> None:
        """A hot bucket keeps no versions and expires after 14 days; what it kept as a warm one ends after 30."""
        bucket = plan().bucket("agent-loop-artifacts")

        assert (bucket.versioned, bucket.locked) == (False, False)
        assert bucket.rules == (
            LifecycleRule(id="verify-probes", prefix=".verify/", expire_after_days=1, expire_noncurrent_after_days=1),
            LifecycleRule(
                id="band-hot", expire_after_days=14, expire_noncurrent_after_days=30, abort_multipart_after_days=2
            ),
        )

    def test_warm_is_versioned_and_expires(self) -> None:
        """A warm bucket keeps versions, expires after its days and moves to infrequent access."""
        bucket = plan().bucket("media-derived")

        assert (bucket.versioned, bucket.locked) == (True, False)
        assert bucket.rules == (
            LifecycleRule(id="verify-probes", prefix=".verify/", expire_after_days=1, expire_noncurrent_after_days=1),
            LifecycleRule(
                id="band-warm",
                expire_after_days=365,
                expire_noncurrent_after_days=30,
                abort_multipart_after_days=7,
                transition=StorageClassChange(storage_class="STANDARD_IA", after_days=30),
            ),
        )

    @pytest.mark.parametrize(
        ("refuses", "overwrites", "days"), [(False, False, 365), (True, False, 30), (True, True, 365)]
    )
    def test_overwritten_version_lives_as_long_as_a_new_object(
        self,
        refuses: bool,  # noqa: FBT001 - a parameter of the test
        overwrites: bool,  # noqa: FBT001 - likewise
        days: int,
    ) -> None:
        """A warm domain with an `append` grant keeps what a put may replace; where none may, the band's days hold."""
        grants = {"session-archive": "append"}
        taxonomy = load().model_copy(
            update={"identities": {"archiver": Identity.model_validate({"grants": grants, "overwrites": overwrites})}}
        )
        found = build_plan(
            taxonomy, env="local", region_code="usw2", tls_only=True, where=WHERE, refuses_overwrites=refuses
        )

        assert found.bucket("session-archive").rules[1].expire_noncurrent_after_days == days
        assert found.bucket("media-derived").rules[1].expire_noncurrent_after_days == 30
        assert found.identities[0].grants[0].write_once == (refuses and not overwrites)

    @pytest.mark.parametrize("name", ["agent-loop-artifacts", "*"])
    def test_append_on_a_hot_domain_is_an_error(self, name: str) -> None:
        """Without a refusal an overwrite would be gone at once; the error names the grant and the choices."""
        identity = Identity.model_validate({"grants": {name: "append"}})
        taxonomy = load().model_copy(update={"identities": {"looper": identity}})
        found = build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where=WHERE)
        with pytest.raises(InvalidInputError) as caught:
            check_appends(found)
        (problem,) = caught.value.problems

        assert problem.where == "identities.looper.grants.agent-loop-artifacts"
        assert all(choice in problem.legal for choice in ("`write`", "`read`", "warm"))
        check_appends(
            build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where=WHERE, refuses_overwrites=True)
        )

    def test_cold_is_locked_and_kept(self) -> None:
        """A cold bucket is locked for a year, never expires, and drops noncurrent versions 30 days after the lock."""
        bucket = plan().bucket("otel-archive")

        assert bucket.retention == Retention(mode=RetentionMode.GOVERNANCE, days=365)
        assert (bucket.versioned, bucket.locked) == (True, True)
        assert bucket.rules[1].expire_after_days is None
        assert bucket.rules[1].expire_noncurrent_after_days == 395

    def test_cold_by_choice(self) -> None:
        """A domain may choose COMPLIANCE, a longer retention and an expiry after it."""
        bucket = plan(
            {
                "ledger": {
                    "band": "cold",
                    "retention_mode": "COMPLIANCE",
                    "retention_days": 730,
                    "expire_after_days": 800,
                }
            }
        ).bucket("ledger")

        assert bucket.retention == Retention(mode=RetentionMode.COMPLIANCE, days=730)
        assert (bucket.rules[1].expire_after_days, bucket.rules[1].expire_noncurrent_after_days) == (800, 760)


class TestIdentities:
    """The permissions of identities."""

    def test_star_stands_for_every_bucket(self) -> None:
        """The reader may read every bucket, including added ones."""
        reader = next(i for i in plan({"build-cache": {"band": "hot"}}).identities if i.name == "reader")

        assert {grant.access for grant in reader.grants} == {Access.READ}
        assert len(reader.grants) == 10

    def test_user_names_carry_the_environment(self) -> None:
        """Two environments on one server do not share users."""
        assert plan().identities[0].user_name == "joelclaw-local-usw2-worker"

    def test_the_verifier_is_found(self) -> None:
        """The plan has the verifier."""
        verifier = plan().verifier

        assert verifier is not None
        assert (verifier.name, verifier.grants) == ("verifier", ())

    def test_no_verifier_is_none(self) -> None:
        """A taxonomy without a verifier gives a plan without one."""
        taxonomy = load()
        without = {name: i for name, i in taxonomy.identities.items() if not i.verifies}
        found = build_plan(
            taxonomy.model_copy(update={"identities": without}),
            env="local",
            region_code="usw2",
            tls_only=False,
            where=WHERE,
        )

        assert found.verifier is None


@pytest.mark.parametrize(
    ("env", "region_code", "expected"),
    [
        ("Local", "usw2", "object-store:env: 'Local' is malformed"),
        ("", "usw2", "object-store:env: '' is malformed"),
        ("a-b", "usw2", "object-store:env: 'a-b' is malformed"),
        ("local", "us-west-2", "object-store:regionCode: 'us-west-2' is malformed"),
        ("local", "usw", "object-store:regionCode: 'usw' is malformed"),
    ],
)
def test_malformed_codes_are_refused(env: str, region_code: str, expected: str) -> None:
    """Codes that would break the naming convention are refused."""
    with pytest.raises(InvalidInputError) as caught:
        plan(env=env, region_code=region_code)

    assert expected in str(caught.value)


def test_bucket_name_over_63_characters_is_refused() -> None:
    """A name that S3 would refuse is reported with the room that is left."""
    with pytest.raises(InvalidInputError, match="so at most 43 for the domain"):
        plan({"a" * 44: {"band": "hot"}})


def test_bucket_name_of_63_characters_is_taken() -> None:
    """A name of exactly 63 characters is accepted."""
    assert len(plan({"a" * 43: {"band": "hot"}}).buckets[-1].name) == 63


def test_user_name_over_64_characters_is_refused() -> None:
    """A user name that IAM would refuse is refused here."""
    taxonomy = extended(load(), domains={}, identities={"a" * 60: {"grants": {"media-raw": "read"}}}, where=WHERE)

    with pytest.raises(InvalidInputError, match="at most 64"):
        build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where=WHERE)


@given(st.integers(min_value=-10, max_value=500))
def test_only_days_within_the_band_make_a_plan(days: int) -> None:
    """For any days, the plan contains them exactly if the band allows them."""
    try:
        found = plan({"scratch": {"band": "hot", "expire_after_days": days}})
    except InvalidInputError:
        assert not 7 <= days <= 30
    else:
        assert found.bucket("scratch").rules[1].expire_after_days == days


def test_plan_round_trips_through_json() -> None:
    """A published plan is read back as the same value."""
    found = plan()

    assert StorePlan.model_validate_json(found.model_dump_json()) == found


def test_renamed_domain_keeps_the_name_of_its_bucket() -> None:
    """The bucket has the domain's oldest name; grants and rules use the current one."""
    bucket = plan({"now": {"band": "warm", "renamed_from": ["once", "then"]}}).bucket("now")

    assert bucket.name == "joelclaw-local-usw2-once"
    assert bucket.renamed_from == ("once", "then")
    reader = next(
        one for one in plan({"now": {"band": "hot", "renamed_from": "once"}}).identities if one.name == "reader"
    )
    assert [grant.bucket for grant in reader.grants if grant.domain == "now"] == ["joelclaw-local-usw2-once"]


@pytest.mark.parametrize("domain", ["backups-an", "an", "logs-s3alias", "s3alias"])
def test_end_that_s3_reserves_is_refused(domain: str) -> None:
    """S3 makes names with these ends itself, and answers InvalidBucketName to anybody else."""
    with pytest.raises(InvalidInputError, match="which S3 reserves") as caught:
        plan({domain: {"band": "hot"}})

    assert f"write: {domain}-data:" in str(caught.value)
    plan({f"{domain}-data": {"band": "hot"}})


def test_end_counts_of_the_name_that_the_bucket_has() -> None:
    """A renamed domain's bucket keeps the oldest name, so that one is judged."""
    plan({"plan-b": {"band": "hot"}, "span": {"band": "hot"}})
    with pytest.raises(InvalidInputError, match="joelclaw-local-usw2-old-an' ends with -an"):
        plan({"fine": {"band": "hot", "renamed_from": "old-an"}})
