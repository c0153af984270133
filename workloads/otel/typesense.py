"""Typesense over HTTP: how many documents a collection has, and all of them as lines.

The rule: an export says 200 and ends well also where a node or a balancer cut it
(https://github.com/typesense/typesense/issues/830), so who reads it counts, and asks for the number before and after.
"""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from model.problems import InvalidInputError, Problem, key_path
from model.secrecy.redaction import keep_secret, redacted
from model.terminal_text import printable
from model.written import read_written, text_of
from workloads.otel.addresses import is_plain_url
from workloads.settings import Typesense

TIMEOUT_SECONDS: Final = 300.0
"""How long a server may say nothing."""
URL: Final = "http://127.0.0.1:8108"
_BLOCK: Final = 2**18
_ERROR_BYTES: Final = 2**14
_ANSWER_BYTES: Final = 2**24
_KEY_BYTES: Final = 4096
_IS_KEY: Final = re.compile(r"[!-~]+")


class TypesenseError(Exception):
    """Typesense is away, or refuses."""

    def __init__(self, text: str) -> None:
        """Say what happened; it goes to a terminal, and shows no secret."""
        super().__init__(redacted(printable(" ".join(text.split()))))


class CutExportError(TypesenseError):
    """An export is not whole, or not what it should be; another try may be."""


@dataclass(frozen=True)
class Collection:
    """A collection, and how it is read.

    Attributes:
        url: `http://HOST:PORT`.
        name: The collection.
        key: The API key; never shown.
    """

    url: str
    name: str
    key: str = field(repr=False)

    def count(self) -> int:
        """How many documents it says it has.

        Raises:
            TypesenseError: The server is away, or refuses.
        """
        with self._answered("") as response:
            body = response.read(_ANSWER_BYTES)
        try:
            return int(json.loads(body)["num_documents"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            raise TypesenseError(f"{self.url}: gives no number of documents: {body[:200]!r}") from None

    @contextmanager
    def lines(self) -> Iterator[Iterator[bytes]]:
        """Its documents, each as a line of JSON without its end; an empty line is none.

        Raises:
            TypesenseError: As of `count`; CutExportError if the connection ends in the middle.
        """
        with self._answered("/documents/export") as response:
            yield _lines(response)

    @contextmanager
    def _answered(self, what: str) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(self.url)
        connection = (
            http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        )
        headers = {"X-TYPESENSE-API-KEY": self.key, "User-Agent": "object-store"}
        is_begun = False
        with closing(connection):
            try:
                path = f"{parts.path.rstrip('/')}/collections/{quote(self.name, safe='')}{what}"
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                if response.status != http.client.OK:
                    raise self._refusal(response.status, response.read(_ERROR_BYTES))
                is_begun = True
                yield response
            except (http.client.HTTPException, TimeoutError, ConnectionError) as fault:
                kind = CutExportError if is_begun else TypesenseError
                text = f"{type(fault).__name__} {fault}" if is_begun else f"{fault or type(fault).__name__}"
                raise kind(f"{self.url}: {'the export ended before its end: ' if is_begun else ''}{text}") from None
            except (ssl.SSLError, socket.gaierror) as fault:
                raise TypesenseError(f"{self.url}: {fault.strerror or fault}") from None

    def _refusal(self, status: int, body: bytes) -> TypesenseError:
        hints = {
            401: "refuses the key: set otel.typesense.api_key_file, or TYPESENSE_API_KEY",
            403: "refuses the key: set otel.typesense.api_key_file, or TYPESENSE_API_KEY",
            404: f"has no collection {self.name}: set otel.typesense.collection",
        }
        said = body.decode("utf-8", "replace")[:500]
        return TypesenseError(f"{self.url}: {hints.get(status, f'answered {status}')}: {said}")


def collection_of(settings: Typesense, where: str, environ: Mapping[str, str]) -> Collection:
    """Which collection is meant, and how it is read.

    Args:
        settings: The configuration.
        where: Its name in messages.
        environ: The process's environment.

    Raises:
        InvalidInputError: The URL is none, there is no key, or its file cannot be read.
    """
    url = settings.url or environ.get("TYPESENSE_URL") or URL
    key = environ.get("TYPESENSE_API_KEY", "")
    if settings.api_key_file is not None:
        path = Path(settings.api_key_file).expanduser()
        key = text_of(read_written(path, str(path), _KEY_BYTES), str(path)).rstrip("\n")
    problems = []
    if not is_plain_url(url):
        wrong, legal = "is not Typesense's URL, without a user and a query", "http://HOST:PORT"
        problems.append(Problem(key_path(where, "otel.typesense.url"), wrong, legal, f"url: {URL}"))
    if not _IS_KEY.fullmatch(key):
        wrong = "is not a key of Typesense" if key else "is missing, and so is TYPESENSE_API_KEY"
        place = key_path(where, "otel.typesense.api_key_file")
        problems.append(Problem(place, wrong, "a file with a key that may read it", "api_key_file: ~/typesense.key"))
    if problems:
        raise InvalidInputError(problems)
    keep_secret(key)
    return Collection(url, settings.collection, key)


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while block := response.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest
