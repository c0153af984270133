"""What a refusal proves: a PASS leans on it only if the server let the same key in."""

from typing import TYPE_CHECKING

import pytest

from tests.sizes import ELSEWHERE
from trials.faults import Hook, On, Response
from trials.mutations import through
from verify.checks import Status, judge
from verify.checks.evidence import let_in, weighed
from verify.checks.finding import Verdict
from verify.facts import DONE, Answer, DoorFacts, Facts
from verify.gather import gather_facts
from verify.probe import new_keys
from verify.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

    from trials.stores import Store

# What lean on no answer to a request of an identity: the connection, the plan, and the adapter's own refusals.
LEAN_ON_NOTHING = {
    "endpoint_reached",
    "certificate_valid",
    "names_as_convention",
    "plain_http_refused",  # the port does not speak it
    "odd_keys_refused",
    "long_presign_refused",
}


def refusals() -> "Iterator[ParameterSet]":
    """Each code on each cloud; for a change on one of them in turn."""
    for number, code in enumerate(
        ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PreconditionFailed")
    ):
        for place, cloud in enumerate(("aistor", "aws")):
            yield pytest.param(cloud, code, marks=[] if number % 2 == place else [ELSEWHERE])


@pytest.mark.parametrize(("any_store", "code"), list(refusals()), indirect=["any_store"])
def test_a_server_that_refuses_everything_proves_nothing(
    any_store: "Store", code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No check passes because of a refusal, on either cloud and with any code."""
    monkeypatch.setattr(new_keys, "PAUSES", {})
    domains = ("scratch", "archive")
    selection = Selection(buckets=frozenset(any_store.plan.bucket(domain).name for domain in domains))
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    refusing = Hook(answering=lambda _: Response(403, (("Content-Type", "application/xml"),), body), when=On())

    with through(lambda _: [refusing])(any_store) as target:
        findings = judge(target.deployment, gather_facts(target, selection=selection), selection)

    # The matrix takes a failed condition for a sign that the put was let in, and a put is then granted or too much.
    told = {f.check for f in findings if f.status is Status.PASS and not (f.action and f.wanted == "allowed")}
    assert told <= LEAN_ON_NOTHING
    assert {f.status for f in findings if f.check in LEAN_ON_NOTHING} == {Status.PASS}


def test_a_refusal_counts_once_its_key_was_let_in() -> None:
    """The introduction is enough, also where the matrix is not tried; another identity's does not count."""
    leaning = Verdict(Status.PASS, "refused", "AccessDenied", leans_on=frozenset({"worker"}))

    assert weighed(leaning, {"worker"}) is leaning
    alone = weighed(leaning, {"reader"})
    assert (alone.status, alone.wanted) == (Status.CANNOT_TELL, "refused")
    assert "no request of worker ever succeeded" in alone.found


def test_a_failure_is_not_weighed() -> None:
    """What was let in is let in, whoever else was not."""
    failed = Verdict(Status.FAIL, "refused", "allowed", leans_on=frozenset({"worker"}))

    assert weighed(failed, set()) is failed


def test_introduced_identities_are_let_in() -> None:
    """The facts of the introduction tell who was let in."""
    door = DoorFacts("https://x", Answer(DONE), None)
    facts = Facts("r", "t", door, introduced={"worker": Answer(DONE), "reader": Answer(code="AccessDenied")})

    assert let_in(facts) == {"worker"}
