"""Which user metadata the adapter accepts: names and values that every S3 server returns unchanged.

HTTP carries metadata as `x-amz-meta-…` headers. Names lose their case. Values lose spaces at both ends and all
characters that are not ASCII. All metadata together may have 2 KB.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from object_store.errors import InvalidMetadata
from object_store.outgoing import Form, fault_of

MAX_METADATA_BYTES: Final = 2048
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LEGAL = (
    "legal: names of a-z, 0-9 and '-', values of printable ASCII without spaces at the ends, "
    f"together at most {MAX_METADATA_BYTES} bytes"
)


def check_metadata(bucket: str, key: str, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the metadata. Raise InvalidMetadata if it would not come back unchanged."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidMetadata(f"the metadata has type {type(metadata).__name__}; {_LEGAL}", bucket=bucket, key=key)
    for name, value in metadata.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidMetadata(f"{name!r} is not a valid metadata name; {_LEGAL}", bucket=bucket, key=key)
        fault = fault_of(value, Form.HEADER)
        if fault is not None:
            raise InvalidMetadata(f"the value of metadata {name!r} {fault}; {_LEGAL}", bucket=bucket, key=key)
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        raise InvalidMetadata(f"the metadata has {size} bytes; {_LEGAL}", bucket=bucket, key=key)
    return dict(metadata)
