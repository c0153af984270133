"""The preflight's checks, pure: their findings for a good server, for a bad one, and for missing answers."""

import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from model.endpoint import Endpoint
from model.resources import AdminApiVersion
from ops.preflight.aistor import judge_aistor
from ops.preflight.aws import judge_aws
from ops.preflight.command import print_findings
from ops.preflight.facts import NOT_ASKED, AistorFacts, AwsFacts, ServerCertificate, StackFacts, StateAccess, StateFacts
from ops.preflight.finding import Before, Finding, Level
from verify.facts import DONE, Answer

NOW = datetime(2026, 11, 25, tzinfo=UTC)
HERE, CLIENTS = Endpoint("https", "localhost", 31000), Endpoint("https", "s3.aistor", 443)
ACCESS = StateAccess("https://localhost:31000", "admin", "planted-password")
NAMES = (("DNS", "localhost"), ("DNS", "*.aistor"))
CERTIFICATE = ServerCertificate(NAMES, NOW + timedelta(days=400))
STATE = StateFacts(buckets=frozenset({"a"}), access=ACCESS)
STACK = StackFacts("local", "aistor", {"a": "da", "b": "db"}, STATE, HERE, CLIENTS, "admin", admin_api="v3")
GOOD = AistorFacts(
    door=Answer(DONE),
    certificate=Answer(CERTIFICATE),
    skew_seconds=Answer(0.4),
    admin_api=Answer({"v3": 403, "v4": 426}),
    buckets=Answer(frozenset({"a", "other"})),
    admin_info=None,
    default_pair=Answer(code="InvalidAccessKeyId"),
    state_access=None,
)
NOTHING: Answer[Any] = Answer(code=NOT_ASKED, said="it was not reached")
DENIED: Answer[Any] = Answer(code="AccessDenied", said="Access Denied.")
WRONG: Answer[Any] = Answer(code="SignatureDoesNotMatch", said="the signature does not match")
AWS_STACK = replace(
    STACK,
    name="aws",
    cloud="aws",
    state=replace(STATE, access=None),
    allowed_account_ids=("123456789012",),
    region="us-west-2",
    region_code="usw2",
)
AWS_GOOD = AwsFacts(
    account=Answer("123456789012"),
    skew_seconds=Answer(-0.4),
    buckets=Answer(frozenset({"a"})),
    others={"b": Answer(code="404", said="Not Found")},
)


def aistor(facts: AistorFacts = GOOD, stack: StackFacts = STACK, before: Before = "refresh") -> list[Finding]:
    """The findings at a fixed time."""
    return judge_aistor(stack, facts, before, NOW)


def one(findings: Iterable[Finding], check: str) -> Finding:
    """The only finding of a check."""
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def others(findings: Iterable[Finding], *but: str) -> set[Level]:
    """The levels of all other checks."""
    return {finding.level for finding in findings if finding.check not in but}


def test_all_passes_where_all_is_well() -> None:
    """Each check of both clouds says PASS and has no remedy."""
    found = aistor() + judge_aws(AWS_STACK, AWS_GOOD, "refresh")

    assert {(finding.level, finding.remedy) for finding in found} == {(Level.PASS, "")}
    assert len({finding.check for finding in found}) == 14


@pytest.mark.parametrize(
    ("change", "check", "level", "found", "remedy"),
    [
        ({"certificate": Answer(code="CertificateNotTrusted", said="unable to get local issuer certificate")},
         "certificate_trusted", Level.STOP, "unable to get local issuer", "object-store:caBundle"),
        ({"certificate": Answer(code="CertificateExpired", said="certificate has expired")},
         "certificate_trusted", Level.STOP, "expired", "renew an expired certificate"),
        ({"certificate": Answer(replace(CERTIFICATE, ends=NOW))},
         "certificate_trusted", Level.STOP, "in 0 days", "renew"),
        ({"certificate": Answer(replace(CERTIFICATE, ends=NOW + timedelta(days=29)))},
         "certificate_trusted", Level.WARN, "in 29 days", "renew"),
        ({"certificate": Answer(replace(CERTIFICATE, names=NAMES[:1]))},
         "certificate_names_endpoints", Level.STOP, "localhost", "s3.aistor (object-store:clientEndpoint)"),
        ({"certificate": Answer(replace(CERTIFICATE, names=NAMES[1:]))},
         "certificate_names_endpoints", Level.STOP, "*.aistor", "localhost (object-store:endpoint)"),
        ({"certificate": Answer(replace(CERTIFICATE, names=()))},
         "certificate_names_endpoints", Level.STOP, "no names", "localhost (object-store:endpoint) and s3.aistor"),
        ({"skew_seconds": Answer(61.0)}, "clock_in_step", Level.WARN, "61 s ahead", "NTP"),
        ({"skew_seconds": Answer(-901.0)}, "clock_in_step", Level.STOP, "901 s behind", "NTP"),
        ({"skew_seconds": Answer(code="NoDate")}, "clock_in_step", Level.WARN, "cannot tell: NoDate", ""),
        ({"admin_api": Answer({"v3": 426, "v4": 426})},
         "admin_api_spoken", Level.STOP, "v3: 426, v4: 426", "legacy MinIO"),
        ({"admin_api": Answer({"v3": 426, "v4": 403})},
         "admin_api_spoken", Level.STOP, "v3: 426, v4: 403", "config set object-store:adminApi v4 --stack"),
        ({"admin_api": Answer({"v3": 404, "v4": 404})},
         "admin_api_spoken", Level.WARN, "cannot tell: v3: 404", "proxy"),
        ({"default_pair": Answer(DONE)}, "default_pair_refused", Level.STOP, "accepts them", "MINIO_ROOT_PASSWORD"),
        ({"default_pair": DENIED}, "default_pair_refused", Level.STOP, "knows them", "MINIO_ROOT_PASSWORD"),
        ({"default_pair": Answer(code="ReadTimeoutError")}, "default_pair_refused", Level.WARN, "cannot tell", ""),
    ],
)  # fmt: skip
def test_aistor_check_speaks_alone(change: dict[str, Any], check: str, level: Level, found: str, remedy: str) -> None:
    """Each problem is reported only by its own check, with the found value and the remedy."""
    findings = aistor(replace(GOOD, **change))

    finding = one(findings, check)
    assert (finding.level, found in finding.found, remedy in finding.remedy) == (level, True, True), finding
    assert others(findings, check) == {Level.PASS}


@pytest.mark.parametrize(
    ("statuses", "level"),
    [
        ({"v3": 403, "v4": 426}, Level.PASS),
        ({"v3": 426, "v4": 403}, Level.PASS),
        ({"v3": 403, "v4": 403}, Level.PASS),
        ({"v3": 426, "v4": 426}, Level.STOP),
        ({"v3": 426, "v4": 502}, Level.WARN),
    ],
)
def test_our_own_resources_need_either_version(statuses: dict[str, int], level: Level) -> None:
    """With adminApi v4 the server may speak v4 or v3; only a server that speaks neither stops."""
    found = aistor(replace(GOOD, admin_api=Answer(statuses)), replace(STACK, admin_api="v4"))

    assert one(found, "admin_api_spoken").level is level
    assert others(found, "admin_api_spoken") == {Level.PASS}


@pytest.mark.parametrize(
    ("setting", "statuses", "level", "remedy"),
    [
        ("v3", {"v3": 403}, Level.PASS, ""),
        ("v4", {"v3": 403}, Level.PASS, ""),
        ("v3", {"v3": 426}, Level.STOP, "it is unknown whether the server speaks v4"),
        ("v3", {"v3": 426, "v4": 502}, Level.STOP, "it is unknown whether the server speaks v4"),
        ("v4", {"v3": 426}, Level.WARN, "proxy"),
    ],
)
def test_version_that_gave_no_answer_is_not_taken_for_refused(
    setting: AdminApiVersion, statuses: dict[str, int], level: Level, remedy: str
) -> None:
    """What is certain is judged; the other version is not."""
    found = aistor(replace(GOOD, admin_api=Answer(statuses)), replace(STACK, admin_api=setting))

    finding = one(found, "admin_api_spoken")
    assert (finding.level, remedy in finding.remedy, "neither" in finding.remedy) == (level, True, False), finding
    assert others(found, "admin_api_spoken") == {Level.PASS}


@pytest.mark.parametrize("setting", ["v3", "v4"])
def test_state_managed_by_both_has_one_way_out(setting: AdminApiVersion) -> None:
    """No setting would fit the state, so only the move is named."""
    stack = replace(STACK, admin_api=setting, state=replace(STATE, managed_by=frozenset({"v3", "v4"})))

    finding = one(aistor(replace(GOOD, admin_api=Answer({"v3": 403, "v4": 403})), stack), "identities_managed_as_set")

    assert finding.level is Level.STOP
    assert f"object-store switch-admin-api --stack local --to {setting}" in finding.remedy
    assert "config set" not in finding.remedy


def test_stack_that_stands_is_moved_and_not_set() -> None:
    """If the plugin already manages identities, the advice for a v4-only server is the move that keeps the keys."""
    held = replace(STACK, state=replace(STATE, managed_by=frozenset({"v3"})))
    found = aistor(replace(GOOD, admin_api=Answer({"v3": 426, "v4": 403})), held)

    assert "object-store switch-admin-api --stack local --to v4" in one(found, "admin_api_spoken").remedy
    assert one(found, "identities_managed_as_set").level is Level.PASS


@pytest.mark.parametrize(("held", "setting"), [("v3", "v4"), ("v4", "v3")])
def test_setting_that_the_state_does_not_follow_stops(held: AdminApiVersion, setting: AdminApiVersion) -> None:
    """An update would recreate the identities; both remedies are named."""
    stack = replace(STACK, admin_api=setting, state=replace(STATE, managed_by=frozenset({held})))

    finding = one(aistor(replace(GOOD, admin_api=Answer({"v3": 403, "v4": 403})), stack), "identities_managed_as_set")

    assert finding.level is Level.STOP
    assert f"object-store switch-admin-api --stack local --to {setting}" in finding.remedy
    assert f"pulumi config set object-store:adminApi {held} --stack local" in finding.remedy


@pytest.mark.parametrize(
    ("seconds", "level"), [(60.0, Level.PASS), (-60.0, Level.PASS), (900.0, Level.WARN), (900.5, Level.STOP)]
)
def test_clock_is_judged_by_its_limits(seconds: float, level: Level) -> None:
    """Up to 60 s passes and up to 900 s is a warning, exact to the second."""
    assert one(aistor(replace(GOOD, skew_seconds=Answer(seconds))), "clock_in_step").level is level


def test_closed_door_leaves_the_rest_untold() -> None:
    """Without an answer, the connection and a refresh stop; no other check claims anything or passes."""
    facts = AistorFacts(
        Answer(code="ConnectionRefusedError", said="no connection"),
        None,
        NOTHING,
        NOTHING,
        NOTHING,
        None,
        NOTHING,
        None,
    )
    findings = aistor(facts)

    stops = {finding.check for finding in findings if finding.level is Level.STOP}
    assert stops == {"endpoint_reachable", "state_buckets_seen"}
    assert others(findings, *stops) == {Level.WARN}
    assert {finding.remedy for finding in findings if finding.level is Level.WARN} == {""}


def test_plain_http_has_no_certificate_to_judge() -> None:
    """The rollback path is plain http and has no certificate check."""
    plain = Endpoint("http", "localhost", 30900)
    stack = replace(STACK, endpoint=plain, client_endpoint=plain, state=replace(STATE, access=None))
    found = aistor(replace(GOOD, certificate=None), stack)

    assert not [finding for finding in found if finding.check.startswith("certificate")]
    assert others(found) == {Level.PASS}


def test_plain_client_endpoint_needs_no_name() -> None:
    """The certificate needs a name only for endpoints with TLS."""
    stack = replace(STACK, client_endpoint=Endpoint("http", "minio", 9000))

    assert others(aistor(stack=stack)) == {Level.PASS}


def test_refused_admin_stops_and_nothing_is_told_of_buckets() -> None:
    """A wrong pair stops an `up`, and a refresh twice: it would drop the state's buckets."""
    facts = replace(GOOD, buckets=WRONG, admin_info=Answer(code="HTTP 403"))
    by_level = {
        before: {finding.check for finding in aistor(facts, before=before) if finding.level is Level.STOP}
        for before in ("up", "refresh")
    }

    assert by_level == {"up": {"admin_accepted"}, "refresh": {"admin_accepted", "state_buckets_seen"}}
    assert "adminPassword" in one(aistor(facts), "admin_accepted").remedy
    assert one(aistor(facts), "buckets_ours").found == "cannot tell: SignatureDoesNotMatch"


def test_unknown_refusal_of_the_admin_stops() -> None:
    """An unexpected answer is shown unchanged and stops."""
    finding = one(aistor(replace(GOOD, buckets=Answer(code="ServiceUnavailable", said="not yet"))), "admin_accepted")

    assert (finding.level, finding.found) == (Level.STOP, "ServiceUnavailable: not yet")


def test_admin_refused_everything_names_the_licence() -> None:
    """A known pair without any right, also in the admin API: an expired licence is named as a cause."""
    facts = replace(GOOD, buckets=DENIED, admin_info=Answer(code="HTTP 403"), default_pair=DENIED)
    findings = aistor(facts)

    assert one(findings, "admin_accepted").level is Level.PASS
    assert one(findings, "admin_let_in").level is Level.STOP
    assert "expired or missing licence" in one(findings, "admin_let_in").remedy
    # The server refuses everything, so the answer says nothing about the default pair.
    assert one(findings, "default_pair_refused").level is Level.WARN


def test_admin_without_listing_is_no_matter_of_licence() -> None:
    """An admin whom the admin API accepts only lacks a right."""
    finding = one(aistor(replace(GOOD, buckets=DENIED, admin_info=Answer(DONE))), "admin_let_in")

    assert finding.level is Level.STOP
    assert "s3:ListAllMyBuckets" in finding.remedy
    assert "licence" not in finding.remedy


@pytest.mark.parametrize(("before", "level"), [("refresh", Level.STOP), ("up", Level.WARN)])
def test_refused_access_of_the_state_stops_a_refresh(before: Before, level: Level) -> None:
    """After a rotation a refresh would use the old pair: it stops, and a plain `up` is the remedy."""
    findings = aistor(replace(GOOD, state_access=WRONG), before=before)

    finding = one(findings, "state_access_accepted")
    assert finding.level is level
    assert "first run a plain `pulumi up --stack local`" in finding.remedy
    assert others(findings, "state_access_accepted") == {Level.PASS}


@pytest.mark.parametrize(("before", "level"), [("refresh", Level.STOP), ("up", Level.WARN)])
def test_state_that_speaks_of_another_server_stops_a_refresh(before: Before, level: Level) -> None:
    """After a change of endpoint a refresh would query the old server, even if it accepts the admin."""
    elsewhere = replace(STACK, state=replace(STATE, access=replace(ACCESS, endpoint="https://elsewhere:9000")))
    finding = one(aistor(replace(GOOD, state_access=Answer(DONE)), elsewhere, before), "state_access_accepted")

    assert (finding.level, finding.found) == (level, "accepted; the config says https://localhost:31000")


def test_old_pair_that_still_works_passes() -> None:
    """A pair in the state that differs from the config's does no harm while the server accepts it."""
    finding = one(aistor(replace(GOOD, state_access=Answer(DONE))), "state_access_accepted")

    assert (finding.level, finding.found) == (Level.PASS, "accepted, though the config has another key pair")


def test_first_deployment_has_no_state_to_judge() -> None:
    """Before the first `up` there is no finding about the state's access."""
    found = aistor(stack=replace(STACK, state=StateFacts()), facts=replace(GOOD, buckets=Answer(frozenset())))

    assert "state_access_accepted" not in {finding.check for finding in found}
    assert others(found) == {Level.PASS}


@pytest.mark.parametrize("stack", [STACK, AWS_STACK], ids=["aistor", "aws"])
def test_bucket_of_a_planned_name_that_is_not_ours_stops(stack: StackFacts) -> None:
    """The bucket is named with the command to adopt it; one that an interrupted update was creating is ours."""
    seen: Answer[frozenset[str]] = Answer(frozenset({"a", "b", "other"}))

    def judged(stack: StackFacts) -> list[Finding]:
        if stack.cloud == "aws":
            return judge_aws(stack, replace(AWS_GOOD, buckets=seen), "up")
        return aistor(replace(GOOD, buckets=seen), stack, "up")

    finding = one(judged(stack), "buckets_ours")
    assert (finding.level, finding.found) == (Level.STOP, "b exists but is not in the state")
    assert f"object-store adopt --stack {stack.name}" in finding.remedy
    assert f"if another stack has it: pulumi config set --stack {stack.name} object-store:env NAME" in finding.remedy
    pending = replace(stack, state=replace(stack.state, pending=frozenset({"b"}), interrupted=1))
    assert one(judged(pending), "buckets_ours").level is Level.PASS
    more = replace(stack, planned={**stack.planned, "other": "other"})
    found = [finding for finding in judged(more) if finding.check == "buckets_ours"]
    assert [finding.found for finding in found] == ["b, other exist but are not in the state"]
    assert one(judged(pending), "nothing_interrupted").level is Level.WARN


@pytest.mark.parametrize("before", ["refresh", "up"])
def test_unseen_buckets_of_the_state_stop_everything(before: Before) -> None:
    """A refresh would drop buckets that the admin cannot see, and the program stops; the first five are named."""
    many = replace(STACK, state=replace(STATE, buckets=frozenset({"a", *(f"x{number}" for number in range(7))})))
    findings = aistor(stack=many, before=before)

    finding = one(findings, "state_buckets_seen")
    assert (finding.level, finding.found) == (Level.STOP, "not seen: x0, x1, x2, x3, x4 and 2 more")
    assert "do not refresh" in finding.remedy
    assert "`object-store recover --stack local`" in finding.remedy
    assert others(findings, "state_buckets_seen") == {Level.PASS}


def test_half_filled_server_in_anothers_place_gets_the_line_that_recover_accepts() -> None:
    """Some buckets are there, but `recover` takes the server for another one: it asks for --all-gone."""
    more = replace(STACK, state=replace(STATE, buckets=frozenset({"a", "x"})))

    finding = one(judge_aistor(more, GOOD, "up", NOW, all_gone=True), "state_buckets_seen")

    assert "`object-store recover --stack local --all-gone`" in finding.remedy
    assert "`object-store recover --stack local`" not in finding.remedy


@pytest.mark.parametrize(
    ("change", "allowed", "check", "level", "text"),
    [
        ({}, ("210987654321",), "account_allowed", Level.STOP, "allowedAccountIds[0]' 123456789012"),
        ({}, (), "account_allowed", Level.WARN, "allowedAccountIds[0]' 123456789012"),
        ({"others": {"b": Answer(code="403")}}, None, "names_free", Level.STOP, "unique"),
        ({"others": {"b": Answer(code="301")}}, None, "names_free", Level.STOP, "unique"),
        ({"others": {"b": Answer(DONE)}}, None, "names_free", Level.STOP, "unique"),
        ({"others": {"b": Answer(code="503")}}, None, "names_free", Level.WARN, ""),
        ({"skew_seconds": Answer(1000.0)}, None, "clock_in_step", Level.STOP, "NTP"),
    ],
)
def test_aws_check_speaks_alone(
    change: dict[str, Any], allowed: tuple[str, ...] | None, check: str, level: Level, text: str
) -> None:
    """Each problem is reported only by its own check."""
    stack = AWS_STACK if allowed is None else replace(AWS_STACK, allowed_account_ids=allowed)
    findings = judge_aws(stack, replace(AWS_GOOD, **change), "refresh")

    assert (one(findings, check).level, text in one(findings, check).remedy) == (level, True)
    assert others(findings, check) == {Level.PASS}


def test_names_that_say_another_region_are_told_while_they_can_be_changed() -> None:
    """A bucket cannot be renamed, so a deployed stack hears nothing."""
    stack = replace(AWS_STACK, region="eu-central-1")
    new = replace(stack, state=replace(stack.state, buckets=frozenset()))

    finding = one(judge_aws(new, AWS_GOOD, "up"), "region_in_names")
    assert (finding.level, finding.found) == (Level.WARN, "regionCode is usw2")
    assert "object-store:regionCode euc1`" in finding.remedy
    for silent in (stack, replace(new, region_code="euc1"), replace(new, region="us-west-2")):
        assert "region_in_names" not in {one.check for one in judge_aws(silent, AWS_GOOD, "up")}


def test_refused_aws_credentials_stop_and_leave_the_rest_untold() -> None:
    """Without an account no other check claims anything."""
    facts = AwsFacts(Answer(code="NoCredentialsError", said="no usable answer"), NOTHING, NOTHING, {})
    findings = judge_aws(AWS_STACK, facts, "up")

    assert one(findings, "credentials_accepted").level is Level.STOP
    assert "AWS_PROFILE" in one(findings, "credentials_accepted").remedy
    assert others(findings, "credentials_accepted") == {Level.WARN}


def test_taken_name_with_a_refused_listing_may_be_ones_own() -> None:
    """If the account's buckets cannot be listed, the finding says that the name may be its own."""
    findings = judge_aws(AWS_STACK, replace(AWS_GOOD, buckets=DENIED, others={"b": Answer(DONE)}), "up")

    assert one(findings, "names_free").level is Level.STOP
    assert "s3:ListAllMyBuckets" in one(findings, "names_free").remedy


def test_terminal_obeys_nothing_of_a_finding() -> None:
    """What a server said is shown with escapes, in the table and below it."""
    told = Finding("door", Level.STOP, "an answer", "\x1b]0;title\x07 [bold]", "see \u202ethere")
    written = io.StringIO()

    print_findings(Console(file=written, width=200), "local", [told], quiet=False)

    assert written.getvalue().count(r"\x1b]0;title\x07 [bold]") == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(written.getvalue())
