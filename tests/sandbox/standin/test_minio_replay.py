"""Recorded calls of the real pulumi-minio 0.17.1, replayed against the stand-in on a new embedded server.

`pulumi-minio-calls.jsonl` holds every distinct call that a real engine made to the real plugin on a real MinIO server,
in 49 steps, and the answers; `pulumi-minio-more-calls.jsonl` holds single calls made to the same plugin on a server of
February 2026: what a program may get wrong, imports, partial failures, diffs of odd states, refused credentials.

The remaining differences are listed with their reasons. See `replaying` for the comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.server.temporary import running_server
from sandbox.standin.values import UNKNOWN
from tests.sandbox.standin.replaying import PREFIX, Recording, Replay, Store, running_plugin

if TYPE_CHECKING:
    from pathlib import Path


def _take_warm_rule_away(store: Store) -> None:
    s3, bucket = store.s3, f"{PREFIX}session-archive"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    kept: Any = [rule for rule in rules if rule["ID"] != "warm"]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": kept})


def _leave_versions(store: Store) -> None:
    s3, bucket = store.s3, "lbb"
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.delete_object(Bucket=bucket, Key="k")


WITH_ENGINE = Recording(
    "pulumi-minio-calls.jsonl",
    by_hand={
        "drift: refresh": _take_warm_rule_away,
        "drift: lifecycle removed by hand; refresh": lambda store: store.s3.delete_bucket_lifecycle(
            Bucket=f"{PREFIX}session-archive"
        ),
        "drift: bucket deleted by hand; refresh": lambda store: store.s3.delete_bucket(
            Bucket=f"{PREFIX}agent-loop-artifacts"
        ),
        "drift: versioning suspended by hand; refresh": lambda store: store.s3.put_bucket_versioning(
            Bucket=f"{PREFIX}session-archive", VersioningConfiguration={"Status": "Suspended"}
        ),
        "bad: bucket exists already": lambda store: store.s3.create_bucket(
            Bucket=f"{PREFIX}already-there", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        ),
        "bad: destroy with an object in a bucket": lambda store: store.s3.put_object(
            Bucket=f"{PREFIX}agent-loop-artifacts", Key="left-behind", Body=b"x"
        ),
    },
    left_out={
        163: [34],  # the attachment of the user that was named back
        170: [148],  # the attachment goes before the policy that is renamed
        182: [34],  # the attachment of the policy that was named back
        184: [148],  # the attachment that the program no longer has
        198: [26, 30],  # bucket and lifecycle under the old name, before the new ones go
        235: [32],  # the lifecycle that was removed by hand
        241: [26, 30],  # the bucket that was deleted by hand, and its lifecycle
        277: [24],  # the provider, configured well again
    },
)
SINGLE_CALLS = Recording("pulumi-minio-more-calls.jsonl", by_hand={"delete force": _leave_versions})


@pytest.mark.parametrize("recording", [WITH_ENGINE, SINGLE_CALLS], ids=lambda recording: recording.name)
def test_answers_as_the_real_plugin_did(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every recorded call gets the answer of the real plugin, except the listed differences."""
    with running_server("aistor", tmp_path, plugin=False) as server, running_plugin() as stub:
        differing = Replay(stub, Store.of(server), recording).run()

    with capsys.disabled():
        count = len(recording.calls)
        print(  # noqa: T201 - readers look for the count
            f"\n{recording.name}: {count} recorded calls replayed, {count - len(differing)} answered the same, "
            f"{len(recording.differences)} listed differences"
        )
    unlisted = {number: text for number, text in differing.items() if number not in recording.differences}

    assert unlisted == {}
    assert sorted(recording.differences) == sorted(differing)


def test_recordings_are_whole() -> None:
    """The engine's recording holds 286 calls in 49 steps, and the other file 258 single calls."""
    assert len(WITH_ENGINE.calls) == 286
    assert len({call["step"] for call in WITH_ENGINE.calls}) == 49
    assert len(SINGLE_CALLS.calls) == 258


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": None}, {}),
        ({"secret": "<secret-1>"}, "in the clear"),
        ("<unknown>", "known"),
        ("<secret-1>", UNKNOWN),
        (["<secret-1>", "<secret-1>"], ["one", "another"]),
        (["<secret-1>", "<secret-2>"], ["same", "same"]),
        ("worker-<timestamp>", "reader-20261125035813079700000002"),
        ('{"Statement": [{"Action": ["a", "b"]}]}', '{"Statement": [{"Action": ["a"]}]}'),
    ],
)
def test_comparison_notices(expected: object, actual: object) -> None:
    """A wrong answer is a difference: a placeholder does not match every value."""
    store = Store("127.0.0.1:9000", "admin-user", "password", None)
    with grpc.insecure_channel("127.0.0.1:9") as channel:
        replay = Replay(provider_pb2_grpc.ResourceProviderStub(channel), store, WITH_ENGINE)

        assert list(replay._differing(expected, actual, "", new_ids=True))
