"""What ClickHouse says of a query that failed: its number, the HTTP status, and the forms that 24.12 writes it in.

The rule: pure. The statuses are those of ClickHouse's `exceptionCodeToHTTPStatus`.
"""

import json
import re
from typing import Literal, Self

VERSION = "24.12.2.29 (official build)"
MARK = "__exception__"
#: How an error in the middle of an answer is written (https://github.com/ClickHouse/ClickHouse/issues/75175):
#: `row`, of its own, at a whole end: 24.12 for JSON;
#: `marked`, text behind a mark, and the connection cut: 24.12 for the rest, and for all if
#: `http_write_exception_in_output_format=0`;
#: `tagged`, likewise with a tag of the answer: 25.11;
#: `bare`, text at a whole end: before 24.11 (https://github.com/ClickHouse/ClickHouse/issues/46426).
Form = Literal["row", "marked", "tagged", "bare"]
TAG = "PU1FNUFH98"
# What cannot be parsed or is out of its type's range; and unknown tables, columns, functions, settings and the like.
_BAD_REQUEST = (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441)
_NOT_FOUND = (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511)
_BEGINNING = re.compile(r"(?:Code: (\d+)\. DB::Exception: )+")
_NESTED_END = re.compile(r" \(\w+\) \(version [\d.]+\)\.?")
_STATUSES = {
    194: 401,  # REQUIRED_PASSWORD
    **dict.fromkeys((192, 193, 516), 403),  # unknown user, wrong password, both as AUTHENTICATION_FAILED
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    229: 413,  # QUERY_IS_TOO_LARGE
    48: 501,  # NOT_IMPLEMENTED
    **dict.fromkeys((76, 209, 439), 503),  # CANNOT_OPEN_FILE, SOCKET_TIMEOUT, CANNOT_SCHEDULE_TASK
    159: 408,  # TIMEOUT_EXCEEDED
}


class QueryError(Exception):
    """A query failed.

    Attributes:
        code: ClickHouse's number of the error.
        text: What the server writes, with its number, name and version, and without a line's end.
    """

    def __init__(self, code: int, text: str) -> None:
        """Of a number and a text."""
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def of(cls, code: int, name: str, message: str) -> Self:
        """One that the server itself finds, and not the engine."""
        return cls(code, f"Code: {code}. DB::Exception: {message} ({name}) (version {VERSION})")

    @classmethod
    def said(cls, message: str) -> Self:
        """One of the engine, from its message."""
        text = _NESTED_END.sub("", message.strip().removeprefix("Streaming query failed: "))
        found = _BEGINNING.match(text)
        if found is None:
            return cls.of(49, "LOGICAL_ERROR", text)
        return cls(int(found[1]), f"Code: {found[1]}. DB::Exception: {text[found.end() :]} (version {VERSION})")

    @property
    def status(self) -> int:
        """The HTTP status, if nothing of the answer is out yet."""
        return _STATUSES.get(self.code, 500)

    def written(self, form: Form) -> bytes:
        """What stands at the end of an answer that it broke off."""
        match form:
            case "row":
                return f"{json.dumps({'exception': self.text}, ensure_ascii=False)}\n".encode()
            case "marked":
                return f"{MARK}\r\n{self.text}\n".encode()
            case "tagged":
                size = len(self.text.encode()) + 1
                return f"\r\n{MARK}\r\n{TAG}\r\n{self.text}\n{size} {TAG}\r\n{MARK}\r\n".encode()
            case "bare":
                return f"{self.text}\n".encode()
