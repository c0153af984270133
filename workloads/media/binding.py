"""What a server enforces of a URL for one given body: found by trying to break it, before a URL is handed out.

The rule: what is tried goes to a key of its own in a bucket where it can be removed. A server that enforces all takes
nothing of it.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from urllib3.exceptions import HTTPError

from object_store import ObjectStore
from object_store.connections import Connections, ca_file_of
from object_store.translation import translated

_BODY: Final = b"a body that is announced"
_SECONDS: Final = 60
_OK: Final = 200


def unbound(store: ObjectStore, bucket: str) -> tuple[str, ...]:
    """What the server does not enforce: of `checksum`, `length`, `content type` and `condition`.

    Raises:
        ObjectStoreError: The server is away, or what it took cannot be removed.
    """
    own = replace(store.config, client_endpoint=None)
    with ObjectStore(own) as asked, ca_file_of(own) as ca_file:
        connections = Connections(own, ca_file)
        try:
            return tuple(what for what in WRONG if _is_taken(asked, connections, bucket, what))
        finally:
            connections.close()


def _is_taken(store: ObjectStore, connections: Connections, bucket: str, what: str) -> bool:
    key = f"binding/{uuid.uuid4().hex}"
    upload = store.presign_upload(
        bucket,
        key,
        _SECONDS,
        size=len(_BODY),
        sha256=hashlib.sha256(_BODY).hexdigest(),
        content_type="image/jpeg",
    )
    if what == "condition":
        store.upload(bucket, key, b"what is there")
    headers, body = WRONG[what](upload.headers)
    scheme, _, rest = upload.url.partition("://")
    host, _, target = rest.partition("/")
    try:
        answer = connections.send("PUT", f"{scheme}://{host}", f"/{target}", {**headers, "host": host}, body)
        answer.close()
    except HTTPError as fault:
        raise translated(fault, store.place(bucket, key)) from None
    if answer.status == _OK or what == "condition":
        store.delete_object(bucket, key)
    return answer.status == _OK


def _without_condition(headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    return {name: value for name, value in headers.items() if name != "if-none-match"}, _BODY


WRONG: Final = {
    "checksum": lambda headers: (dict(headers), _BODY.swapcase()),
    "length": lambda headers: ({**headers, "content-length": str(len(_BODY) + 1)}, _BODY + b"x"),
    "content type": lambda headers: ({**headers, "content-type": "text/html"}, _BODY),
    "condition": _without_condition,
}
"""By what is tried: the headers and the body that a server must not take."""


def told(found: tuple[str, ...]) -> Iterator[str]:
    """A line for each that a person must know."""
    says = {
        "checksum": "other bytes of the same length can be stored; `media confirm` finds that",
        "length": "a body of another length can be stored; `media confirm` finds that",
        "content type": "another content type can be stored; the reference of `media confirm` names it",
        "condition": "the URL can be used again until it expires; a reference never leads to the later bytes",
    }
    yield from (f"this server does not enforce the {what}: {says[what]}" for what in found)
