"""The verifier's mark on what it puts, and which leftovers of a killed run it proves.

The rule: age alone proves nothing, because a workload may put an object under `.verify/`, also one that is dated back.
An object is a verifier's if its key has the form of a run's and its metadata name that run. A delete marker has no
metadata; it is removed only with the objects of its key.
"""

import re
from collections.abc import Collection, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from model.plan import PROBE_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The name of the metadata; the value is the run's id, which the key has, too.
MARK = "object-store-verify"
_RUN = re.compile(rf"{re.escape(PROBE_PREFIX)}([0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{6}})/.+", re.DOTALL)
_AT_ONCE = 8


@dataclass(frozen=True)
class Version:
    """A version or a delete marker under `.verify/`.

    Attributes:
        key: Its key.
        version_id: Its version id; `null` in a bucket without versions.
        modified: When the server says it was stored.
        is_latest: Whether it is the key's current version.
        is_marker: Whether it is a delete marker.
    """

    key: str
    version_id: str
    modified: datetime
    is_latest: bool
    is_marker: bool


def of_run(key: str) -> str:
    """The id of the run that a key has the form of; empty for other keys."""
    found = _RUN.fullmatch(key)
    return found[1] if found else ""


def mark_for(key: str) -> dict[str, str]:
    """The metadata of an object that the suite puts; none outside a run's prefix."""
    run = of_run(key)
    return {MARK: run} if run else {}


def mark_headers(mark: Mapping[str, str]) -> dict[str, str]:
    """The mark as headers, for a put by a presigned URL."""
    return {f"x-amz-meta-{name}": value for name, value in mark.items()}


def unmarked(metadata: Mapping[str, str]) -> dict[str, str]:
    """An object's metadata without the mark."""
    return {name: value for name, value in metadata.items() if name != MARK}


def add_mark(params: MutableMapping[str, Any], context: Mapping[str, Any], **_: object) -> None:
    """Add the mark to a put of boto3; a presigned URL needs it among its headers, so its caller adds it."""
    mark = mark_for(str(params.get("Key", "")))
    if mark and not context.get("is_presign_request"):
        params["Metadata"] = {**params.get("Metadata", {}), **mark}


def ours(client: "S3Client", bucket: str, found: Collection[Version], oldest: datetime) -> list[Version]:
    """The leftovers that a verifier wrote before a time.

    Args:
        client: The verifier's client.
        bucket: The bucket's name.
        found: Versions and delete markers whose keys have the form of a run's.
        oldest: Younger ones may belong to an active run.
    """
    objects = [one for one in found if not one.is_marker]
    aged = [one for one in objects if one.modified < oldest]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        marks = pool.map(lambda one: _is_marked(client, bucket, one), aged)
        proven = [one for one, is_marked in zip(aged, marks, strict=True) if is_marked]
    left = {one.key for one in objects if one not in proven}
    markers = [one for one in found if one.is_marker and one.modified < oldest and one.key not in left]
    return [*proven, *markers]


def _is_marked(client: "S3Client", bucket: str, one: Version) -> bool:
    """Whether an object has the mark of its run; one that cannot be read is not ours."""
    version: dict[str, Any] = {} if one.version_id == "null" and one.is_latest else {"VersionId": one.version_id}
    try:
        metadata = client.head_object(Bucket=bucket, Key=one.key, **version)["Metadata"]
    except ClientError:
        return False
    return metadata.get(MARK) == of_run(one.key)
