"""The tries of the matrix: what they send does not depend on when they are sent."""

from types import SimpleNamespace
from typing import Any

from verify.probe.actions import ACTIONS


def test_identities_try_the_same_end_of_a_lock() -> None:
    """MinIO refuses an earlier end than the present one with 400, so a later try must not name an earlier end."""
    sent: list[dict[str, Any]] = []
    client = SimpleNamespace(put_object_retention=lambda **asked: sent.append(asked))
    session = SimpleNamespace(tried_lock_until="the run's end", ask=lambda request: request())
    place = SimpleNamespace(session=session, client=client, bucket=SimpleNamespace(name="b"), seed="k")

    for _ in range(2):
        ACTIONS["put_object_retention"].attempt(place)  # type: ignore[arg-type]  # what the try reads of a place

    assert [one["Retention"]["RetainUntilDate"] for one in sent] == ["the run's end"] * 2
