"""From the bytes of an answer to its text: content encodings are undone, and the charset is found.

The rule: sizes are counted while they come out, so a small answer that becomes a large one stops at the limit. What
cannot be read to its end is an error. The charset is the first of byte order mark, header, the page's own word, and
UTF-8 that fits the bytes. The result says what decided, and how many signs had to be replaced.
"""

import codecs
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

_BLOCK: Final = 2**16
_HEAD: Final = 4096
_GZIP: Final = 16 + zlib.MAX_WBITS
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAID: Final = (
    re.compile(rb"""^\s*<\?xml[^>]{0,200}\bencoding\s*=\s*["']\s*([\w.:-]{1,40})""", re.IGNORECASE),
    re.compile(rb"""<meta\b[^>]{0,500}?\bcharset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE),
)
_IN_HEADER: Final = re.compile(r"""\bcharset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
#: What browsers take a name for, where Python's own codec of that name reads less.
_WIDER: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_NAMES: Final = {"x-sjis": "cp932", "x-gbk": "gb18030", "ks_c_5601-1987": "cp949", "unicode": "utf-16-le"}
_LISTED: Final = (
    "utf-8 utf-16-le utf-16-be gb18030 big5hkscs cp932 cp949 euc_jp iso2022_jp koi8-r koi8-u mac-roman mac-cyrillic "
    "cp866 cp874 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 iso8859-13 "
    "iso8859-14 iso8859-15 iso8859-16"
)
_KNOWN: Final = frozenset(_LISTED.split()) | {f"cp125{number}" for number in range(9)}
_C1: Final = "discovery-c1"
_UTF8: Final = "utf-8"
Found = Literal["byte order mark", "header", "page", "bytes", "default"]
_BY_BYTES: Final[Found] = "bytes"


class EncodingError(Exception):
    """An answer cannot be read to its end; the message says why."""


@dataclass(frozen=True)
class Charset:
    """How an answer was read as text.

    Attributes:
        name: Python's name of the charset.
        found: What decided.
        replaced: How many signs could not be read and are U+FFFD.
    """

    name: str
    found: Found
    replaced: int


def undone(body: Path, encoding: str, to: Path, limit: int) -> Path:
    """Undo the content encoding of an answer; the file with the result, which is the body itself if there is none.

    Args:
        body: The bytes of the answer.
        encoding: Its header `Content-Encoding`.
        to: A new file.
        limit: Bytes of the result at most.

    Raises:
        EncodingError: The encoding is unknown, is not what it says, or ends early, or the result is too large.
        OSError: A file cannot be read or written.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        shown = re.sub(r"[^\w, .-]", "", name)[:40]
        raise EncodingError(f"it is encoded as {shown}, which was not asked for and is not read here")
    size = 0
    with body.open("rb") as source, to.open("xb") as file:
        try:
            for block in _gunzipped(iter(lambda: source.read(_BLOCK), b"")):
                size += len(block)
                if size > limit:
                    raise EncodingError(f"decoded it has more than {limit} bytes, which is the limit")
                file.write(block)
        except zlib.error:
            raise EncodingError(f"it is not {name}, as its header says") from None
    return to


def charset_of(content: Path, header: str) -> Charset:
    """Find how bytes are to be read as text.

    Args:
        content: The bytes, without a content encoding.
        header: The header `Content-Type`.

    Raises:
        OSError: The file cannot be read.
    """
    with content.open("rb") as file:
        head = file.read(_HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Charset(name, "byte order mark", _replaced(content, name)[0])
    tried: list[tuple[str, Found]] = []
    in_header = _IN_HEADER.search(header)
    if in_header and (known := _known(in_header[1], head)):
        tried.append((known, "header"))
    on_page = next((match[1] for each in _SAID if (match := each.search(head))), b"").decode("ascii", "replace")
    if known := _known(on_page, head):
        # A page whose own word can be read is not UTF-16.
        tried.append((_UTF8 if known.startswith("utf-16") else known, "page"))
    wrong: dict[str, int] = {}
    for name, found in [*tried, (_UTF8, _BY_BYTES)]:
        wrong[name], right = _replaced(content, name)
        if not wrong[name]:
            return Charset(name, found, 0)
        if name == _UTF8 and wrong[name] >= right:
            wrong[name] = sys.maxsize  # these bytes are no UTF-8 at all
    name, found = min(tried, key=lambda each: wrong[each[0]], default=(_UTF8, _BY_BYTES))
    if wrong[name] == sys.maxsize or not tried:
        return Charset("cp1252", "default", 0)
    return Charset(name, found, wrong[name])


def text_of(content: Path, charset: Charset) -> Iterator[str]:
    """The text in pieces, without a byte order mark. Raise OSError."""
    decode = _decoder(charset.name)
    with content.open("rb") as file:
        first = decode(file.read(_BLOCK), final=False)
        yield first.removeprefix("\ufeff")
        while block := file.read(_BLOCK):
            yield decode(block, final=False)
    yield decode(b"", final=True)


def _known(given: str, head: bytes) -> str | None:
    """Python's name of a charset; None for one that is none, or that cannot be that of these bytes."""
    given = given.strip().lower()
    try:
        name = codecs.lookup(_NAMES.get(given, given)).name
    except (LookupError, ValueError):
        return None
    name = {"utf-16": "utf-16-le"}.get(name, name)
    name = _WIDER.get(name, name)
    if name not in _KNOWN or (name.startswith("utf-16") and b"\0" not in head):
        return None
    return name


def _replaced(content: Path, name: str) -> tuple[int, int]:
    """How many signs cannot be read in a charset, and how many signs beyond ASCII can."""
    decode = _decoder(name)
    wrong = right = 0
    with content.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            text = decode(block, final=not block)
            if not text.isascii():
                bad = text.count("\ufffd")
                wrong += bad
                right += sum(sign > "\x7f" for sign in text) - bad
            if not block:
                return wrong, right


def _decoder(name: str) -> Any:  # noqa: ANN401 - a method of one of Python's codecs
    return codecs.getincrementaldecoder(name)(_C1 if name.startswith("cp125") else "replace").decode


def _control(fault: UnicodeError) -> tuple[str, int]:
    """Read the bytes that windows-1252 and its kin do not have as browsers do: as the control characters they are."""
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    return fault.object[fault.start : fault.end].decode("latin-1"), fault.end


codecs.register_error(_C1, _control)


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_GZIP)
    for block in blocks:
        rest = block
        while rest:
            if decoder.eof:  # another member
                decoder = zlib.decompressobj(_GZIP)
            yield decoder.decompress(rest, _BLOCK)
            rest = decoder.unconsumed_tail or decoder.unused_data
    while piece := decoder.decompress(b"", _BLOCK):
        yield piece
    if not decoder.eof:
        raise EncodingError("its encoding ends early, so it is cut")
