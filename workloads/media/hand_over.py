"""`object-store media presign-upload` and `confirm`: a producer without a key stores one file that it announced.

The rule: the URL takes only the announced bytes, once, and what the server does not enforce is said before the URL is
printed. Nothing counts before `confirm` has read every byte back; it alone prints a reference.
"""

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from typing import Any, Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from object_store import CorruptBody, NotFound, ObjectInfo, StaleReference
from object_store.content_type import guess_content_type
from workloads.archive.commit import SHA256_METADATA
from workloads.context import MEDIA, Context, Options, Told, ended, opened
from workloads.media.binding import told, unbound
from workloads.media.keys import NAME_METADATA, chat_key, name_decoded, name_encoded
from workloads.media.kinds import DERIVED, RAW, received
from workloads.media.options import PutOptions

_KEY: Final = re.compile(r"chat/([a-z][a-z0-9-]*)/[0-9]{4}/[0-9]{2}/[0-9]{2}/([0-9a-f]{16})/[^/]+")


@dataclass(frozen=True)
class PresignOptions(PutOptions):
    """The options of `presign-upload`: those of a file of a chat, which is not here.

    Attributes:
        size: Its bytes.
        sha256: Of its content.
        expires_seconds: How long the URL is valid.
    """

    size: int = 0
    sha256: str = ""
    expires_seconds: int = 900

    @property
    def is_folder(self) -> bool:
        """It is a file of a chat."""
        return False


@dataclass(frozen=True)
class ConfirmOptions(Options):
    """The options of `confirm`.

    Attributes:
        uri: Where the file was to be stored.
    """

    uri: str = ""


def presign_upload(options: PresignOptions) -> ExitCode:
    """Print the URL, what must be sent with it, and the line that confirms."""
    try:
        options.check()
        name, when = options.original_name(), options.when()
        with opened(options, MEDIA, locked=False) as context:
            missing = unbound(context.store, context.buckets(DERIVED))
            for line in told(missing):
                sys.stderr.write(f"{printable(line)}\n")
            bucket, key = context.buckets(RAW), chat_key(options.source, when, options.sha256, name)
            upload = context.store.presign_upload(
                bucket,
                key,
                options.expires_seconds,
                size=options.size,
                sha256=options.sha256,
                content_type=options.content_type or guess_content_type(name),
                metadata={SHA256_METADATA: options.sha256, NAME_METADATA: name_encoded(name)},
            )
    except Told as error:
        return ended(error)
    uri = f"s3://{bucket}/{key}"
    found = {"url": upload.url, "headers": dict(upload.headers), "uri": uri, "unbound": list(missing)}
    if options.as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        lines = [*(f"{header}: {value}" for header, value in upload.headers.items()), upload.url]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return ExitCode.DONE


def confirm(options: ConfirmOptions) -> ExitCode:
    """Read a file back that somebody stored by a URL, and print the event that leads to it."""
    try:
        with opened(options, MEDIA, locked=False) as context:
            found = _confirmed(context, options.uri)
    except NotFound as error:
        return _wrong(str(error))
    except Told as error:
        return ended(error)
    if isinstance(found, str):
        return _wrong(found)
    if options.as_json:
        sys.stdout.write(redacted(json.dumps(found, indent=1)) + "\n")
    elif not options.quiet:
        sys.stdout.write(redacted(f"{options.uri}: {found['objectRef']['size']} bytes, confirmed") + "\n")
    return ExitCode.DONE


def _confirmed(context: Context, uri: str) -> dict[str, Any] | str:
    """What leads to the file; a text says why it is not confirmed."""
    bucket = context.buckets(RAW)
    key = uri.removeprefix(f"s3://{bucket}/")
    place = _KEY.fullmatch(key)
    if key == uri or place is None:
        legal = f"s3://{bucket}/chat/…, as media presign-upload prints it"
        raise InvalidInputError([Problem("URI", f"{uri[:200]!r} is not a file of a chat", legal, "media confirm URI")])
    info = context.store.stat(bucket, key)
    announced = info.metadata.get(SHA256_METADATA, "")
    digest = hashlib.sha256()
    try:
        with context.doing(f"reading {printable(key)}"):
            for block in context.store.stream(bucket, key, etag=info.ref.etag):
                digest.update(block)
    except (CorruptBody, StaleReference) as fault:
        return str(fault)
    found = digest.hexdigest()
    if found != announced or not found.startswith(place[2]):
        return f"{key} has SHA-256 {found}; announced was {announced or place[2] + '…'}"
    event = received(place[1], _name_of(info), info.ref)
    return {"sha256": found, "objectRef": event["data"]["objectRef"], "event": event}


def _name_of(info: ObjectInfo) -> str:
    return name_decoded(info.metadata.get(NAME_METADATA, "")) or info.ref.key.rpartition("/")[2]


def _wrong(reason: str) -> ExitCode:
    sys.stderr.write(redacted(printable(reason)) + "\n")
    return ExitCode.WRONG
