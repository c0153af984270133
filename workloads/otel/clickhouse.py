"""ClickHouse over HTTP: small answers, and long ones as a stream.

The rule: each request fixes every setting that could change or shorten its answer, and forbids the server to write. An
answer is whole only if it ends as it should: a server says 200 before it knows whether it can finish
(https://github.com/ClickHouse/ClickHouse/issues/75175), so what has no end that proves it is counted by who reads it.
"""

import base64
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

from model.secrecy.redaction import redacted
from model.terminal_text import printable

TIMEOUT_SECONDS: Final = 300.0
"""How long a server may say nothing; it sorts a slice before it sends the first row."""
BLOCK: Final = 2**18
_ERROR_BYTES: Final = 2**14
_ANSWER_BYTES: Final = 2**26
_CODE: Final = re.compile(r"Code: (\d+)\. DB::(?:\w*Exception): (.*)", re.DOTALL)
_SETTING: Final = re.compile(r"(?:setting|Setting) '?([a-z_0-9]+)'?")
_THROW: Final = (
    "distinct_overflow_mode",
    "group_by_overflow_mode",
    "join_overflow_mode",
    "read_overflow_mode",
    "read_overflow_mode_leaf",
    "result_overflow_mode",
    "set_overflow_mode",
    "sort_overflow_mode",
    "timeout_overflow_mode",
    "transfer_overflow_mode",
)
_UNLIMITED: Final = (
    "limit",
    "max_bytes_to_read",
    "max_execution_time",
    "max_result_bytes",
    "max_result_rows",
    "max_rows_to_group_by",
    "max_rows_to_read",
    "offset",
)
SETTINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_UNLIMITED, "0"),
    **dict.fromkeys(_THROW, "throw"),
    "additional_result_filter": "",
    "additional_table_filters": "{}",
    "date_time_output_format": "iso",
    "empty_result_for_aggregation_by_empty_set": "0",
    "enable_http_compression": "0",
    "extremes": "0",
    "final": "0",
    "output_format_json_array_of_rows": "0",
    "output_format_json_escape_forward_slashes": "0",
    "output_format_json_named_tuples_as_objects": "1",
    "output_format_json_quote_64bit_floats": "0",
    "output_format_json_quote_64bit_integers": "1",
    "output_format_json_quote_decimals": "1",
    "output_format_json_quote_denormals": "1",
    "output_format_json_validate_utf8": "0",
    "output_format_write_statistics": "0",
    "readonly": "2",
    "send_progress_in_http_headers": "0",
    "session_timezone": "UTC",
    "use_query_cache": "0",
    "wait_end_of_query": "0",
}
"""Of each request that reads. 64-bit integers are quoted, because readers in JavaScript round bare ones; `readonly` 2
lets a request read and set, and no more."""


class ClickHouseError(Exception):
    """ClickHouse is away, refuses, or gave an answer that is not whole.

    Attributes:
        code: ClickHouse's number of the error; 0 without one.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        """Say what happened; it goes to a terminal, and shows no secret."""
        super().__init__(redacted(printable(" ".join(text.split()))))
        self.code = code


class CutError(ClickHouseError):
    """An answer ended before its end."""


@dataclass(frozen=True)
class Address:
    """Where ClickHouse is, and as whom.

    Attributes:
        url: `http://HOST:PORT`.
        database: The database.
        table: The table.
        user: The user.
        password: The password; never shown.
    """

    url: str
    database: str
    table: str
    user: str
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """The table for messages."""
        return f"{self.database}.{self.table}"


class ClickHouse:
    """A server, with one connection that is kept."""

    def __init__(self, address: Address) -> None:
        """Begin; nothing is sent.

        Args:
            address: The server.
        """
        self.address = address
        parts = urlsplit(address.url)
        secure = parts.scheme == "https"
        self._path = (parts.path or "/").rstrip("/") + "/"
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
            if secure
            else http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        )
        pair = f"{address.user}:{address.password}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "User-Agent": "object-store"}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """The rows of a small answer, each value as JSON has it.

        Args:
            sql: A SELECT without FORMAT.
            parameters: The values of `{name:Type}` in it.

        Raises:
            ClickHouseError: The server is away, refuses, or the answer is not whole.
        """
        with self._answered(f"{sql} FORMAT JSONCompact", parameters) as response:
            body = response.read(_ANSWER_BYTES)
            if len(body) == _ANSWER_BYTES:
                raise ClickHouseError(f"{self.address.url}: an answer of numbers has {_ANSWER_BYTES} bytes or more")
        try:
            document = json.loads(body)
            rows = document["data"]
            if document["rows"] != len(rows):
                raise CutError(f"{self.address.url}: the answer has {len(rows)} rows, and says {document['rows']}")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CutError(f"{self.address.url}: the answer is not whole: {_tail(body)}") from None
        return list(rows)

    @contextmanager
    def stream(self, sql: str, parameters: Mapping[str, str] | None = None) -> Iterator[Iterator[bytes]]:
        """The blocks of a long answer; who reads them counts.

        Args:
            sql: A SELECT with its FORMAT.
            parameters: As of `rows`.

        Raises:
            ClickHouseError: As of `rows`, also in the middle.
        """
        with self._answered(sql, parameters) as response:
            yield _blocks(response)

    def write(self, sql: str, body: Iterable[bytes] = (), parameters: Mapping[str, str] | None = None) -> None:
        """Send a statement that writes, with the rows that belong to it.

        Args:
            sql: CREATE TABLE, or INSERT with its FORMAT.
            body: The rows.
            parameters: As of `rows`.

        Raises:
            ClickHouseError: As of `rows`.
        """
        settings = {
            "session_timezone": "UTC",
            "date_time_input_format": "best_effort",
            "wait_end_of_query": "1",
            "async_insert": "0",
        }
        sent = self._sent(urlencode({"query": sql, **settings, **_named(parameters)}), body)
        with sent as response:
            text = b"".join(_blocks(response))
        if text.strip():
            raise _error_of(self.address, response.status, text)

    @contextmanager
    def _answered(self, sql: str, parameters: Mapping[str, str] | None) -> Iterator[http.client.HTTPResponse]:
        query = urlencode({"database": self.address.database, **SETTINGS, **_named(parameters)}, quote_via=quote)
        with self._sent(query, [sql.encode()]) as response:
            yield response

    @contextmanager
    def _sent(self, query: str, body: Iterable[bytes]) -> Iterator[http.client.HTTPResponse]:
        url = self.address.url
        is_begun = is_whole = False
        try:
            self._connection.request("POST", f"{self._path}?{query}", iter(body), self._headers, encode_chunked=True)
            response = self._connection.getresponse()
            if response.status != http.client.OK:
                raise _error_of(self.address, response.status, response.read(_ERROR_BYTES))
            is_begun = True
            yield response
            is_whole = response.isclosed()
        except (http.client.IncompleteRead, http.client.LineTooLong) as fault:
            raise CutError(f"{url}: the answer ended before its end ({type(fault).__name__})") from None
        except http.client.HTTPException as fault:
            raise ClickHouseError(f"{url}: gives no answer of HTTP: {type(fault).__name__} {fault}") from None
        except TimeoutError:
            raise (CutError if is_begun else ClickHouseError)(
                f"{url}: said nothing for {TIMEOUT_SECONDS:.0f} seconds"
            ) from None
        except ConnectionError as fault:
            if is_begun:
                raise CutError(f"{url}: the answer ended before its end ({fault.strerror or fault})") from None
            raise ClickHouseError(f"{url}: {fault.strerror or fault}; is it the host's address?") from None
        except ssl.SSLError as fault:
            raise ClickHouseError(f"{url}: {fault}") from None
        except socket.gaierror as fault:
            raise ClickHouseError(f"{url}: {fault.strerror or fault}; is it the host's address?") from None
        finally:
            if not is_whole:  # what is left of the answer must not be taken for that of the next request
                self._connection.close()


def quoted(name: str) -> str:
    """A name of a column or table in SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _named(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {f"param_{name}": value for name, value in (parameters or {}).items()}


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := response.read(BLOCK):
        yield block


def _tail(body: bytes) -> str:
    return body[-200:].decode("utf-8", "replace")


def _error_of(address: Address, status: int, body: bytes) -> ClickHouseError:
    text = body.decode("utf-8", "replace").strip()
    found = _CODE.search(text)
    if found is None:
        return ClickHouseError(f"{address.url}: answered {status}: {text[:500]}")
    code, said = int(found[1]), found[2]
    setting = _SETTING.search(said)
    hints: dict[int, str] = {
        60: f"this server has no table {address.name}: set otel.table, or CLICKHOUSE_OTEL_TABLE",
        81: f"there is no database {address.database}: set otel.database, or CLICKHOUSE_DATABASE",
        115: f"this version does not know the setting {setting[1] if setting else ''}: ClickHouse 24.8 or later does",
        164: f"its user may not set {setting[1] if setting else 'what fixes the answer'}: give it `readonly` 0 or 2",
        193: "refuses the user or its password: set CLICKHOUSE_USER and CLICKHOUSE_PASSWORD",
        452: f"its user may not set {setting[1] if setting else 'what fixes the answer'}: remove the constraint",
        497: f"its user may not read it: GRANT SELECT ON {address.name} TO {address.user}",
        516: "refuses the user or its password: set CLICKHOUSE_USER and CLICKHOUSE_PASSWORD",
    }
    hint = hints.get(code, "")
    return ClickHouseError(f"{address.url}: {hint}{': ' if hint else ''}{said[:500]} (code {code})", code)


def columns_text(columns: Sequence[str]) -> str:
    """Names of columns for a SELECT."""
    return ", ".join(map(quoted, columns))
