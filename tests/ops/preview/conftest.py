"""A running store whose objects have known ages, for all tests that read a live bucket."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.ops.preview.back_dating import Past, back_dated
from trials.stores import Store, running_store

COPIES = 2500


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(scope="session", name="aged_store")
def _aged_store() -> Iterator[Store]:
    """On AIStor: `scratch` without versions, `replay` with versions, 2 501 objects in `orphan`, no bucket `ledger`."""
    with running_store("aistor") as store:
        past, names = Past(store.client), {bucket.domain: bucket.name for bucket in store.plan.buckets}
        scratch, replay = names["scratch"], names["replay"]
        past.put(scratch, ".verify/probe", 99, at("2020-01-01"))
        past.put(scratch, "a/edge-in", 20, at("2025-12-04 23:59:59"))
        past.put(scratch, "a/edge-out", 3, at("2025-12-05 00:00:00"))
        past.put(scratch, "a/old", 1000, at("2025-01-02 10:00"))
        past.put(scratch, "b/new", 7, at("2026-03-05 09:00"))
        past.put(scratch, "b/soon-in", 4000, at("2026-01-03 23:59:59"))
        past.put(scratch, "b/soon-out", 50, at("2026-01-04 00:00:00"))

        past.put(replay, "back", 5, at("2025-01-01"))
        past.delete(replay, "back", at("2025-02-01"))
        past.put(replay, "back", 6, at("2025-03-01"))
        past.put(replay, "doc", 10, at("2025-06-01"))
        past.put(replay, "doc", 200, at("2026-02-01 12:00"))
        past.put(replay, "doc", 3000, at("2026-03-01"))
        past.put(replay, "gone", 40, at("2025-01-01"))
        past.delete(replay, "gone", at("2026-03-02"))

        past.put(names["orphan"], "many", 1000, at("2025-01-01"), copies=COPIES)
        store.client.delete_bucket(Bucket=names["ledger"])
        # An open connection would keep the port busy for a minute; both clients reconnect when necessary.
        store.client.close()
        identities: Any = store.identities
        identities.iam._session.close()
        with back_dated(store.server, "aistor", past.moments):
            yield store


@pytest.fixture(scope="session", name="plain_aws_store")
def _plain_aws_store() -> Iterator[Store]:
    """A store on AWS with one object in `scratch`."""
    with running_store("aws") as store:
        store.client.put_object(Bucket=store.plan.bucket("scratch").name, Key="one", Body=b"x" * 11)
        yield store
