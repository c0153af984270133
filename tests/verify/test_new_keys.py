"""New keys: all are waited for, for a bounded time, before anything is tried. No test waits."""

import threading
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.sizes import on
from trials.faults import Hook, Request, Response, header
from trials.mutations import through
from trials.stores import small_plan
from verify.checks import Status, judge
from verify.facts import DONE, Answer, Tried
from verify.gather import gather_facts
from verify.probe.new_keys import PAUSES, STEADY, introduce
from verify.probe.session import StoreSession
from verify.selection import Selection

if TYPE_CHECKING:
    from model.plan import IdentityPlan
    from trials.stores import Store

IN: Tried = Answer(DONE)
UNKNOWN: Tried = Answer(code="InvalidAccessKeyId")
REFUSED: Tried = Answer(code="AccessDenied")


class Session:
    """Answers as a script says, the last answer for ever, and counts pauses."""

    def __init__(self, answers: Iterable[Tried]) -> None:
        """Take the script."""
        self._answers = list(answers)
        self.pauses = 0

    def client(self, _: str) -> object:
        """A client that is never called."""
        return SimpleNamespace()

    def ask(self, _: Callable[[], object]) -> Tried:
        """The next answer."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def pause(self, _: float) -> None:
        """Wait for no time."""
        self.pauses += 1


def introduced(session: Session, name: str = "reader", *, grants: bool = True) -> Tried:
    """Introduce an identity that holds one bucket, so that each round is one request."""
    plan = small_plan()
    identity = next(one for one in plan.identities if one.name == name)
    held: IdentityPlan = identity if grants else identity.model_copy(update={"grants": ()})
    return introduce(session, held, plan.buckets[:1], ".verify/x/")  # type: ignore[arg-type]  # what it asks of a session


def test_a_known_key_is_not_waited_for() -> None:
    """One request is enough for a key that is let in at once."""
    session = Session([IN])

    assert introduced(session).ok
    assert session.pauses == 0


def test_an_unknown_key_is_waited_for_until_it_is_known_everywhere() -> None:
    """It must be let in several times in a row, because the servers learn it one after the other."""
    session = Session([*[UNKNOWN] * 15, IN, UNKNOWN, IN])

    assert introduced(session).ok
    assert session.pauses == 15 + 1 + 1 + STEADY - 1


@pytest.mark.parametrize("refusal", [UNKNOWN, REFUSED])
def test_waiting_is_bounded(refusal: Tried) -> None:
    """A key that stays unknown, and a policy that stays away, are the store's fault, and the checks say so."""
    session = Session([refusal])

    assert introduced(session) == refusal
    assert session.pauses == PAUSES[refusal.code or ""]


def test_a_key_that_comes_and_goes_is_bounded_too() -> None:
    """The waiting ends although the key is let in at times."""
    session = Session([UNKNOWN, IN] * 500)

    assert introduced(session) == UNKNOWN
    assert session.pauses <= PAUSES["InvalidAccessKeyId"] + 1


@pytest.mark.parametrize("code", ["NoSuchBucket", "SignatureDoesNotMatch", "ServerSilent"])
def test_other_errors_are_not_waited_for(code: str) -> None:
    """Time does not mend them."""
    session = Session([Answer(code=code)])

    assert introduced(session).code == code
    assert session.pauses == 0


def test_an_identity_without_grants_only_needs_to_be_known() -> None:
    """It is refused everywhere by right."""
    session = Session([UNKNOWN, UNKNOWN, REFUSED])

    assert introduced(session, grants=False) == REFUSED
    assert session.pauses == 2


class VirtualTime:
    """Seconds that pass only by pauses, and for all threads at the same pace."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0
        self._own = threading.local()

    def pause(self, seconds: float) -> None:
        """Let time pass for this thread."""
        self._own.seconds = getattr(self._own, "seconds", 0.0) + seconds
        self.seconds = max(self.seconds, self._own.seconds)


def late_keys(store: "Store", time: VirtualTime, known_after: Mapping[str, tuple[str, float]]) -> Hook:
    """A server that refuses the keys of some identities with a code, each until a second of virtual time."""
    by_key = {store.target.credentials[name].access_key_id: late for name, late in known_after.items()}

    def answer(request: Request) -> Response | None:
        signed = (header(request.headers, "authorization") or "") + request.query
        code, second = next((late for key, late in by_key.items() if key in signed), ("", 0.0))
        if time.seconds >= second:
            return None
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        return Response(403, (("Content-Type", "application/xml"),), body)

    return Hook(answering=answer)


@pytest.fixture(name="virtual_time")
def _virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    time = VirtualTime()
    monkeypatch.setattr(StoreSession, "pause", time.pause)
    return time


@on("any_store", ["aws"], left=["aistor"])
def test_keys_that_are_known_after_15_seconds_cause_no_failure(any_store: "Store", virtual_time: VirtualTime) -> None:
    """Nothing is asked with any key, by any part of the run, before all keys are known."""
    late = {"verifier": ("InvalidAccessKeyId", 9), "worker": ("InvalidAccessKeyId", 15), "reader": ("AccessDenied", 12)}
    domains = ("scratch", "archive")
    selection = Selection(buckets=frozenset(any_store.plan.bucket(domain).name for domain in domains))

    with through(lambda store: [late_keys(store, virtual_time, late)])(any_store) as target:
        facts = gather_facts(target, selection=selection)
        findings = judge(target.deployment, facts, selection)

    assert [str(f) for f in findings if f.status is Status.FAIL] == []
    assert {name: answer.ok for name, answer in facts.introduced.items()} == dict.fromkeys(late, True)
    assert virtual_time.seconds >= 15


def test_a_run_for_the_configuration_waits_for_the_verifier_only(store: "Store", virtual_time: VirtualTime) -> None:
    """A check that no workload's key is needed for does not wait for a workload's key."""
    selection = Selection(parts=frozenset(), buckets=frozenset({store.plan.bucket("scratch").name}))

    with through(lambda one: [late_keys(one, virtual_time, {"worker": ("InvalidAccessKeyId", 1000)})])(store) as target:
        facts = gather_facts(target, selection=selection)

    assert set(facts.introduced) == {"verifier"}
    assert virtual_time.seconds == 0
