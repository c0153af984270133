"""What an HTTP request asks of ClickHouse.

The rule: pure. A parameter of the URL that the interface does not know is a setting of the query, as with a server.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.clickhouse.failures import QueryError

_OWN = ("query", "database", "user", "password", "default_format", "query_id", "wait_end_of_query", "quota_key")
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^;]*)?;?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """One query.

    Attributes:
        sql: Its text, with the rows of an INSERT behind it.
        form: The format of the answer.
        database: The database of names that have none.
        settings: Settings of this query.
        params: Values of `{name:Type}`, in the escaped form of a TSV's field.
        query_id: The name that the client gave it; empty if it gave none.
        is_reading: Whether it may change nothing, as with GET.
        waits: Whether the whole answer is made before the first byte of it is sent.
    """

    sql: bytes
    form: str
    database: str
    settings: Mapping[str, str]
    params: Mapping[str, str]
    query_id: str
    is_reading: bool
    waits: bool


def query_of(method: str, given: Sequence[tuple[str, str]], body: bytes) -> Query:
    """The query of a request's parameters and body."""
    named = dict(given)
    sql = b"\n".join(part for part in (named.get("query", "").encode("utf-8", "surrogateescape"), body) if part)
    written = _FORMAT.search(sql)
    return Query(
        sql=sql,
        form=written[1].decode() if written else named.get("default_format", "TabSeparated"),
        database=named.get("database", ""),
        settings={name: value for name, value in named.items() if name not in _OWN and not name.startswith("param_")},
        params={name.removeprefix("param_"): value for name, value in given if name.startswith("param_")},
        query_id=named.get("query_id", ""),
        is_reading=method == "GET",
        waits=named.get("wait_end_of_query", "0") == "1",
    )


def credentials_of(headers: Mapping[str, str], given: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The user and the password of a request.

    Raises:
        QueryError: It has them in two ways, or in one that is none.
    """
    named = dict(given)
    key = ("X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers) and "X-ClickHouse HTTP headers"
    basic = "Authorization" in headers and "Authorization HTTP header"
    parameters = ("user" in named or "password" in named) and "authentication via parameters"
    ways = [way for way in (key, basic, parameters) if way]
    if len(ways) > 1:
        raise _unauthenticated(f"it is not allowed to use {ways[0]} and {ways[1]} simultaneously")
    if key:
        return headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", "")
    if basic:
        scheme, _, held = headers["Authorization"].partition(" ")
        if scheme.lower() != "basic":
            raise _unauthenticated(f"'{scheme}' HTTP Authorization scheme is not supported")
        try:
            user, _, password = base64.b64decode(held, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _unauthenticated("the Authorization HTTP header is not Base64") from None
        return user, password
    return named.get("user", "default"), named.get("password", "")


def _unauthenticated(why: str) -> QueryError:
    return QueryError.of(516, "AUTHENTICATION_FAILED", f"Invalid authentication: {why}.")
