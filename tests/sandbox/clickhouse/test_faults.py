"""What a test orders of the sandbox's ClickHouse comes true."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.conditions import Ending, Fault, Profile
from sandbox.clickhouse.failures import TAG, Form
from sandbox.clickhouse.running import NoAnswerError
from tests.sandbox.clickhouse.asking import asked, opened

if TYPE_CHECKING:
    from sandbox.clickhouse.running import RunningClickHouse

ROWS = "SELECT number FROM numbers(100000) FORMAT JSONEachRow"
ERROR = b"Code: 241. DB::Exception: Memory limit"


def lines(number: int) -> bytes:
    """The first rows of the answer."""
    return b"".join(b'{"number":"%d"}\n' % row for row in range(number))


@pytest.mark.parametrize("form", ["row", "bare"])
def test_error_in_the_middle_at_a_whole_end(clickhouse: RunningClickHouse, form: Form) -> None:
    """24.12 writes the error as a row, old ones as text; the status is 200, and HTTP sees nothing wrong."""
    clickhouse.order(Fault(error_after_rows=70_000, form=form))
    answer = asked(clickhouse, ROWS)

    assert answer.status == 200
    assert answer.body.startswith(lines(70_000))
    rest = answer.body.removeprefix(lines(70_000))
    assert rest.count(b"\n") == 1
    assert (json.loads(rest)["exception"].encode() if form == "row" else rest).startswith(ERROR)


@pytest.mark.parametrize("form", ["marked", "tagged"])
def test_error_in_the_middle_cuts_the_answer(clickhouse: RunningClickHouse, form: Form) -> None:
    """With a mark, the last chunk is missing."""
    clickhouse.order(Fault(error_after_rows=5, form=form))
    with opened(clickhouse, ROWS) as answer, pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()

    assert answer.status == 200
    assert answer.headers["X-ClickHouse-Exception-Tag"] == (TAG if form == "tagged" else None)
    rest = caught.value.partial.removeprefix(lines(5))
    assert rest.lstrip().startswith(b"__exception__\r\n")
    assert ERROR in rest


def test_form_of_the_error_follows_the_settings(clickhouse: RunningClickHouse) -> None:
    """The engine's own error in the middle is a row, or marked if the query turns that off or asks for no JSON."""
    sql = "SELECT throwIf(number = 400000), number, repeat('x', 30) FROM numbers(500000) FORMAT "
    whole = asked(clickhouse, f"{sql}JSONEachRow")

    assert whole.status == 200
    assert json.loads(whole.body.splitlines()[-1])["exception"].startswith("Code: 395.")
    off = {"http_write_exception_in_output_format": 0}
    for form, given in (("JSONEachRow", off), ("TSV", {})):
        with opened(clickhouse, sql + form, given) as answer, pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()

        assert b"__exception__\r\nCode: 395." in caught.value.partial
    late = asked(clickhouse, f"{sql}JSONEachRow", {"wait_end_of_query": 1})
    assert (late.status, late.headers["X-ClickHouse-Exception-Code"]) == (500, "395")


@pytest.mark.parametrize("size", [1000, 1_500_000])
def test_answer_ends_early_as_if_it_were_whole(clickhouse: RunningClickHouse, size: int) -> None:
    """The bytes stop, in the first piece or in a later one, and HTTP sees nothing wrong."""
    clickhouse.order(Fault(end_after_bytes=size, ending="whole"))
    answer = asked(clickhouse, ROWS)

    assert (answer.status, answer.body) == (200, lines(100_000)[:size])


@pytest.mark.parametrize("ending", ["cut", "reset"])
def test_answer_ends_early_with_its_connection(clickhouse: RunningClickHouse, ending: Ending) -> None:
    """A cut chunk, or a reset connection; the server itself stays."""
    clickhouse.order(Fault(end_after_bytes=1000, ending=ending))
    expected = http.client.IncompleteRead if ending == "cut" else ConnectionResetError
    with pytest.raises(expected), opened(clickhouse, ROWS) as answer:
        answer.read()
    clickhouse.order()

    assert asked(clickhouse, ROWS).body == lines(100_000)


def test_server_starts_afresh_in_the_middle(clickhouse: RunningClickHouse) -> None:
    """The answer breaks off, and the server comes back on its port, with its tables and without the fault."""
    clickhouse.ask("CREATE TABLE joelclaw.kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    clickhouse.ask("INSERT INTO joelclaw.kept VALUES (7)")
    before = clickhouse.port
    clickhouse.order(Fault(end_after_bytes=1000, ending="restart"))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)), opened(clickhouse, ROWS) as answer:
        answer.read()
    clickhouse.wait()

    assert asked(clickhouse, "SELECT a FROM joelclaw.kept").body == b"7\n"
    assert asked(clickhouse, ROWS).body == lines(100_000)
    assert clickhouse.port == before


def test_server_dies_in_the_middle(clickhouse: RunningClickHouse) -> None:
    """It stays away until it is started, and has its tables then."""
    clickhouse.ask("CREATE TABLE joelclaw.saved (a UInt8) ENGINE = MergeTree ORDER BY a")
    clickhouse.ask("INSERT INTO joelclaw.saved VALUES (7)")
    clickhouse.order(Fault(end_after_bytes=1000, ending="kill"))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)), opened(clickhouse, ROWS) as answer:
        answer.read()
    with pytest.raises(NoAnswerError):
        clickhouse.wait()
    clickhouse.stop()
    with pytest.raises(ConnectionRefusedError):
        asked(clickhouse, "SELECT 1")
    clickhouse.start()

    assert asked(clickhouse, "SELECT a FROM joelclaw.saved").body == b"7\n"


def test_fault_meets_the_queries_that_it_names(clickhouse: RunningClickHouse) -> None:
    """It lets the first of them go well, and comes as often as ordered."""
    clickhouse.order(Fault(matching="JSONEachRow", skipped=1, times=2, status=503))

    assert asked(clickhouse, "SELECT 1").status == 200
    assert [asked(clickhouse, ROWS).status for _ in range(4)] == [200, 503, 503, 200]


def test_first_byte_is_slow(clickhouse: RunningClickHouse) -> None:
    """A client that waits less has no status."""
    clickhouse.order(Fault(wait_seconds=600, times=1))
    with pytest.raises(TimeoutError), opened(clickhouse, ROWS, patience=0.2):
        pass

    assert asked(clickhouse, "SELECT 1").status == 200


def test_password_is_refused(clickhouse: RunningClickHouse) -> None:
    """The right password is wrong while that is ordered."""
    clickhouse.order(Fault(refuses_password=True))
    answer = asked(clickhouse, "SELECT 1")

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_profile_holds_where_the_query_says_nothing(clickhouse: RunningClickHouse) -> None:
    """Row limits that break, quoting, and the time zone; a query may change them, but for those that are fixed."""
    clickhouse.order(
        profile=Profile(
            {
                "max_result_rows": "3",
                "result_overflow_mode": "break",
                "max_block_size": "1",
                "output_format_json_quote_64bit_integers": "0",
                "session_timezone": "Asia/Tokyo",
            },
            fixed=("session_timezone",),
        )
    )

    assert asked(clickhouse, ROWS).body == b'{"number":0}\n{"number":1}\n{"number":2}\n'
    assert asked(clickhouse, "SELECT timezone()").body == b"Asia/Tokyo\n"
    assert asked(clickhouse, ROWS, {"max_result_rows": 0, "max_block_size": 65_536}).body.count(b"\n") == 100_000
    assert asked(clickhouse, ROWS, {"max_result_rows": 3, "result_overflow_mode": "throw"}).status == 500
    refused = asked(clickhouse, "SELECT 1", {"session_timezone": "UTC"})
    assert (refused.status, refused.headers["X-ClickHouse-Exception-Code"]) == (500, "452")


def test_account_may_only_read(clickhouse: RunningClickHouse) -> None:
    """With `readonly=1` the profile's other settings hold, and a query may set none."""
    clickhouse.order(profile=Profile({"readonly": "1", "session_timezone": "Asia/Tokyo"}))

    assert asked(clickhouse, "SELECT timezone(), {a:String}", {"param_a": "x"}).body == b"Asia/Tokyo\tx\n"
    assert asked(clickhouse, "CREATE DATABASE other").status == 500
    refused = asked(clickhouse, "SELECT 1", {"max_threads": 1})
    assert refused.headers["X-ClickHouse-Exception-Code"] == "164"
