"""The secrets that a process has read are found in every form in which they could be written."""

import base64
import html
import json
import shlex
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from model.secrecy.redaction import LEAST_CHARACTERS, SHOWN, Redactor, forms_of, keep_secret, redacted

SECRET = """planted/s+cret=<'"&\\-ü 0123456789"""  # noqa: S105 - planted, to be searched for


@pytest.fixture(name="redactor")
def _redactor() -> Redactor:
    redactor = Redactor()
    redactor.keep(SECRET)
    return redactor


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"key": SECRET}),
        json.dumps({"key": SECRET}, ensure_ascii=False),
        json.dumps(json.dumps({"key": SECRET})),
        repr({"key": SECRET}),
        f"https://h/?key={quote(SECRET)}",
        f"https://h/?key={quote(SECRET, safe='')}",
        f"https://h/?key={quote_plus(SECRET)}",
        f"https://h/?next={quote(quote(SECRET, safe=''), safe='')}",
        f"<td>{html.escape(SECRET)}</td>",
        f"<td>{html.escape(SECRET, quote=False)}</td>",
        f"export KEY={shlex.quote(SECRET)}",
    ],
)
def test_no_form_is_left(redactor: Redactor, written: str) -> None:
    """Every form is redacted: plain, as JSON, in URLs, in HTML, for a shell; the text around it stays."""
    shown = redactor.redacted(f"before {written} after")

    assert SHOWN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert not any(form in shown for form in forms_of(SECRET))
    assert "0123456789" not in shown


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "}", "}}", "\n"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_wherever_it_begins(
    redactor: Redactor, before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    """A secret inside base64 is found at any offset, as in a basic authentication header or a Kubernetes Secret."""
    encoded = encode(f"{before}{SECRET}{after}".encode()).decode()

    assert SHOWN in redactor.redacted(encoded)
    assert base64.b64encode(SECRET.encode()[3:30]).decode() not in redactor.redacted(encoded)


def test_short_and_known_values_are_not_kept() -> None:
    """Short values would redact ordinary words; the vendor's defaults are not secret."""
    redactor = Redactor()
    for value in ("", "true", "x" * (LEAST_CHARACTERS - 1), "minioadmin"):
        redactor.keep(value)

    assert redactor.redacted(f"true minioadmin {'x' * 20}") == f"true minioadmin {'x' * 20}"


def test_the_longer_of_two_goes_first() -> None:
    """A value that begins with another value is redacted completely."""
    redactor = Redactor()
    redactor.keep("planted-01")
    redactor.keep("planted-01-and-more")

    assert redactor.redacted("a planted-01-and-more b planted-01 c") == f"a {SHOWN} b {SHOWN} c"


def test_lines_of_a_value_are_found_by_themselves() -> None:
    """Each line of a multi-line key is found alone; its PEM frame is not secret."""
    redactor = Redactor()
    redactor.keep(
        "-----BEGIN PRIVATE KEY-----\nplantedLine0123456789\nplantedLine9876543210\n-----END PRIVATE KEY-----"
    )

    assert redactor.redacted("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    assert redactor.redacted("at plantedLine9876543210.") == f"at {SHOWN}."


def test_the_beginning_of_a_value_waits(redactor: Redactor) -> None:
    """A possible beginning of a value is held back until the following text decides."""
    assert redactor.split(f"say {SECRET[:9]}") == ("say ", SECRET[:9])
    assert redactor.split(f"say {SECRET[:1]}") == ("say ", SECRET[:1])
    assert redactor.split("say nothing") == ("say nothing", "")


@pytest.mark.no_cover
def test_cost_is_linear() -> None:
    """Four times the key pairs, or four times the text, take about four times as long, not sixteen times."""
    text = "\n".join(f"line {number} of a log that says nothing in particular" for number in range(20_000))
    redactor = Redactor()

    def seconds(do: Callable[[], object]) -> float:
        started = time.process_time()
        do()
        return time.process_time() - started

    def keep(kept: Redactor, pairs: int) -> None:
        for number in range(pairs):
            kept.keep(f"planted/{number:04}+{'x' * 27}{number}")

    quarter = min(seconds(lambda: keep(Redactor(), 50)) for _ in range(3))
    assert seconds(lambda: keep(redactor, 200)) < 10 * quarter + 0.1

    assert redactor.redacted(text) == text
    quarter = min(seconds(lambda: redactor.redacted(text[: len(text) // 4])) for _ in range(3))
    assert min(seconds(lambda: redactor.redacted(text)) for _ in range(2)) < 10 * quarter + 0.1


def test_colours_hide_nothing(redactor: Redactor) -> None:
    """A secret that rich has coloured in parts is found; a text without a secret keeps its colours."""
    coloured = SECRET.replace("cret", "\x1b[33mcret\x1b[0m").replace("=", "=\x1b[1;31m")

    assert redactor.redacted(f"\x1b[1mkey\x1b[0m {coloured}") == f"key {SHOWN}"
    assert redactor.redacted("\x1b[1mkey\x1b[0m") == "\x1b[1mkey\x1b[0m"


def test_what_is_kept_is_returned() -> None:
    """The value is returned, so that the code that reads it can register it in the same line."""
    assert keep_secret(SECRET) == SECRET
    assert redacted(f"<{SECRET}>") == f"<{SHOWN}>"
