"""The `minio` stand-in: the resource types of pulumi-minio 0.17.1 that the program uses, on the embedded server.

The one rule: the bugs of the real plugin are here too (it wraps terraform-provider-minio 1.20.1 of November 2023),
because the program must work with them. tests/sandbox/standin/test_minio_replay.py replays the recorded calls of the
real plugin against this package. Left out: the ten other resource types, and the retries of the real admin client,
which last up to a minute (a refused connection fails here at once).
"""

from __future__ import annotations

from sandbox.standin.minio.bucket import S3Bucket
from sandbox.standin.minio.connection import CONFIG, MinioConnection, connect
from sandbox.standin.minio.identity import IamPolicy, IamUser, IamUserPolicyAttachment
from sandbox.standin.minio.lifecycle import IlmPolicy
from sandbox.standin.minio.lost_update import DEFAULT_HOLD_SECONDS, BucketWrites
from sandbox.standin.minio.service_account import IamServiceAccount
from sandbox.standin.minio.versioning import S3BucketVersioning
from sandbox.standin.rpc import StandIn

__all__ = ["MinioConnection", "minio_stand_in"]

VERSION = "0.17.1"


def minio_stand_in(*, hold_seconds: float = DEFAULT_HOLD_SECONDS) -> StandIn[MinioConnection]:
    """Return the plugin, not yet configured.

    Args:
        hold_seconds: the minimum duration of a write to a bucket's settings; see `lost_update`.
    """
    writes = BucketWrites(hold_seconds)
    return StandIn(
        name="minio",
        version=VERSION,
        config=CONFIG,
        types=[
            S3Bucket(),
            S3BucketVersioning(),
            IlmPolicy(),
            IamUser(),
            IamPolicy(),
            IamUserPolicyAttachment(),
            IamServiceAccount(),
        ],
        connect=lambda config: connect(config, writes),
    )
