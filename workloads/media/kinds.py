"""The three kinds of media: a file of a chat, what was made of a stored file, and a download of yt-dlp.

The rule: the manifest of a download is put last. What leads to the files depends on content, source and the event's
time, and on no run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from object_store import ObjectRef
from object_store.content_type import DEFAULT_CONTENT_TYPE, guess_content_type
from workloads.archive.commit import sha256_of
from workloads.archive.proven import put_proven
from workloads.context import Context
from workloads.events.event import Event
from workloads.media.download import AUDIO, INFO, VIDEO, Download, DownloadError, read_download
from workloads.media.keys import chat_key, derived_key, video_key
from workloads.media.length import SUFFIXES, seconds_of
from workloads.media.manifest import CONTENT_TYPE, NAME, described, manifest_of
from workloads.media.options import PutOptions
from workloads.media.stored import StoredFile, store_file

RAW: Final = "media-raw"
DERIVED: Final = "media-derived"
_LENGTH_DIFFERS: Final = 0.05
_TYPES: Final = ("image", "audio", "video")


@dataclass(frozen=True)
class Put:
    """What was stored.

    Attributes:
        files: The files, the main one first.
        printed: What leads to it.
        notes: What a reader should know.
    """

    files: Sequence[StoredFile]
    printed: dict[str, Any]
    notes: Sequence[str] = field(default=())


def put(context: Context, options: PutOptions, stage: Callable[[str], None]) -> Put:
    """Store what the options name.

    Raises:
        UnfitError: A file cannot be stored.
        DownloadError: A folder is not one whole download.
        InvalidInputError: An option is wrong.
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: A file cannot be read.
    """
    if options.path.is_dir():
        return _put_download(context, options, stage)
    if options.of:
        return _put_derived(context, options)
    return _put_of_chat(context, options)


def _put_of_chat(context: Context, options: PutOptions) -> Put:
    name, when = options.original_name(), options.when()
    content_type = options.content_type or guess_content_type(name)
    with context.doing(f"storing {printable(name)}"):
        stored = store_file(
            context.store,
            context.buckets(RAW),
            options.path,
            name,
            lambda sha256: chat_key(options.source, when, sha256, name),
            content_type,
            follow=True,
        )
    event = received(options.source, name, stored.ref)
    return Put([stored], {"sha256": stored.sha256, "objectRef": event["data"]["objectRef"], "event": event})


def received(source: str, name: str, ref: ObjectRef) -> dict[str, Any]:
    """The event of a file of a chat."""
    content_type = ref.content_type or DEFAULT_CONTENT_TYPE
    main = content_type.partition("/")[0]
    data = {
        "source": source,
        "type": main if main in _TYPES else "document",
        "mimeType": content_type,
        "fileName": name.encode(errors="replace").decode(),
        "fileSize": ref.size,
        "objectRef": ref.model_dump(mode="json"),
    }
    return _event("media/received", data)


def _put_derived(context: Context, options: PutOptions) -> Put:
    name, original = options.original_name(), _original(context, options.of)
    with context.doing(f"storing {printable(name)}"):
        stored = store_file(
            context.store,
            context.buckets(DERIVED),
            options.path,
            name,
            lambda sha256: derived_key(original.key, sha256, name),
            options.content_type or guess_content_type(name),
            follow=True,
        )
    printed = {
        "sha256": stored.sha256,
        "objectRef": stored.ref.model_dump(mode="json"),
        "of": original.model_dump(mode="json"),
    }
    return Put([stored], printed)


def _original(context: Context, uri: str) -> ObjectRef:
    """The stored file of which something was made. Raise InvalidInputError."""
    bucket = context.buckets(RAW)
    key = uri.removeprefix(f"s3://{bucket}/")
    if key == uri or not key:
        line = f"--of s3://{bucket}/chat/…"
        raise InvalidInputError([Problem("--of", f"{uri[:200]!r} names no media file", f"s3://{bucket}/KEY", line)])
    return context.store.head(bucket, key)


def _put_download(context: Context, options: PutOptions, stage: Callable[[str], None]) -> Put:
    download = read_download(options.path, exit_status=options.exit_status)
    _check_length(options.path, download)
    store, bucket = context.store, context.buckets(RAW)
    stored: dict[str, StoredFile] = {}
    thumbnail = (download.thumbnail,) if download.thumbnail else ()
    for path in (download.main, download.info_file, *thumbnail, *download.others):
        with context.doing(f"storing {printable(path.name)}"):
            stored[path.name] = store_file(
                store,
                bucket,
                path,
                path.name,
                lambda sha256, name=path.name: video_key(download.extractor, download.identity, sha256, name),  # type: ignore[misc]  # mypy cannot infer a lambda's default
                _content_type(path, download),
            )
        stage("file")
    body = manifest_of(download, {name: (one.ref, one.sha256) for name, one in stored.items()})
    sha256 = sha256_of(body)
    first = video_key(download.extractor, download.identity, sha256, NAME)
    kept, _ = put_proven(
        store,
        bucket,
        lambda number: first if number == 1 else first.replace(f"/{NAME}", f".{number}/{NAME}"),
        body,
        sha256,
        content_type=CONTENT_TYPE,
    )
    stage("manifest")
    manifest = ObjectRef(bucket=bucket, key=kept.key, etag=kept.etag, size=kept.size, content_type=CONTENT_TYPE)
    named = {"objectRef": download.main, "infoRef": download.info_file, "thumbnailRef": download.thumbnail}
    refs = {name: stored[path.name].ref.model_dump(mode="json") for name, path in named.items() if path is not None}
    refs["manifestRef"] = manifest.model_dump(mode="json")
    data = {**described(download), **refs}
    printed = {
        "sha256": stored[download.main.name].sha256,
        **refs,
        "others": [stored[path.name].ref.model_dump(mode="json") for path in download.others],
        "notes": list(download.notes),
        "event": _event("pipeline/video.downloaded", data),
    }
    return Put([*stored.values()], printed, download.notes)


def _check_length(folder: Path, download: Download) -> None:
    """Refuse a film that has another length than its description. Raise DownloadError."""
    wanted = download.info.get("duration")
    if not isinstance(wanted, int | float) or wanted <= 0:
        return
    found = seconds_of(download.main) if download.main.suffix.lower().lstrip(".") in SUFFIXES else None
    if found is not None and abs(found - wanted) > _LENGTH_DIFFERS * wanted:
        reason = f"{download.main.name} is {found:.0f} s long, and {INFO} says {wanted:.0f} s"
        raise DownloadError(folder, [reason])


def _content_type(path: Path, download: Download) -> str:
    if path == download.main:
        return download.content_type
    return {**VIDEO, **AUDIO}.get(path.suffix.lower().lstrip("."), guess_content_type(path.name))


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """The event, which its model accepts."""
    return {"name": name, "data": dict(Event.of(name, data).given)}
