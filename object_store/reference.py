"""`ObjectRef`: what an event carries instead of a path or a body.

Its JSON has exactly the names bucket, key, etag, size and contentType (`schemas/object-ref.schema.json`). It says where
an object is and what the object was when the reference was made. It holds no endpoint, no credential and no URL, so it
means the same on every cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003  # pydantic and dataclasses read it at run time
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from object_store.errors import InvalidArgument, InvalidReference
from object_store.keys import check_bucket
from object_store.outgoing import Form, fault_of
from object_store.written import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME: Final = "s3://"
ETAG_PATTERN: Final = r"^[!#-~]+$"
"""The characters of an etag that a header can hold: printable ASCII, without quotes and white space."""

_SHOWN_CHARACTERS: Final = 300
_LEGAL: Final = "bucket, key, etag, size and contentType, as in schemas/object-ref.schema.json"


class ObjectRef(BaseModel):
    """One object, as it was when stored, read or listed.

    Attributes:
        bucket: the bucket's name.
        key: the whole key, unescaped.
        etag: the server's entity tag, without quotes. It is not always the body's MD5: compare it, never compute it.
        size: length of the body in bytes.
        content_type: `contentType` in JSON; None if it is unknown, as in a listing.

    `model_dump(mode="json")` and `model_dump_json()` give the published names; `parse` accepts these and no others.
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
    etag: Annotated[str, Field(min_length=1, pattern=ETAG_PATTERN)]
    size: Annotated[int, Field(ge=0)]
    content_type: Annotated[str | None, Field(min_length=1, alias="contentType")] = None

    @property
    def uri(self) -> str:
        """`s3://bucket/key`, the key unescaped, as the AWS CLI writes it; `parse_uri` reads it back."""
        return f"{_SCHEME}{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, content: str | bytes | bytearray | Mapping[str, Any]) -> Self:
        """Read the JSON of a reference, as text or already parsed.

        Raises:
            InvalidReference: a field is missing, unknown or has the wrong type, or it is not JSON; the value is not
                shown.
        """
        try:
            if isinstance(content, str | bytes | bytearray):
                content = json_of(content if isinstance(content, str) else bytes(content))
            return cls.model_validate(content, by_alias=True, by_name=False)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'objectRef'}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
        except ValueError as error:
            faults = str(error) if not isinstance(error, UnicodeError) else "it is not UTF-8"
        raise InvalidReference(f"not a reference: {faults}; legal: {_LEGAL}")


def check_etag(bucket: str, key: str, etag: str) -> None:
    """Raise InvalidReference for an etag that a server cannot have sent."""
    fault = fault_of(etag, Form.WORD) or ("holds a quote" if '"' in etag else None)
    if fault is not None:
        raise InvalidReference(
            f"the etag {fault}; legal: as in a reference, printable ASCII without its quotes", bucket=bucket, key=key
        )


def parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://bucket/key`; nothing in it is unescaped.

    Raises:
        InvalidReference: it does not have that form.
    """
    shown = repr(uri)[:_SHOWN_CHARACTERS]
    if not isinstance(uri, str) or not uri.startswith(_SCHEME):
        raise InvalidReference(f"{shown} is not an S3 URI; legal: s3://BUCKET/KEY")
    bucket, slash, key = uri.removeprefix(_SCHEME).partition("/")
    try:
        check_bucket(bucket)
    except InvalidArgument as fault:
        raise InvalidReference(f"{shown}: {fault.reason}") from None
    if not slash or not key:
        raise InvalidReference(f"{shown} has no key; legal: s3://BUCKET/KEY")
    return bucket, key


def json_schema() -> dict[str, Any]:
    """JSON Schema of a reference."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ObjectRef.model_json_schema(mode="serialization"),
    }


@dataclass(frozen=True)
class Download:
    """An object's body together with the reference from the same answer.

    Attributes:
        ref: bucket, key, etag, size and content type as the server sent them with the body.
        body: the whole body.
        metadata: the writer's metadata, by lower-case name.
        verified: whether a digest of the server's proved the body; False if it named none that can be computed.
    """

    ref: ObjectRef
    body: bytes = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    verified: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class ObjectInfo:
    """What a server says about an object without its body.

    Attributes:
        ref: bucket, key, etag, size and content type.
        metadata: the writer's metadata, by lower-case name.
        modified: when it was stored, by the server's clock.
    """

    ref: ObjectRef
    metadata: Mapping[str, str]
    modified: datetime
