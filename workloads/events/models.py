"""The owner's events that change: as they are sent today, and with references in place of paths.

The rule: what is sent today stays legal. Each field that is new is optional, a reference has exactly the record's five
names, and a field that is missing stays missing, never null. Fields of other producers are kept. No body is in an
event: not where a reference belongs, and in no other field but the texts that are sent today.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from object_store import ObjectRef

BODY_BYTES: Final = 16 * 1024
"""A text of this size is a body: no path, title or link is as long."""
_STORE_IT: Final = "store it, and send its reference (docs/events.md)"
_DATA: Final = "data:"


class Reference(ObjectRef):
    """A reference as events carry it: none of the five names is missing.

    Attributes:
        content_type: `contentType` in JSON.
    """

    model_config = ConfigDict(validate_by_name=False)

    content_type: Annotated[str, Field(min_length=1, alias="contentType")]


def _given(value: object) -> object:
    """Refuse what is sent in place of a reference."""
    if value is None:
        raise ValueError("is null; leave it out if there is none")
    if isinstance(value, str):
        raise ValueError(f"is text, and not a reference: if it is the body, {_STORE_IT}")  # noqa: TRY004 - pydantic's
    if isinstance(value, ObjectRef):
        return value.model_dump(mode="json")
    return value


def _without_default(schema: dict[str, Any]) -> None:
    """A missing reference is left out, never null."""
    del schema["default"]
    schema.update(*(one for one in schema.pop("anyOf") if "$ref" in one))


Ref = Annotated[Reference | None, BeforeValidator(_given), Field(json_schema_extra=_without_default)]
"""A field for a reference."""
Number = int | float
Shim = Literal["nasPath", "filePath"]


@dataclass(frozen=True)
class Place:
    """A reference, and the fields whose place it takes.

    Attributes:
        ref: The field of the reference.
        shims: The fields that lead to the same bytes today, with their kind: a path of the NAS, or of this machine.
        until: When these may go; or, without one, what the reference adds.
    """

    ref: str
    shims: Mapping[str, Shim]
    until: str


class EventData(BaseModel):
    """The data of an event.

    Attributes:
        NAME: The event's name.
        ALIASES: Older names of it.
        PLACES: Its references, the main one first.
        ONE_OF: Fields of which one must be there: the first is the reference, the second is required today.
        TEXTS: Fields that hold a text of any length today.
    """

    NAME: ClassVar[str]
    ALIASES: ClassVar[tuple[str, ...]] = ()
    PLACES: ClassVar[tuple[Place, ...]]
    ONE_OF: ClassVar[tuple[str, ...]] = ()
    TEXTS: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        serialize_by_alias=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _holds_no_body(cls, data: object) -> object:
        for name, value in data.items() if isinstance(data, Mapping) else ():
            if name not in cls.TEXTS and any(_is_body(text) for text in _texts(value)):
                raise ValueError(f"{str(name)[:64]!r} holds a body: {_STORE_IT}")
        return data

    @model_validator(mode="after")
    def _leads_to_bytes(self) -> Self:
        given = self.model_dump(exclude_unset=True)
        if self.ONE_OF and not any(given.get(name) for name in self.ONE_OF):
            raise ValueError(f"has none of {', '.join(self.ONE_OF)}")
        return self

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON Schema of the data."""
        schema = cls.model_json_schema(mode="validation")
        if cls.ONE_OF:
            schema["anyOf"] = [
                {"required": [name]}
                if name.endswith("Ref")
                else {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
                for name in cls.ONE_OF
            ]
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": cls.NAME, **schema}


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _is_body(text: str) -> bool:
    return len(text) > BODY_BYTES or (text[: len(_DATA)].lower() == _DATA and ";base64," in text[:256])


_COUNTED: Final = "`resolve` has counted no use of it for 30 days"


class VideoDownloaded(EventData):
    """`pipeline/video.downloaded`: a video is stored."""

    NAME = "pipeline/video.downloaded"
    PLACES = (
        Place("objectRef", {"nasPath": "nasPath"}, f"`transcript-process` reads `objectRef`, and {_COUNTED}"),
        Place("infoRef", {}, "yt-dlp's `info.json`, until now only in the folder of `nasPath`"),
        Place("thumbnailRef", {}, "the thumbnail, until now only in the folder of `nasPath`"),
        Place("manifestRef", {}, "the manifest of all files of the download"),
    )
    ONE_OF = ("objectRef", "nasPath")

    slug: str
    title: str
    channel: str
    duration: Number
    source_url: str
    published_date: str
    nas_path: str | None = None
    tmp_dir: str | None = None
    object_ref: Ref = None
    info_ref: Ref = None
    thumbnail_ref: Ref = None
    manifest_ref: Ref = None


class TranscriptRequested(EventData):
    """`pipeline/transcript.requested`: something is to be transcribed."""

    NAME = "pipeline/transcript.requested"
    ALIASES = ("pipeline/transcript.process",)
    PLACES = (
        Place(
            "objectRef",
            {"audioPath": "filePath"},
            f"the transcriber reads `objectRef`, and {_COUNTED}; `nasPath` and `tmpDir` go with it",
        ),
    )
    TEXTS = frozenset({"text"})

    source: str
    title: str
    slug: str
    audio_path: str | None = None
    text: str | None = None
    channel: str | None = None
    published_date: str | None = None
    duration: Number | None = None
    source_url: str | None = None
    nas_path: str | None = None
    tmp_dir: str | None = None
    screenshots: dict[str, Any] | None = None
    object_ref: Ref = None

    @model_validator(mode="after")
    def _is_not_both(self) -> Self:
        if self.object_ref is not None and len(self.text or "") > BODY_BYTES:
            raise ValueError(f"'text' holds a body beside objectRef: {_STORE_IT}")
        return self


class TranscriptProcessed(EventData):
    """`pipeline/transcript.processed`: a note was made of a transcript."""

    NAME = "pipeline/transcript.processed"
    PLACES = (Place("transcriptRef", {}, "the whole transcript; until now it is only in the note"),)

    vault_path: str
    title: str
    slug: str
    source: str
    transcript_ref: Ref = None


class MediaReceived(EventData):
    """`media/received`: a file came in a chat."""

    NAME = "media/received"
    PLACES = (Place("objectRef", {"localPath": "filePath"}, f"`media-process` reads `objectRef`, and {_COUNTED}"),)
    ONE_OF = ("objectRef", "localPath")
    TEXTS = frozenset({"caption"})

    source: str
    type: str
    mime_type: str
    file_size: Number
    local_path: str | None = None
    file_name: str | None = None
    caption: str | None = None
    origin_session: str | None = None
    metadata: dict[str, Any] | None = None
    object_ref: Ref = None


class MediaProcessed(EventData):
    """`media/processed`: a file of a chat was described or transcribed, and stored."""

    NAME = "media/processed"
    PLACES = (
        Place(
            "objectRef",
            {"archivePath": "nasPath", "localPath": "filePath"},
            f"its consumers read `objectRef`, and {_COUNTED}",
        ),
    )
    ONE_OF = ("objectRef", "localPath")
    TEXTS = frozenset({"description", "transcript"})

    source: str
    type: str
    local_path: str | None = None
    description: str | None = None
    transcript: str | None = None
    archive_path: str | None = None
    origin_session: str | None = None
    object_ref: Ref = None


class BookDownloaded(EventData):
    """`pipeline/book.downloaded`: a book is stored."""

    NAME = "pipeline/book.downloaded"
    PLACES = (
        Place(
            "objectRef",
            {"nasPath": "nasPath"},
            f"`docs-ingest` gets `objectRef`, and {_COUNTED}; today's `/volume1/home/…` is read by no mount",
        ),
    )
    TEXTS = frozenset({"reason"})

    title: str
    author: str | None = None
    nas_path: str | None = None
    md5: str | None = None
    query: str | None = None
    reason: str | None = None
    format: str | None = None
    output_dir: str | None = None
    selected_by: str | None = None
    tags: list[str] | None = None
    object_ref: Ref = None


class DocsIngestRequested(EventData):
    """`docs/ingest.requested`: a document is to be read in."""

    NAME = "docs/ingest.requested"
    PLACES = (
        Place(
            "objectRef",
            {"filePath": "filePath", "nasPath": "nasPath"},
            f"`docs-ingest` resolves `objectRef` with the identity expression, and {_COUNTED}",
        ),
    )

    nas_path: str | None = None
    file_path: str | None = None
    title: str | None = None
    tags: list[str] | None = None
    storage_category: str | None = None
    source_host: str | None = None
    idempotency_key: str | None = None
    object_ref: Ref = None


class DocsIngestCompleted(EventData):
    """`docs/ingest.completed`: a document was read in."""

    NAME = "docs/ingest.completed"
    PLACES = (
        Place(
            "objectRef",
            {"nasPath": "nasPath"},
            f"docs-api, the CLI and critical-search read `objectRef`, and {_COUNTED}",
        ),
    )
    ONE_OF = ("objectRef", "nasPath")

    doc_id: str
    title: str
    storage_category: str
    primary_concept_id: str
    concept_ids: list[str]
    taxonomy_version: str
    chunks_indexed: Number
    section_chunks: Number
    snippet_chunks: Number
    nas_path: str | None = None
    object_ref: Ref = None


class DocsReindexRequested(EventData):
    """`docs/reindex-v2.requested`: a document is to be indexed again."""

    NAME = "docs/reindex-v2.requested"
    PLACES = (Place("objectRef", {"nasPath": "nasPath"}, f"the reindex functions resolve `objectRef`, and {_COUNTED}"),)
    ONE_OF = ("objectRef", "nasPath")

    doc_id: str | None = None
    title: str | None = None
    skip_existing_artifacts: bool | None = None
    nas_path: str | None = None
    object_ref: Ref = None


class DiscoveryCaptured(EventData):
    """`discovery/captured`: a note was made of a discovery."""

    NAME = "discovery/captured"
    PLACES = (
        Place("rawRef", {}, "the bytes as they were fetched; until now they are not kept"),
        Place("extractRef", {}, "the uncut text; until now it is cut to 8,000 characters and not kept"),
    )
    TEXTS = frozenset({"degradedReason"})

    vault_path: str
    topic: str
    slug: str
    site: str
    visibility: str
    final_link: str
    url: str | None = None
    title: str | None = None
    tags: list[str] | None = None
    capture_status: str | None = None
    degraded_reason: str | None = None
    raw_ref: Ref = None
    extract_ref: Ref = None


MODELS: Final[tuple[type[EventData], ...]] = (
    VideoDownloaded,
    TranscriptRequested,
    TranscriptProcessed,
    MediaReceived,
    MediaProcessed,
    BookDownloaded,
    DocsIngestRequested,
    DocsIngestCompleted,
    DocsReindexRequested,
    DiscoveryCaptured,
)
BY_NAME: Final[Mapping[str, type[EventData]]] = {name: one for one in MODELS for name in (one.NAME, *one.ALIASES)}
