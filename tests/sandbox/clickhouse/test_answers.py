"""The ClickHouse of the sandbox answers as a server of 24.12 does."""

from __future__ import annotations

import base64
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.failures import QueryError
from sandbox.clickhouse.running import RefusedError
from tests.sandbox.clickhouse.asking import asked, opened
from tests.sandbox.waiting import wait_until

if TYPE_CHECKING:
    from sandbox.clickhouse.running import RunningClickHouse

ROWS = "SELECT number FROM numbers(3) FORMAT JSONEachRow"


def test_answer_says_its_format(clickhouse: RunningClickHouse) -> None:
    """The format of the SQL, or else the default, is in the headers; the body comes in chunks."""
    answer = asked(clickhouse, ROWS, {"query_id": "mine"})

    assert (answer.status, answer.body) == (200, b'{"number":"0"}\n{"number":"1"}\n{"number":"2"}\n')
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=UTF-8"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"] == "America/Los_Angeles"
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "0"
    assert asked(clickhouse, "SELECT 1, 'a'").body == b"1\ta\n"
    assert asked(clickhouse, "AS a", {"query": "SELECT 1", "default_format": "JSONEachRow"}).body == b'{"a":1}\n'


def test_answer_without_rows_is_empty(clickhouse: RunningClickHouse) -> None:
    """No row is no byte at 200."""
    answer = asked(clickhouse, "SELECT 1 WHERE 0 FORMAT JSONEachRow")

    assert (answer.status, answer.body) == (200, b"")


def test_server_says_that_it_is_there(clickhouse: RunningClickHouse) -> None:
    """`/ping` needs no account; another path is none."""
    with opened(clickhouse, "", method="GET", path="/ping", headers={}) as answer:
        assert (answer.status, answer.read()) == (200, b"Ok.\n")
    with opened(clickhouse, "SELECT 1", path="/elsewhere") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("sql", "given", "status", "code"),
    [
        ("SELECT * FROM missing", {}, 404, "60"),
        ("SELECT missing FROM numbers(1)", {}, 404, "47"),
        ("SELEC", {}, 400, "62"),
        ("SELECT 1", {"missing_setting": 1}, 404, "115"),
        ("SELECT 1", {"missing setting": 1}, 404, "115"),
        ("SELECT 1", {"database": "missing"}, 404, "81"),
        ("SELECT toUInt8('x')", {}, 400, "6"),
        ("SELECT throwIf(number = 3) FROM numbers(9)", {"max_block_size": 1}, 500, "395"),
        ("SELECT count() FROM numbers(100000000000)", {"max_execution_time": "0.1"}, 408, "159"),
        ("SELECT {a:UInt8}", {"param_a": "x"}, 500, "457"),
    ],
)
def test_error_before_the_first_byte_has_a_status(
    clickhouse: RunningClickHouse, sql: str, given: dict[str, str | int], status: int, code: str
) -> None:
    """Status, header and text name the error as the server's own handler maps it."""
    answer = asked(clickhouse, sql, given)

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert answer.body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert answer.body.endswith(b" (version 24.12.2.29 (official build))\n")


def test_rare_errors_have_a_status() -> None:
    """Those that no query here brings about: no password, a query that is too large, not implemented, a time-out."""
    assert [QueryError(code, "").status for code in (194, 229, 48, 209, 241)] == [401, 413, 501, 503, 500]


def test_account_comes_in_one_of_three_ways(clickhouse: RunningClickHouse) -> None:
    """Headers, Basic and parameters are each enough; two at once, a wrong password, and no account are refused."""
    user, password = clickhouse.user, clickhouse.password
    basic = {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    given = {"user": user, "password": password}
    wrong = {"X-ClickHouse-User": user, "X-ClickHouse-Key": f"{password}?"}

    assert asked(clickhouse, "SELECT 1", headers=basic).body == b"1\n"
    assert asked(clickhouse, "SELECT 1", given, headers={}).body == b"1\n"
    for headers, more in ((basic, given), (wrong, {}), ({}, {}), ({"Authorization": "Bearer x"}, {})):
        answer = asked(clickhouse, "SELECT 1", more, headers=headers)

        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert b"AUTHENTICATION_FAILED" in answer.body
        assert password.encode() not in answer.body


def test_settings_hold_for_one_query(clickhouse: RunningClickHouse) -> None:
    """Parameters of the URL are settings of the query; the defaults are those of 24.12, and come back."""
    sql = "SELECT number AS n, toDateTime64(0, 3, 'UTC') AS t, timezone() AS z FROM numbers(9) FORMAT JSONEachRow"
    changed: dict[str, str | int] = {
        "output_format_json_quote_64bit_integers": 0,
        "date_time_output_format": "iso",
        "session_timezone": "Asia/Tokyo",
        "output_format_json_escape_forward_slashes": 0,
        "max_result_rows": 2,
        "result_overflow_mode": "break",
        "max_block_size": 1,
    }
    lines = asked(clickhouse, sql, changed).body.splitlines()

    assert lines == [b'{"n":%d,"t":"1970-01-01T00:00:00.000Z","z":"Asia/Tokyo"}' % number for number in range(2)]
    before = asked(clickhouse, sql).body.splitlines()
    assert len(before) == 9
    assert before[0] == b'{"n":"0","t":"1970-01-01 00:00:00.000","z":"America\\/Los_Angeles"}'


def test_parameters_are_values(clickhouse: RunningClickHouse) -> None:
    """`param_x` fills `{x:Type}`, in the escaped form of a TSV's field."""
    answer = asked(
        clickhouse, "SELECT {text:String}, {big:UInt64}", {"param_text": "a'\\tb\\\\", "param_big": 2**64 - 1}
    )

    assert answer.body == b"a\\'\\tb\\\\\t18446744073709551615\n"


def test_insert_takes_bytes_as_they_are(clickhouse: RunningClickHouse) -> None:
    """Rows of the body reach the table, bytes that are no UTF-8 too, and come back as they went in."""
    clickhouse.ask("CREATE TABLE joelclaw.bytes (a String) ENGINE = MergeTree ORDER BY a")
    row = b'{"a":"\xff\xed\xa0\x80\\u0000\xe2\x80\xa8"}\n'
    clickhouse.ask("INSERT INTO bytes FORMAT JSONEachRow", row, database="joelclaw")

    assert clickhouse.ask("SELECT a FROM joelclaw.bytes FORMAT JSONEachRow") == row.replace(b"\xe2\x80\xa8", b"\\u2028")
    with pytest.raises(RefusedError, match=r"^Code: 60\. .*\ufffd.* \(UNKNOWN_TABLE\) \(version 24"):
        clickhouse.ask("SELECT", b"'\xff' FROM missing")
    with pytest.raises(
        RefusedError,
        match=r"(?s)^(?!.*26[.])Code: 27\. DB::Exception: Cannot parse [^:]*:.*\. \(CANNOT_PARSE\w+\) \(version 24",
    ):
        clickhouse.ask("INSERT INTO joelclaw.bytes FORMAT JSONEachRow", b'{"a":"x","b"}\n')


def test_get_may_not_write(clickhouse: RunningClickHouse) -> None:
    """A GET is read-only, and may change settings."""
    with opened(clickhouse, "CREATE DATABASE other", method="GET") as answer:
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    with opened(clickhouse, ROWS, {"output_format_json_quote_64bit_integers": 0}, method="GET") as answer:
        assert answer.read().startswith(b'{"number":0}\n')


def test_answer_is_compressed_if_wanted(clickhouse: RunningClickHouse) -> None:
    """Compression needs both the header and the setting."""
    headers = {
        "Accept-Encoding": "gzip",
        "X-ClickHouse-User": clickhouse.user,
        "X-ClickHouse-Key": clickhouse.password,
    }
    answer = asked(clickhouse, ROWS, {"enable_http_compression": 1}, headers=headers)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body).count(b"\n") == 3
    assert asked(clickhouse, ROWS, headers=headers).headers["Content-Encoding"] is None
    assert asked(clickhouse, ROWS, {"enable_http_compression": 1}).headers["Content-Encoding"] is None


def test_answers_do_not_wait_for_each_other(clickhouse: RunningClickHouse) -> None:
    """While one answer is read slowly, others come whole, each with its own settings."""
    endless = "SELECT number, repeat('x', 100) FROM system.numbers FORMAT JSONEachRow"
    with opened(clickhouse, endless) as slow, ThreadPoolExecutor(3) as pool:
        slow.read(100)
        zones = ("Asia/Tokyo", "UTC", "Europe/Berlin")
        answers = pool.map(lambda zone: asked(clickhouse, "SELECT timezone()", {"session_timezone": zone}).body, zones)

        assert list(answers) == [f"{zone}\n".encode() for zone in zones]


def test_client_that_leaves_ends_the_query(clickhouse: RunningClickHouse) -> None:
    """An endless query runs no longer when its client has left."""
    for _ in range(3):
        with opened(clickhouse, "SELECT number FROM system.numbers FORMAT JSONEachRow") as answer:
            answer.read(100)
            answer.close()

    wait_until(lambda: asked(clickhouse, "SELECT count() FROM system.processes").body == b"1\n")
