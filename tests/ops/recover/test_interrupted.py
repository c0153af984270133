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
            creating("aws:iam/user:User", name="u"),
            creating("aws:iam/policy:Policy", name="p"),
            creating("pulumi-python:dynamic/identity:User", name="own"),
            creating("pulumi-python:dynamic/identity:Policy", name="own"),
            creating("pulumi-python:dynamic/identity:Attachment", userName="own", policyName="p"),
        ),
        "123456789012",
    )

    ids = [resource.get("id") for resource in found.state["deployment"]["resources"]]
    assert ids == [None, "b", "u", "arn:aws:iam::123456789012:policy/p", "own", "own", "own/p"]
    assert (len(found.under_way), found.state["deployment"]["pending_operations"]) == (6, [])


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
