"""ops.recover.interrupted: pending operations of a killed update are resolved without changing the server."""

from typing import Any

from ops.recover.interrupted import taken_up


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

    assert len(found.state["deployment"]["resources"]) == 1
    kinds = ("minio:index/iamServiceAccount:IamServiceAccount", "pulumi-python:dynamic/identity:ServiceAccount")
    assert (len(found.under_way), found.keys) == (5, tuple(f"urn::{kind}" for kind in kinds))
