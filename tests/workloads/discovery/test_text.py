"""The text of a page is right in every charset, uncut, and takes no more memory for a larger page."""

from __future__ import annotations

import codecs
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sizes import sized
from workloads.discovery.encoding import Charset, charset_of, text_of
from workloads.discovery.text import Page, TextError, extracted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORD = "Grüße"
CHINESE = "中文网页的文字"
#: The bytes, the header `Content-Type`, what decides, and the text.
CHARSETS = {
    "meta, no header": (f"<meta charset=windows-1252><p>{WORD}".encode("cp1252"), "text/html", "page", WORD),
    "header, latin-1": (f"<p>{WORD}".encode("latin-1"), "text/html; charset=ISO-8859-1", "header", WORD),
    "no word at all, latin-1": (f"<p>{WORD}".encode("latin-1"), "text/html", "default", WORD),
    "no word at all, utf-8": (f"<p>{WORD}".encode(), "text/html", "bytes", WORD),
    "gbk": (f'<meta http-equiv=x content="text/html; charset=gbk"><p>{CHINESE}'.encode("gbk"), "", "page", CHINESE),
    "BOM against header": (codecs.BOM_UTF8 + f"<p>{WORD}".encode(), "x/x; charset=latin-1", "byte order mark", WORD),
    "BOM of UTF-16": (codecs.BOM_UTF16_LE + f"<p>{WORD}".encode("utf-16-le"), "text/html", "byte order mark", WORD),
    "UTF-16 by header": (f"<p>{WORD}".encode("utf-16-be"), "text/html; charset=utf-16be", "header", WORD),
    "unicode on ASCII, header": (b"<p>plain", "text/html; charset=unicode", "bytes", "plain"),
    "unicode on ASCII, page": (b"<meta charset=unicode><p>plain", "text/html", "bytes", "plain"),
    "utf-16 on UTF-8": (f"<meta charset=utf-16><p>{WORD}".encode(), "text/html", "bytes", WORD),
    "header against page": (f"<meta charset=utf-8><p>{WORD}".encode("cp1252"), "; charset=cp1252", "header", WORD),
    "header that is wrong": (f"<p>{WORD}".encode("cp1252"), "text/html; charset=utf-8", "default", WORD),
    "header that is none": (f"<p>{WORD}".encode(), "text/html; charset=unicode_escape", "bytes", WORD),
    "curly quotes as latin-1": (b"<p>\x93a\x94 \x80", "text/html; charset=latin1", "header", "“a” €"),
    "what windows-1252 lacks": (b"<p>a\x81b", "text/html; charset=latin1", "header", "a\x81b"),
    "shift_jis": ("<p>日本語".encode("shift_jis"), "text/html; charset=Shift_JIS", "header", "日本語"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHARSETS)
def test_charset(tmp_path: Path, case: str) -> None:
    """The text is right, nothing was replaced, and it is told what decided."""
    body, header, decides, text = CHARSETS[case]
    path = tmp_path / "body"
    path.write_bytes(body)

    charset = charset_of(path, header)
    extracted(text_of(path, charset), tmp_path / "text")

    assert ((tmp_path / "text").read_text(encoding="utf-8"), charset.found, charset.replaced) == (
        f"{text}\n",
        decides,
        0,
    )


def test_signs_that_are_replaced_are_counted(tmp_path: Path) -> None:
    """UTF-8 with some wrong bytes among right ones stays UTF-8, and says how many are U+FFFD."""
    path = tmp_path / "body"
    path.write_bytes(f"<p>{WORD}{WORD}".encode() + b"\xff\xfe")
    assert charset_of(path, "text/html; charset=utf-8") == Charset("utf-8", "header", 2)


def test_signs_across_blocks(tmp_path: Path) -> None:
    """A sign whose bytes are in two blocks of the file is one sign."""
    path = tmp_path / "body"
    path.write_bytes(b"x" + "ü".encode() * 70_000)
    charset = charset_of(path, "")
    assert charset == Charset("utf-8", "bytes", 0)
    assert "".join(text_of(path, charset)) == "x" + "ü" * 70_000


def page_of(html: str, folder: Path) -> tuple[str, Page]:
    """The text of a page, and what else it has."""
    path = folder / "text"
    path.unlink(missing_ok=True)
    page = extracted([html], path)
    return path.read_text(encoding="utf-8"), page


def test_marks_of_the_text(tmp_path: Path) -> None:
    """Headings, lists, links, tables and preformatted text are marked; scripts, styles and templates are left out."""
    html = """<title>My  page</title><style>x{}</style><h1>Head <em>line</em></h1>
    <p>A <b>bold</b>, <a href="/x y">link</a>.
    New &uuml;.</p><ul><li>one<li>two</ul><pre>  a
   b</pre><table><tr><td>1<td>2<tr><td>3<td>4</table>x<br>y<script>no</script><template>no</template>
   <noscript>yes</noscript><img alt="a picture"><svg><title>icon</title></svg>"""
    text, page = page_of(html, tmp_path)
    assert text == (
        "# Head line\n\nA bold, [link](/x%20y). New ü.\n\n- one\n- two\n\n  a\n   b\n\n1 2\n3 4\n\nx\ny yes a picture\n"
    )
    assert page.title == "My page"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 3000 + "the end",
        "<p>" + "x" * 11_000_000 + " the end",
        "<p>a\0b</p> the end",
        "<a b='" + "x" * 100_000 + "'>the end",
        "</div></p></html>the end",
        "<table><p>the end",
        "<p><![CDATA[ x ]]>the end",
        "<frameset><noframes>the end",
        "the end",
        "<textarea><p>the end",
    ],
    ids=range(10),
)  # fmt: skip
def test_text_is_not_cut(tmp_path: Path, html: str) -> None:
    """Depth, length and odd markup end no text before its end."""
    assert page_of(html, tmp_path)[0].endswith("the end\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=sized(60, 2000))
@given(
    st.lists(st.tuples(st.sampled_from(["p", "div", "li", "b", "td", "h2", "pre"]), st.text("abc xyzü", min_size=1)))
)
def test_every_word_of_a_page(tmp_path: Path, parts: list[tuple[str, str]]) -> None:
    """Whatever elements hold them, all words come, in their order."""
    html = "".join(f"<{tag}>{text} </{tag}>" for tag, text in parts)
    found = page_of(html, tmp_path)[0].replace("#", " ").replace("- ", " ")
    assert found.split() == " ".join(text for _, text in parts).split()


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """A page of many megabytes is read and written in pieces."""
    path = tmp_path / "body"
    peaks = []
    for number, times in enumerate((sized(40, 400), sized(400, 4000))):
        path.write_bytes((f"<p>{WORD} <a href=x>word</a></p>" * 100).encode() * times)
        tracemalloc.start()
        extracted(text_of(path, charset_of(path, "")), tmp_path / f"text{number}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


@pytest.mark.parametrize(
    "parts",
    [["<a "], ["<!-- "], ["<p>x<a", " b=c"]],
    ids=["attributes", "comment", "after text"],
)
def test_tag_without_an_end(tmp_path: Path, parts: list[str]) -> None:
    """libxml2 holds a tag until it ends: one of very many parts is given up while most of it has not come."""
    taken = []

    def pieces() -> Iterator[str]:
        yield "".join(parts)
        for number in range(10_000):
            taken.append(number)
            yield " ".join(f"b{number}-{each}=y" for each in range(1000))

    with pytest.raises(TextError, match="more than 500000 parts"):
        extracted(pieces(), tmp_path / "text")
    assert len(taken) < 300


@pytest.mark.parametrize("held", ["src='data:{}'", "alt=x><script>{}</script><p>{}"], ids=["image", "script and text"])
def test_much_of_what_is_no_tag(tmp_path: Path, held: str) -> None:
    """An image of some megabytes inside of its address, and as much script and text, are no such tag."""
    body = "<img " + held.replace("{}", "ab/c = d" + "ABC/" * 300_000 + "x = 1; " * 200_000 * ("script" in held)) + ">"
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    extracted([*pieces, "<p>the end"], tmp_path / "text")
    assert (tmp_path / "text").read_text().endswith("the end\n")
