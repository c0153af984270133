"""ops.recover.interrupted: pending operations of a killed update are resolved without changing the server."""

from typing import Any

from ops.recover.interrupted import UNREAD, taken_up


def creating(kind: str, **inputs: object) -> dict[str, Any]:
    """A pending creation of a resource."""
    return {"type": "creating", "resource": {"urn": f"urn::{kind}", "type": kind, "inputs": inputs}}


def pending(*operations: dict[str, Any]) -> dict[str, Any]:
    """A stack with one resource and these pending operations."""
    return {
        "version": 3,
        "deployment": {"resources": [{"urn": "urn::there", "type": "x"}], "pending_operations": list(operations)},
    }


def test_named_resources_become_part_of_the_state() -> None:
    """Our buckets, users, policies and attachments have ids that follow from their names."""
    found = taken_up(
        pending(
            creating("minio:index/s3Bucket:S3Bucket", bucket="b"),
            creating("minio:index/iamUser:IamUser", name="m"),
            creating("minio:index/iamPolicy:IamPolicy", name="m"),
            creating("aws:iam/user:User", name="u"),
            creating("aws:iam/policy:Policy", name="p"),
            creating("pulumi-python:dynamic/identity:User", name="own"),
            creating("pulumi-python:dynamic/identity:Policy", name="own"),
            creating("pulumi-python:dynamic/identity:Attachment", userName="own", policyName="p"),
        ),
        "123456789012",
    )

    ids = [resource.get("id") for resource in found.state["deployment"]["resources"]]
    assert ids == [None, "b", "m", "m", "u", "arn:aws:iam::123456789012:policy/p", "own", "own", "own/p"]
    assert (len(found.under_way), found.state["deployment"]["pending_operations"]) == (8, [])


def test_the_rest_is_forgotten_and_keys_are_named() -> None:
    """A safely repeatable creation leaves no trace; a key that may remain is reported."""
    found = taken_up(
        pending(
            creating("minio:index/ilmPolicy:IlmPolicy", bucket="b"),
            creating("aws:iam/policy:Policy", name="p"),
            creating("minio:index/iamServiceAccount:IamServiceAccount", targetUser="u"),
            creating("pulumi-python:dynamic/identity:ServiceAccount", targetUser="u"),
            {"type": "updating", "resource": {"urn": "urn::there", "type": "x"}},
        ),
        "",
    )

    assert found.state["deployment"]["resources"] == [{"urn": "urn::there", "type": "x"}]
    kinds = ("minio:index/iamServiceAccount:IamServiceAccount", "pulumi-python:dynamic/identity:ServiceAccount")
    assert (len(found.under_way), found.keys) == (5, tuple(f"urn::{kind}" for kind in kinds))


def test_what_a_refresh_must_read_is_marked_until_it_was_read() -> None:
    """What was being created or changed is in the state as not read; a second look finds the mark, and adds none."""
    first = taken_up(
        {
            "deployment": {
                "resources": [{"urn": "urn::changed", "type": "x", "id": "1", "initErrors": ["of its own"]}],
                "pending_operations": [
                    {"type": "updating", "resource": {"urn": "urn::changed", "type": "x"}},
                    creating("minio:index/s3Bucket:S3Bucket", bucket="b"),
                ],
            }
        },
        "",
    )

    changed, made = first.state["deployment"]["resources"]
    assert (changed["initErrors"], made["initErrors"]) == (["of its own", UNREAD], [UNREAD])
    second = taken_up(first.state, "")
    assert second.unread == first.unread == ("urn::changed", made["urn"])
    assert (second.under_way, second.state["deployment"]["resources"]) == ((), [changed, made])


def replacing(old: dict[str, Any]) -> list[dict[str, Any]]:
    """What is left of the replacement of an attachment whose policy has another name: the state without its stack."""
    kind = "pulumi-python:dynamic/identity:Attachment"
    state = pending(creating(kind, userName="u", policyName="p-2"))
    standing = {"urn": f"urn::{kind}", "type": kind, "id": "u/p", **old}
    needing = {"urn": "urn::key", "type": "x", "dependencies": [f"urn::{kind}"]}
    state["deployment"]["resources"] += [standing, needing]
    left: list[dict[str, Any]] = taken_up(state, "").state["deployment"]["resources"][1:]
    return left


def test_new_one_of_a_replacement_takes_the_place_of_the_old_one() -> None:
    """The engine allows one living resource of a URN, before what depends on it; it deletes the old one later."""
    new, needing, old = replacing({})

    assert [one.get("id") for one in (new, needing, old)] == ["u/p-2", None, "u/p"]
    assert new["urn"] == old["urn"]
    assert (new.get("delete"), old["delete"]) == (None, True)


def test_old_one_that_was_deleted_before_its_replacement_leaves_the_state() -> None:
    """What is deleted before it is replaced is on the server no more: it must not be deleted again."""
    new, needing = replacing({"pendingReplacement": True})

    assert (new["id"], needing["urn"], "pendingReplacement" in new) == ("u/p-2", "urn::key", False)


def test_resource_that_the_state_has_with_the_same_id_stays() -> None:
    """With one id there is one thing on the server: it must not be deleted as the old one."""
    standing, needing = replacing({"id": "u/p-2"})

    assert (standing["id"], "delete" in standing, needing["urn"]) == ("u/p-2", False, "urn::key")


def test_older_one_that_waits_for_its_deletion_goes_on_waiting() -> None:
    """A resource that was replaced before is not the one that is replaced now."""
    waiting, needing, new = replacing({"delete": True})

    assert (waiting["id"], needing["urn"], new["id"]) == ("u/p", "urn::key", "u/p-2")


def test_replacement_that_did_not_happen_leaves_the_old_one_as_it_is() -> None:
    """The server does not have the new one: the old one lives on, in its place."""
    kind = "pulumi-python:dynamic/identity:Attachment"
    state = pending(creating(kind, userName="u", policyName="p-2"))
    old = {"urn": f"urn::{kind}", "type": kind, "id": "u/p"}
    state["deployment"]["resources"] += [old, {"urn": "urn::key", "type": "x"}]
    first = taken_up(state, "")

    found = taken_up(state, "", first.replacing)

    left = found.state["deployment"]["resources"]
    assert first.replacing == {f"urn::{kind}"}
    assert [one["urn"] for one in left] == ["urn::there", old["urn"], "urn::key"]
    assert (left[1]["id"], "delete" in left[1], found.replacing) == ("u/p", False, frozenset())
