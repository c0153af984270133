"""Keys of an exported state."""

from datetime import UTC, datetime
from typing import Any

from ops.keys.standing_keys import StandingKey, being_made, standing_keys, written_at

KIND = "minio:index/iamServiceAccount:IamServiceAccount"
URN = (
    "urn:pulumi:local::object-store::object-store:storage:AistorStore$minio:index/iamServiceAccount:IamServiceAccount::"
)


def state(*resources: dict[str, Any], operations: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """An exported state."""
    return {"version": 3, "deployment": {"resources": list(resources), "pending_operations": list(operations)}}


def key(name: str, **more: object) -> dict[str, Any]:
    """A key of a state."""
    return {"urn": URN + name, "type": KIND, "id": f"ID-{name}", **more}


def standing(identity: str, generation: int, made_at: datetime | None) -> StandingKey:
    """The keys of that state."""
    name = f"{identity}-key-{generation}"
    return StandingKey(identity, generation, f"ID-{name}", URN + name, made_at)


def test_keys_are_told_with_identity_generation_and_time() -> None:
    """The time is the state's own, or the key's output; a resource pending deletion does not count."""
    found = standing_keys(
        state(
            key("session-archiver-key-2", created="2026-11-26T03:00:00Z"),
            key("worker-key-1", outputs={"createDate": "2026-11-25T03:00:00Z", "secret": "planted"}),
            key("worker-key-3", created="of old"),
            key("reader-key-1", delete=True),
            {"urn": URN + "worker-user", "type": "minio:index/iamUser:IamUser", "id": "u"},
        )
    )
    assert found == [
        standing("session-archiver", 2, datetime(2026, 11, 26, 3, tzinfo=UTC)),
        standing("worker", 1, datetime(2026, 11, 25, 3, tzinfo=UTC)),
        standing("worker", 3, None),
    ]
    assert "planted" not in repr(found)


def test_empty_state_has_none() -> None:
    """A stack that was never deployed has no keys and no pending operations."""
    assert standing_keys({"version": 3, "deployment": None}) == []
    assert being_made({"version": 3, "deployment": None}) == frozenset()
    assert written_at({"version": 3, "deployment": None}) is None


def test_only_a_key_that_was_being_made_may_have_been_left() -> None:
    """Deletions and other resources leave no unknown key."""
    user = {"urn": URN + "reader-user", "type": "minio:index/iamUser:IamUser"}
    operations = (
        {"type": "creating", "resource": key("worker-key-2")},
        {"type": "deleting", "resource": key("vault-backup-key-1")},
        {"type": "creating", "resource": user},
    )
    assert being_made(state(operations=operations)) == frozenset({"worker"})


def test_time_of_a_state_is_its_last_write() -> None:
    """The engine writes it to the nanosecond."""
    exported = {"deployment": {"manifest": {"time": "2026-11-26T03:00:00.123456789Z", "magic": "x"}}}

    assert written_at(exported) == datetime(2026, 11, 26, 3, 0, 0, 123456, tzinfo=UTC)
