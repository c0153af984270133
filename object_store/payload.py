"""Events that say where their bytes are: by `objectRef`, or still by the shim `nasPath` (or `filePath`).

The rule: the reference goes first, and a reference that fails is an error. The shim is used only if there is no
reference. Each use is logged and counted, so that the shim can be retired. A downloaded file is in a temporary folder,
which is removed with the context; a file on the NAS is never deleted. A consumer must delete neither, also in its own
clean-up.

Three kinds of path share the name `nasPath`: the NAS's own path (`/volume1/joelclaw/…`), which `mounts` translates, the
mounted path (`/Volumes/three-body/…`), and `filePath`, a file of this machine. `/volume1/home` is not exported. A
`filePath` may be any file that this process can read, such as its environment or a key, so the consumer names the
folders that its senders may use.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002  # pydantic reads it at run time

from object_store.errors import InvalidReference, LocalFileError, PayloadUnresolved, StaleReference
from object_store.files import replacing
from object_store.mounts import DEFAULT_MOUNTS, local, mounted, unreadable
from object_store.reference import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from object_store.store import ObjectStore

Source: TypeAlias = Literal["objectRef", "nasPath", "filePath"]
"""The field of the event that led to the bytes."""

IDENTITY_EXPRESSION: Final = (
    '((event.data.objectRef ? "s3://" + event.data.objectRef.bucket + "/" + event.data.objectRef.key + " " + '
    "event.data.objectRef.etag : (event.data.nasPath ? event.data.nasPath : event.data.filePath)) + "
    '(event.data.idempotencyKey ? "::" + event.data.idempotencyKey : ""))'
)
"""`identity_of` as a CEL expression, for a function's `idempotency`."""

_MAX_NAME_BYTES: Final = 200
_LEGAL: Final = "legal: an objectRef, a nasPath or a filePath, as in schemas/payload.schema.json"
_log = logging.getLogger(__name__)


def _without_default(schema: dict[str, Any]) -> None:
    """A missing reference is left out, never null."""
    del schema["default"]


class Payload(BaseModel):
    """The fields of an event that this module reads; the event may have others.

    Attributes:
        object_ref: `objectRef` in JSON, with exactly the fields of a reference.
        nas_path: `nasPath`; an empty one counts as missing.
        file_path: `filePath`, likewise.
        idempotency_key: `idempotencyKey`, by which its sender marks repeats.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        validate_by_alias=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["objectRef"]},
                {"required": ["nasPath"], "properties": {"nasPath": {"type": "string", "minLength": 1}}},
                {"required": ["filePath"], "properties": {"filePath": {"type": "string", "minLength": 1}}},
            ]
        },
    )

    object_ref: Annotated[
        ObjectRef | SkipJsonSchema[None],
        Field(alias="objectRef", json_schema_extra=_without_default),
    ] = None
    nas_path: Annotated[str | None, Field(alias="nasPath")] = None
    file_path: Annotated[str | None, Field(alias="filePath")] = None
    idempotency_key: Annotated[str | None, Field(alias="idempotencyKey")] = None

    @field_validator("nas_path", "file_path", "idempotency_key")
    @classmethod
    def _is_utf8(cls, value: str | None) -> str | None:
        """JSON can spell a lone surrogate, which neither a path nor an identity can hold."""
        try:
            (value or "").encode()
        except UnicodeEncodeError:
            raise ValueError("holds a lone surrogate, which is not UTF-8") from None
        return value

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Read the data of an event.

        Raises:
            InvalidReference: `objectRef` exists and is not a reference.
            PayloadUnresolved: both reference and path are missing, or another field has the wrong type.
        """
        if not isinstance(event, Mapping):
            raise PayloadUnresolved(f"the event's data is {type(event).__name__}, not an object; {_LEGAL}")
        fields = {name: event[name] for name in ("nasPath", "filePath", "idempotencyKey") if name in event}
        if "objectRef" in event:
            fields["objectRef"] = _reference(event["objectRef"])
        try:
            payload = cls.model_validate(fields)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
        else:
            if payload.object_ref or payload.nas_path or payload.file_path:
                return payload
            faults = "no field leads to bytes"
        raise PayloadUnresolved(f"{faults}; {_LEGAL}")


@dataclass(frozen=True)
class LocalCopy:
    """A file that holds the bytes as long as the context lasts; never delete it.

    Attributes:
        path: the file, with the suffix of its key or path.
        source: the field of the event that led to it.
        temporary: whether it is removed with the context.
        ref: the object, as the store returned it; None for a path.
    """

    path: Path
    source: Source
    temporary: bool
    ref: ObjectRef | None


@contextmanager
def resolve(
    payload: Mapping[str, Any],
    store: ObjectStore,
    *,
    mounts: Mapping[str, Path] = DEFAULT_MOUNTS,
    folders: Iterable[Path] = (),
    count: Callable[[Source], None] | None = None,
) -> Iterator[LocalCopy]:
    """Provide the bytes of an event as a file of this machine, as long as the context lasts.

    Args:
        payload: the event's data.
        store: the store in which references are looked up.
        mounts: the NAS's own names of its exports, and where they are mounted here.
        folders: folders of this machine below which a `filePath` may be, besides the mounts.
        count: called with the used field, once the bytes are available.

    Yields:
        The file, and where it came from.

    Raises:
        InvalidReference: `objectRef` is not a reference.
        PayloadUnresolved: both reference and path are missing, or the path does not lead to a file here. The message
            says what to do.
        StaleReference: the object was replaced, or its size is not that of the reference.
        IncompleteTransfer: the body did not arrive completely.
        LocalFileError: the temporary file cannot be written.
        ObjectStoreError: as `ObjectStore.stream`; the shim is then not tried.
    """
    event = Payload.parse(payload)
    with ExitStack() as stack:
        ref = event.object_ref
        local = _on_disk(event, mounts, folders) if ref is None else _downloaded(ref, store, stack)
        _log.info("payload by %s: %r", local.source, local.ref.uri if local.ref else str(local.path))
        if count is not None:
            count(local.source)
        yield local


def identity_of(payload: Mapping[str, Any]) -> str:
    """Return the identity of an event: never empty, and never only the sender's `idempotencyKey`.

    It is `s3://BUCKET/KEY ETAG` if there is a reference, otherwise `nasPath`, otherwise `filePath`; then, if there is
    one, `::` and `idempotencyKey`. For an event with a path and a key, docs-ingest has the same identity today. But its
    expression gives `::KEY` for every event that has only a reference, so all of them would count as one. Use instead:

        ((event.data.objectRef ? "s3://" + event.data.objectRef.bucket + "/" + event.data.objectRef.key + " " +
        event.data.objectRef.etag : (event.data.nasPath ? event.data.nasPath : event.data.filePath)) +
        (event.data.idempotencyKey ? "::" + event.data.idempotencyKey : ""))

    which is `IDENTITY_EXPRESSION`, in one line.

    Raises:
        InvalidReference: `objectRef` is not a reference.
        PayloadUnresolved: both reference and path are missing.
    """
    event = Payload.parse(payload)
    place = f"{event.object_ref.uri} {event.object_ref.etag}" if event.object_ref else event.nas_path or event.file_path
    return f"{place}::{event.idempotency_key}" if event.idempotency_key else str(place)


def json_schema() -> dict[str, Any]:
    """JSON Schema of an event's data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Payload.model_json_schema(mode="validation"),
    }


def _reference(given: object) -> ObjectRef:
    if isinstance(given, ObjectRef):
        return given
    if not isinstance(given, Mapping):
        raise InvalidReference(f"objectRef is {type(given).__name__}, not an object; leave it out if there is none")
    return ObjectRef.parse(given)


def _downloaded(ref: ObjectRef, store: ObjectStore, stack: ExitStack) -> LocalCopy:
    stream = store.stream(ref.bucket, ref.key, etag=ref.etag)
    if stream.ref.size != ref.size:
        raise StaleReference(
            f"the object has {stream.ref.size} bytes, but the reference says {ref.size}", bucket=ref.bucket, key=ref.key
        )
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="object-store-payload-"))
    except OSError as fault:
        raise LocalFileError(f"cannot create a temporary folder: {fault.strerror}") from None
    path = Path(folder, _name_of(ref.key))
    with replacing(path, bucket=ref.bucket, key=ref.key) as partial:
        for block in stream:
            partial.write(block)
    return LocalCopy(path, "objectRef", temporary=True, ref=stream.ref)


def _name_of(key: str) -> str:
    """Return the key's last segment, short enough for a file system; the suffix stays, as consumers need it."""
    name = key.rpartition("/")[2]
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    return f"object{suffix if len(suffix.encode()) <= _MAX_NAME_BYTES else ''}"


def _on_disk(event: Payload, mounts: Mapping[str, Path], folders: Iterable[Path]) -> LocalCopy:
    """Find the file by path. `filePath` goes first, as in docs-ingest: it exists before the file reaches the NAS."""
    faults = []
    if event.file_path:
        path, fault = local(event.file_path, (*folders, *mounts.values()))
        fault = fault or unreadable(path)
        if fault is None:
            return LocalCopy(path, "filePath", temporary=False, ref=None)
        faults.append(f"filePath {event.file_path!r} {fault}")
    if event.nas_path:
        path, fault = mounted(event.nas_path, mounts)
        fault = fault or unreadable(path)
        if fault is None:
            return LocalCopy(path, "nasPath", temporary=False, ref=None)
        faults.append(f"nasPath {event.nas_path!r} {fault}")
    raise PayloadUnresolved("; ".join(faults))
