"""What the tests ask of a ClickHouse, without the server's own client."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.clickhouse.running import RunningClickHouse


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@contextmanager
def opened(
    clickhouse: RunningClickHouse,
    sql: str,
    given: Mapping[str, str | int] | None = None,
    *,
    method: str = "POST",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    patience: float = 120,
) -> Iterator[http.client.HTTPResponse]:
    """An answer whose headers have come; without `headers`, by the account, and with a patience in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", clickhouse.port, timeout=patience)
    account = {"X-ClickHouse-User": clickhouse.user, "X-ClickHouse-Key": clickhouse.password}
    in_url = {**({"query": sql} if method == "GET" else {}), **(given or {})}
    try:
        target = f"{path}?{urlencode(in_url)}" if in_url else path
        body = None if method == "GET" else sql.encode()
        connection.request(method, target, body, dict(account if headers is None else headers))
        with connection.getresponse() as answer:
            yield answer
    finally:
        connection.close()


def asked(
    clickhouse: RunningClickHouse,
    sql: str,
    given: Mapping[str, str | int] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A whole answer."""
    with opened(clickhouse, sql, given, headers=headers) as answer:
        return Answer(answer.status, answer.msg, answer.read())
