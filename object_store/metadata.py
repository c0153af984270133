"""What user metadata the adapter takes: names and values that every S3 server gives back as it got them.

HTTP carries it as `x-amz-meta-…` headers: names lose their case, values their outer spaces and anything that is not
ASCII, and all of it together may have 2 KB.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from object_store.errors import InvalidMetadata

MAX_METADATA_BYTES: Final = 2048
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_LEGAL = (
    "legal: names of a-z, 0-9 and '-', values of printable ASCII without spaces at the ends, "
    f"together at most {MAX_METADATA_BYTES} bytes"
)


def check_metadata(bucket: str, key: str, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the metadata if it survives the way: InvalidMetadata."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidMetadata(f"the metadata is {type(metadata).__name__}; {_LEGAL}", bucket=bucket, key=key)
    for name, value in metadata.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidMetadata(f"{name!r} cannot be the name of metadata; {_LEGAL}", bucket=bucket, key=key)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise InvalidMetadata(f"the value of metadata {name!r} does not survive; {_LEGAL}", bucket=bucket, key=key)
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        raise InvalidMetadata(f"the metadata has {size} bytes; {_LEGAL}", bucket=bucket, key=key)
    return dict(metadata)
