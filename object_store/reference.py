"""`ObjectRef`: what an event carries instead of a path or a body.

Its JSON has exactly the names bucket, key, etag, size and contentType. It says where an object is and what it was when
the reference was made; it holds no endpoint, no credential and no URL, so it means the same on every cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ObjectRef(BaseModel):
    """One object, as it was when stored, read or listed.

    Attributes:
        bucket: the bucket's name.
        key: the whole key, unescaped.
        etag: the server's entity tag, without quotes. Not always the body's MD5: compare it, never compute it.
        size: length of the body in bytes.
        content_type: `contentType` in JSON; None where it is not known, which is so in a listing.

    `model_dump(mode="json")` and `model_dump_json()` give the published names; `model_validate_json` takes these and
    no others.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    bucket: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    etag: Annotated[str, Field(min_length=1, pattern=r'^[^"\s]+$')]
    size: Annotated[int, Field(ge=0)]
    content_type: Annotated[str | None, Field(min_length=1, alias="contentType")] = None


@dataclass(frozen=True)
class Download:
    """An object's body together with the reference that the same answer gave.

    Attributes:
        ref: bucket, key, etag, size and content type as the server sent them with the body.
        body: the whole body.
    """

    ref: ObjectRef
    body: bytes = field(repr=False)
