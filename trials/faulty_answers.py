"""The answers of a faulty world, each with the operations that it fits and what happens to them.

The rule: one row is one fault. `happens` says for each operation of the adapter what becomes of it: `right`, as without
the fault, or the errors of `object_store` that tell the caller. In each case no wrong byte is taken for the
object's, no success is claimed that is none, and the operation ends. `tests/trials/test_faulty_answers.py` holds that
on each server, and `docs/faults.md` prints the table.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from trials.faults import (
    Ending,
    Fault,
    Headers,
    Hook,
    On,
    Request,
    ResetAnswer,
    ResetRequest,
    Response,
    Stall,
    TruncateAnswer,
    header,
    without,
)

READ, READ_RANGES, STORE, STORE_PARTS, LIST, REMOVE, STAT = (
    "read",
    "read by ranges",
    "store",
    "store in parts",
    "list",
    "remove",
    "stat",
)
OPERATIONS: Final = (READ, READ_RANGES, STORE, STORE_PARTS, LIST, REMOVE, STAT)
#: The first answer of each operation, to which a fault of an answer applies. The JavaScript SDK names it (`x-id`).
FIRST: Final = {
    READ: ("GET", "/[^/]+/.", ""),
    READ_RANGES: ("GET", "/[^/]+/.", ""),
    STORE: ("PUT", "", "^(x-id=PutObject)?$"),
    STORE_PARTS: ("PUT", "", "partNumber=1&|partNumber=1$"),
    LIST: ("GET", "", "list-type"),
    REMOVE: ("DELETE", "", "^(x-id=DeleteObject)?$"),
    STAT: ("HEAD|GET", "/[^/]+/.", ""),  # the adapter asks again by GET, whose refusal has a code
}
OTHER: Final = b"another object's body"
STALL_SECONDS: Final = 30.0
_HTML: Final = b"<!doctype html><html><body>Please log in.</body></html>"
_XML: Final = b'<?xml version="1.0" encoding="UTF-8"?>'

Change = Callable[[Request, Response], Response]


@dataclass(frozen=True)
class FaultyAnswer:
    """A fault of an answer.

    Attributes:
        kind: What is wrong: its body, its status ...
        name: The fault, for the table.
        happens: By operation: `right`, or names of errors with ` or ` between them.
        make: Makes the fault for an operation; a fault counts its requests, so each trial needs a new one.
        leaves_upload: Whether the server then keeps an upload that the adapter cannot abort.
    """

    kind: str
    name: str
    happens: Mapping[str, str]
    make: Callable[[str], Fault] = field(repr=False)
    leaves_upload: bool = False


def first(operation: str, *, times: int | None = None, skip: int = 0) -> On:
    """The requests of an operation that carry its object."""
    method, path, query = FIRST[operation]
    return On(method, path, query, skip=skip, times=times)


def changed(change: Change, *, times: int | None = None, skip: int = 0) -> Callable[[str], Fault]:
    """A fault that changes what the server answered to the operation's own request."""
    return lambda operation: Hook(altering=change, when=first(operation, times=times, skip=skip))


def answered(response: Response, *, times: int | None = None) -> Callable[[str], Fault]:
    """A fault that answers in the server's place; the server gets nothing."""
    return lambda operation: Hook(answering=lambda _: response, when=first(operation, times=times))


def on(method: str, query: str, change: Change) -> Callable[[str], Fault]:
    """A fault in the answers to other requests of the operation."""
    return lambda _: Hook(altering=change, when=On(method, query=query))


def body(change: Callable[[bytes], bytes], headers: Callable[[Headers], Headers] = lambda given: given) -> Change:
    """Change the body of a success; its Content-Length fits."""

    def altered(_: Request, given: Response) -> Response:
        return replace(given, body=change(given.body), headers=headers(given.headers)) if given.status < 300 else given  # noqa: PLR2004  # HTTP

    return altered


def heads(change: Callable[[Headers], Headers]) -> Change:
    """Change the headers of an answer."""
    return lambda _, given: replace(given, headers=change(given.headers))


def with_header(name: str, value: str) -> Callable[[Headers], Headers]:
    """Set one header."""
    return lambda given: (*without(given, name), (name, value))


def _without_digests(given: Headers) -> Headers:
    kept = ((name, value) for name, value in given if name.lower() != "etag" and "checksum" not in name.lower())
    return (*kept, ("ETag", '"0-of-no-digest"'))


def _flipped(given: bytes) -> bytes:
    at = len(given) // 2
    return given[:at] + bytes([given[at] ^ 1]) + given[at + 1 :] if given else given


def as_is(length: str | None, change: Callable[[bytes], bytes] = lambda given: given, **more: str) -> Change:
    """Send the success with its own framing: any Content-Length, or none."""

    def altered(_: Request, given: Response) -> Response:
        if given.status >= 300:  # noqa: PLR2004  # HTTP
            return given
        kept = without(without(given.headers, "content-length"), "transfer-encoding")
        own = (("Content-Length", length.format(len(given.body))),) if length is not None else ()
        named = tuple((name.replace("_", "-"), value) for name, value in more.items())
        return replace(given, headers=(*kept, *own, *named), body=change(given.body), as_is=True)

    return altered


def _ranged(change: Callable[[str], str]) -> Change:
    def altered(_: Request, given: Response) -> Response:
        span = header(given.headers, "content-range")
        return (
            given if span is None else replace(given, headers=with_header("Content-Range", change(span))(given.headers))
        )

    return altered


def _whole_for_a_range(_: Request, given: Response) -> Response:
    span = header(given.headers, "content-range")
    return given if span is None else replace(given, status=200, headers=without(given.headers, "content-range"))


def _shifted(span: str) -> str:
    return re.sub(r"bytes (\d+)-(\d+)", lambda found: f"bytes {int(found[1]) + 1}-{int(found[2]) + 1}", span)


def refusal(status: int, code: str, **headers: str) -> Response:
    """An error of S3."""
    xml = f"<Error><Code>{code}</Code><Message>Because.</Message></Error>".encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (("Content-Type", "application/xml"), *named), _XML + xml)


def page(status: int) -> Response:
    """A page of a proxy or a console."""
    return Response(status, (("Content-Type", "text/html"),), _HTML)


def listing(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    """Change the entries of a listing."""

    def altered(_: Request, given: Response) -> Response:
        entries = re.findall(rb"<Contents>.*?</Contents>", given.body, re.DOTALL)
        if not entries:
            return given
        start, end = given.body.index(entries[0]), given.body.index(entries[-1]) + len(entries[-1])
        return replace(given, body=given.body[:start] + b"".join(change(entries)) + given.body[end:])

    return altered


def in_listing(old: bytes, new: bytes) -> Change:
    """Replace text of a listing."""
    return lambda _, given: replace(given, body=re.sub(old, new, given.body))


class _EmptyPages:
    """A listing of empty pages, each with another token."""

    def __init__(self) -> None:
        self._pages = count()

    def __call__(self, _: Request) -> Response:
        more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>" % next(self._pages)
        return Response(200, (), _XML + b"<ListBucketResult>" + more + b"</ListBucketResult>")


def _redirect(status: int, to: str) -> Callable[[str], Fault]:
    def lead(request: Request) -> Response:
        where = to.format(host=header(request.headers, "host"), target=request.target)
        return Response(status, (("Location", where),), b"")

    return lambda operation: Hook(answering=lead, when=first(operation))


def _all(text: str, *but: str, **more: str) -> dict[str, str]:
    named = {name.replace("_", " "): value for name, value in more.items()}
    return {each: text for each in OPERATIONS if each not in but} | named


def _reads(text: str) -> dict[str, str]:
    return {READ: text, READ_RANGES: text}


_LOST = "EndpointUnreachable or IncompleteTransfer or UnexpectedAnswer"
_CORRUPT = "CorruptBody"
_ODD = "UnexpectedAnswer"
_ENTITIES: Final = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
# The first answer names another length than the ranges, which the server may refuse.
_REFITTED: Final = {READ: _CORRUPT, READ_RANGES: "UnexpectedAnswer or RequestRefused"}
_SEE_OTHER: Final = 303
_BUSY = "Unavailable"

TABLE: Final = (
    # The body.
    FaultyAnswer("body", "one bit is changed", _reads(_CORRUPT), changed(body(_flipped))),
    FaultyAnswer(
        "body",
        "no digest is named",
        {READ: "not verified"},
        changed(heads(_without_digests)),
    ),
    FaultyAnswer("body", "shortened, with a Content-Length that fits", _REFITTED, changed(body(lambda b: b[:-500]))),
    FaultyAnswer(
        "body",
        "shortened, with the Content-Length of the whole",
        _reads(_LOST),
        changed(as_is("{0}", lambda b: b[:-500])),
    ),
    FaultyAnswer(
        "body", "broken off in the middle, once", _reads("right"), lambda op: TruncateAnswer(when=first(op, times=1))
    ),
    FaultyAnswer(
        "body", "broken off in the middle, each time", _reads(_LOST), lambda op: TruncateAnswer(when=first(op))
    ),
    FaultyAnswer("body", "shortened without a Content-Length", _reads(_ODD), changed(as_is(None, lambda b: b[:-500]))),
    FaultyAnswer(
        "body", "longer than its Content-Length", _reads("right"), changed(as_is("{0}", lambda b: b + b"more"))
    ),
    FaultyAnswer("body", "longer, with a Content-Length that fits", _REFITTED, changed(body(lambda b: b + b"more"))),
    FaultyAnswer("body", "the same body twice", _REFITTED, changed(body(lambda b: b + b))),
    FaultyAnswer("body", "empty", _reads(_CORRUPT), changed(body(lambda _: b""))),
    FaultyAnswer(
        "body", "another object's, with the etag of the right one", _reads(_CORRUPT), changed(body(lambda _: OTHER))
    ),
    FaultyAnswer(
        "body",
        "chunked, and a chunk is cut off",
        _reads(_ODD),
        changed(as_is(None, lambda b: b"ffff\r\n" + b[:10], Transfer_Encoding="chunked")),
    ),
    FaultyAnswer(
        "body",
        "compressed, unasked",
        _REFITTED,
        changed(body(gzip.compress, with_header("Content-Encoding", "gzip"))),
    ),
    FaultyAnswer("body", "HTML with 200", _all(_ODD, REMOVE, READ_RANGES), answered(page(200))),
    FaultyAnswer(
        "body",
        "an error's XML with 200",
        _all(_ODD, REMOVE, STORE_PARTS, list="UnexpectedAnswer or Unavailable"),
        answered(replace(refusal(200, "InternalError"), status=200)),
    ),
    # Ranges.
    FaultyAnswer("range", "200 with the whole for a range", {READ_RANGES: _ODD}, changed(_whole_for_a_range)),
    FaultyAnswer(
        "range",
        "206 to a request for the whole",
        {READ: _ODD, READ_RANGES: _ODD},
        changed(lambda _, r: replace(r, status=206)),
    ),
    FaultyAnswer("range", "another start", {READ_RANGES: _ODD}, changed(_ranged(_shifted))),
    FaultyAnswer("range", "another total", {READ_RANGES: _ODD}, changed(_ranged(lambda s: re.sub(r"/\d+", "/99", s)))),
    FaultyAnswer("range", "a Content-Range that is none", {READ_RANGES: _ODD}, changed(_ranged(lambda _: "all"))),
    FaultyAnswer(
        "range",
        "other bytes in one of them, same etag",
        {READ_RANGES: _CORRUPT},
        changed(body(_flipped), skip=1, times=1),
    ),
    FaultyAnswer(
        "range",
        "another etag in one of them",
        {READ_RANGES: "StaleReference"},
        changed(heads(with_header("ETag", '"another"')), skip=1, times=1),
    ),
    FaultyAnswer(
        "range",
        "the object is gone for all but the first",
        {READ_RANGES: "NotFound"},
        lambda op: Hook(answering=lambda _: refusal(404, "NoSuchKey"), when=first(op, skip=1)),
    ),
    FaultyAnswer(
        "range",
        "416",
        {READ_RANGES: "RequestRefused"},
        lambda op: Hook(answering=lambda _: refusal(416, "InvalidRange"), when=first(op, skip=1)),
    ),
    # Headers.
    FaultyAnswer("header", "no etag", _all(_ODD, LIST, REMOVE), changed(heads(lambda h: without(h, "etag")))),
    FaultyAnswer("header", "an empty etag", _all(_ODD, LIST, REMOVE), changed(heads(with_header("ETag", '""')))),
    FaultyAnswer(
        "header",
        "an etag without quotes",
        _all("right", LIST, REMOVE),
        changed(heads(lambda h: with_header("ETag", (header(h, "etag") or "").strip('"'))(h))),
    ),
    FaultyAnswer(
        "header",
        "the etag of another body",
        {STORE: _CORRUPT, STORE_PARTS: _CORRUPT, READ: "right or CorruptBody"},
        changed(
            heads(
                lambda h: with_header("ETag", f'"{"0" * 32}"')(
                    without(without(h, "x-amz-checksum-sha256"), "x-amz-checksum-type")
                )
            )
        ),
    ),
    FaultyAnswer(
        "header",
        "the checksum of another body",
        {STORE: _CORRUPT, STORE_PARTS: _CORRUPT, READ: _CORRUPT},
        changed(heads(with_header("x-amz-checksum-sha256", "A" * 43 + "="))),
    ),
    FaultyAnswer(
        "header",
        "a checksum that is none",
        {READ: "right", READ_RANGES: "right"},
        changed(heads(with_header("x-amz-checksum-sha256", "no=checksum"))),
    ),
    FaultyAnswer(
        "header",
        "Last-Modified is nonsense",
        {**_reads(_ODD), STAT: _ODD},
        changed(heads(with_header("Last-Modified", "soon"))),
    ),
    FaultyAnswer(
        "header",
        "Last-Modified in 2100",
        {**_reads("right"), STAT: "right"},
        changed(heads(with_header("Last-Modified", "Fri, 01 Jan 2100 00:00:00 GMT"))),
    ),
    FaultyAnswer("header", "Content-Length is text", {**_reads(_ODD), STAT: _ODD}, changed(as_is("many"))),
    FaultyAnswer("header", "Content-Length is negative", {**_reads(_ODD), STAT: _ODD}, changed(as_is("-{0}"))),
    FaultyAnswer(
        "header", "two Content-Lengths", {**_reads(_LOST), STAT: _LOST}, changed(as_is("{0}", Content_length="5"))
    ),
    FaultyAnswer(
        "header",
        "200 headers of 4 KB",
        _all(_LOST),
        changed(heads(lambda h: (*h, *((f"X-{n}", "x" * 4000) for n in range(200))))),
    ),
    FaultyAnswer("header", "a control character", _all("right"), changed(heads(with_header("X-Odd", "a\x01b")))),
    FaultyAnswer(
        "header",
        "HTTP/1.0",
        _all("right"),
        changed(
            lambda _, r: (
                replace(
                    r,
                    version="HTTP/1.0",
                    as_is=True,
                    headers=with_header("Content-Length", header(r.headers, "content-length") or str(len(r.body)))(
                        r.headers
                    ),
                )
                if r.status != 204  # noqa: PLR2004  # HTTP
                else r
            )
        ),
    ),
    # Statuses.
    *(
        FaultyAnswer(
            "status",
            f"{status} to {where}",
            _all("UnexpectedAnswer or EndpointUnreachable" if status == _SEE_OTHER else _ODD),
            _redirect(status, to),
        )
        for status in (301, 302, 303, 307, 308)
        for where, to in (("another host", "https://127.0.0.1:9{target}"), ("itself", "https://{host}{target}"))
    ),
    FaultyAnswer("status", "200 to a removal that was none", {REMOVE: _ODD}, answered(Response(200))),
    FaultyAnswer("status", "202 to a removal that was none", {REMOVE: _ODD}, answered(Response(202))),
    FaultyAnswer(
        "status", "204 to a put", {STORE: _ODD, STORE_PARTS: _ODD}, answered(Response(204, (("ETag", '"e"'),)))
    ),
    FaultyAnswer("status", "409", _all("RequestRefused"), answered(refusal(409, "OperationAborted"))),
    FaultyAnswer("status", "412, unasked", _all("RequestRefused"), answered(refusal(412, "PreconditionFailed"))),
    FaultyAnswer("status", "423", _all("RequestRefused"), answered(refusal(423, "Locked"))),
    FaultyAnswer("status", "401 with HTML", _all(_ODD), answered(page(401))),
    FaultyAnswer("status", "403 with HTML", _all(_ODD), answered(page(403))),
    FaultyAnswer("status", "404 without a body", _all(_ODD), answered(Response(404))),
    FaultyAnswer("status", "429, once", _all("right"), answered(refusal(429, "TooManyRequests"), times=1)),
    FaultyAnswer("status", "503, once", _all("right"), answered(refusal(503, "SlowDown"), times=1)),
    FaultyAnswer(
        "status", "503 with Retry-After, each time", _all(_BUSY), answered(refusal(503, "SlowDown", Retry_After="9000"))
    ),
    FaultyAnswer("status", "500, each time", _all(_BUSY), answered(refusal(500, "InternalError"))),
    FaultyAnswer("status", "501", _all(_BUSY), answered(refusal(501, "NotImplemented"))),
    # Uploads in parts.
    FaultyAnswer(
        "upload in parts",
        "no upload id",
        {STORE_PARTS: _ODD},
        on("POST", "^uploads", lambda _, r: replace(r, body=re.sub(rb"<UploadId>[^<]*", b"<UploadId>", r.body))),
        leaves_upload=True,
    ),
    FaultyAnswer(
        "upload in parts",
        "somebody else's upload id",
        {STORE_PARTS: "RequestRefused or NotFound or EndpointUnreachable"},
        on("POST", "^uploads", lambda _, r: replace(r, body=re.sub(rb"<UploadId>[^<]*", b"<UploadId>another", r.body))),
        leaves_upload=True,
    ),
    FaultyAnswer(
        "upload in parts",
        "an error in a join with 200",
        {STORE_PARTS: "UnexpectedAnswer or Unavailable"},
        lambda _: Hook(
            answering=lambda _: replace(refusal(200, "InternalError"), status=200), when=On("POST", query="uploadId")
        ),
    ),
    FaultyAnswer(
        "upload in parts",
        "an empty etag to the join",
        {STORE_PARTS: "right"},
        on("POST", "uploadId", lambda _, r: replace(r, body=re.sub(rb"<ETag>[^<]*", b"<ETag>", r.body))),
    ),
    FaultyAnswer(
        "upload in parts",
        "the join is done, and its answer is lost",
        {STORE_PARTS: "EndpointUnreachable or UnexpectedAnswer"},
        lambda _: ResetAnswer(when=On("POST", query="uploadId")),
    ),
    FaultyAnswer(
        "upload in parts",
        "the join is refused, and so is the abort",
        {STORE_PARTS: "RequestRefused"},
        lambda _: Hook(answering=lambda _: refusal(409, "OperationAborted"), when=On("POST|DELETE", query="uploadId")),
        leaves_upload=True,
    ),
    FaultyAnswer(
        "upload in parts",
        "blanks in the answer to the join",
        {STORE_PARTS: "right"},
        on("POST", "uploadId", lambda _, r: replace(r, body=r.body.replace(b"?>", b"?>   \n   \n", 1))),
    ),
    # Listings.
    FaultyAnswer(
        "listing",
        "a page that goes on, without a token",
        {LIST: _ODD},
        changed(in_listing(rb"<IsTruncated>\w+<", b"<IsTruncated>true<")),
    ),
    FaultyAnswer("listing", "a page that repeats", {LIST: _ODD}, changed(listing(lambda entries: entries + entries))),
    FaultyAnswer("listing", "keys out of order", {LIST: _ODD}, changed(listing(lambda entries: entries[::-1]))),
    FaultyAnswer(
        "listing", "a key outside the prefix", {LIST: _ODD}, changed(in_listing(rb"<Key>\w+/", b"<Key>elsewhere/"))
    ),
    FaultyAnswer(
        "listing",
        "an end that never comes",
        {LIST: _ODD},
        lambda operation: Hook(answering=_EmptyPages(), when=first(operation)),
    ),
    FaultyAnswer("listing", "a size that is none", {LIST: _ODD}, changed(in_listing(rb"<Size>", b"<Size>-"))),
    FaultyAnswer(
        "listing",
        "XML that is cut short",
        {LIST: _ODD},
        changed(lambda _, r: replace(r, body=r.body[: len(r.body) // 2])),
    ),
    FaultyAnswer("listing", "XML that is not UTF-8", {LIST: _ODD}, changed(in_listing(rb"<Key>", b"<Key>\xff\xfe"))),
    FaultyAnswer(
        "listing",
        "XML with entities",
        {LIST: _ODD},
        changed(
            lambda _, r: replace(
                r, body=re.sub(rb"<ListB", _ENTITIES + b"<ListB", r.body).replace(b"<Key>", b"<Key>&a;")
            )
        ),
    ),
    # Connections.
    FaultyAnswer(
        "connection", "reset while it is asked, once", _all("right"), lambda op: ResetRequest(when=first(op, times=1))
    ),
    FaultyAnswer(
        "connection", "reset while it is asked, each time", _all(_LOST), lambda op: ResetRequest(when=first(op))
    ),
    FaultyAnswer(
        "connection",
        "closed before the answer",
        _all(_LOST),
        lambda op: Hook(altering=lambda _, r: replace(r, body=b"", ending=Ending.TRUNCATED), when=first(op)),
    ),
    FaultyAnswer("connection", "a stall", _all(_LOST), lambda op: Stall(STALL_SECONDS, when=first(op))),
    # Keys.
    FaultyAnswer("key", "InvalidAccessKeyId", _all("BadCredentials"), answered(refusal(403, "InvalidAccessKeyId"))),
    FaultyAnswer("key", "AccessDenied", _all("AccessDenied"), answered(refusal(403, "AccessDenied"))),
    FaultyAnswer("key", "ExpiredToken in the middle", _all("BadCredentials"), answered(refusal(400, "ExpiredToken"))),
)


def drawn(seed: int, length: int = 6) -> list[tuple[FaultyAnswer, str, int]]:
    """A random sequence of faults, operations, and to how many requests each fault applies."""
    choice = random.Random(seed)  # noqa: S311  # no secret
    rows = [(row, operation) for row in TABLE for operation in row.happens]
    return [(*choice.choice(rows), choice.randint(1, 3)) for _ in range(length)]


def table() -> str:
    """Fault by operation and what happens, in Markdown."""
    lines = ["## The table", "", "| fault | " + " | ".join(OPERATIONS) + " |", "|---" * (len(OPERATIONS) + 1) + "|"]
    for row in TABLE:
        cells = (row.happens.get(operation, "-").replace(" or ", ", ") for operation in OPERATIONS)
        lines.append(f"| {row.kind}: {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
