"""Reads YAML that a person wrote, with the types that Pulumi's engine gives it.

The rule: a plain value is text, unless the engine reads a number, a boolean or null: `yes`, `1:30` and `2026-12-31` are
text. What YAML's versions or programs read differently is refused: a key that appears twice or is not text, a number
with a leading zero, a tag. No message shows a value.

Left out: PyYAML's SafeLoader. It follows YAML 1.1, keeps the last of two equal keys, and raises what Python's own
conversions raise. Its scanner and parser are used.

The engine reads with https://github.com/go-yaml/yaml/blob/v3.0.1/resolve.go.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from model.written import WrittenError, position_of, read_written, shown, text_of

FILE_BYTES_MAXIMUM = 2**20
"""A taxonomy of 300 domains has 40 KiB."""

NESTING_MAXIMUM = 32
VALUES_MAXIMUM = 100_000
"""With aliases counted as often as they are used: nine lines of YAML can stand for a billion values."""

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL, _NULL, _DATE, _MERGE = (
    f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "merge")
)
# Further kinds of plain values, by what is wrong with them.
_LEADING_ZERO, _ENDLESS = "a number with a leading zero", "a number without a value"
_WHOLE_NUMBERS = range(-(2**63), 2**64)
_TRUE = ("true", "True", "TRUE")
_PLAIN = {
    _BOOL: r"true|True|TRUE|false|False|FALSE",
    _NULL: r"~|null|Null|NULL|",
    _MERGE: r"<<",
    _LEADING_ZERO: r"[-+]?0[0-9_]+",
    _INT: r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+)",
    _FLOAT: r"[-+]?(?:(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?)",
    _ENDLESS: r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    _DATE: r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}.*)?",
}
_IN_QUOTES = 'the value in quotes: key: "…"'
_INDENTED = "the line indented with spaces, as far as its neighbours"
# What PyYAML says of a fault, and what we say of it. PyYAML's words may repeat a value; ours do not.
_SAID = {
    "found character '\\t'": ("a tab where YAML wants spaces", "spaces instead of the tab"),
    "mapping values are not allowed here": ("a second `: ` in a line, or a line that is indented too far", _IN_QUOTES),
    "found character": ("a character that no value begins with", _IN_QUOTES),
    "while scanning a simple key": ("a line without `: ` between key and value", "key: value"),
    "could not find expected ':'": ("a line without `: ` between key and value", "key: value"),
    "expected <block end>": ("a line that does not belong to the lines above it", _INDENTED),
    "expected ',' or": ("a bracket that is not closed, or a comma that is missing", "[one, two] or {key: value}"),
    "expected the node content": ("a value that is missing, or a comma, bracket or dash too many", "key: value"),
    "found undefined alias": ("an alias (*) of an anchor that is not there", _IN_QUOTES),
    "found duplicate anchor": ("an anchor (&) with the name of another one", "each anchor with its own name"),
    "found unexpected end of stream": ("a quote that is not closed", _IN_QUOTES),
    "found unknown escape": (r"a `\` that begins no escape", r"\\ for a backslash, or the value in single quotes"),
    "expected escape sequence": (r"a `\` that begins no escape", r"\\ for a backslash, or the value in single quotes"),
    "expected a single document": ("a second document (---)", "one document in the file"),
    "expected alphabetic": ("an anchor (&), alias (*) or directive (%) without a name", _IN_QUOTES),
    "found undefined tag handle": ("a tag (!)", "the value without the tag, or in quotes"),
}
_UNKNOWN = ("a line that is not YAML", "key: value, indented with spaces")
_NOT_PRINTABLE = Reader.NON_PRINTABLE


class _Nodes(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's parser, with the engine's types of plain values and a limit of the nesting."""

    def __init__(self, text: str) -> None:
        """Read a text without control characters."""
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:  # noqa: N803 - PyYAML's name
        """Scan an opening bracket; PyYAML looks ahead by a time that grows with the square of the open ones."""
        if self.flow_level >= NESTING_MAXIMUM:
            raise _Fault(self.get_mark(), *_TOO_DEEP)
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose one node; PyYAML calls itself for those in it."""
        self._depth += 1
        if self._depth > NESTING_MAXIMUM:
            raise _Fault(self.get_mark(), *_TOO_DEEP)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _tag, _pattern in _PLAIN.items():
    _Nodes.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), None)

_TOO_DEEP = (f"more than {NESTING_MAXIMUM} levels, or an alias (*) of what it is in", "the value itself, less nested")


class _Fault(Exception):  # noqa: N818 - becomes a WrittenError, which knows the file
    """A fault at a place."""

    def __init__(self, mark: yaml.Mark, found: str, write: str) -> None:
        """Name the place, what was found there, and what to write instead."""
        super().__init__(found)
        self.mark, self.found, self.write = mark, found, write


def read_yaml_file(path: Path, where: str) -> Any:  # noqa: ANN401 - YAML holds anything
    """The value in a file of YAML; None if it is empty.

    Raises:
        WrittenError: It cannot be read, or is not YAML.
    """
    return parse_yaml(read_written(path, where, FILE_BYTES_MAXIMUM), where)


def parse_yaml(content: str | bytes, where: str, *, date: Callable[[str], str] = str) -> Any:  # noqa: ANN401 - likewise
    """The value that YAML says; None if there is none.

    Args:
        content: The YAML.
        where: The name of its source in messages.
        date: What becomes of a plain date or time, such as `2026-12-31`; without it, it stays as it is written.

    Raises:
        WrittenError: It is not YAML, or two programs would read it differently.
    """
    text = content if isinstance(content, str) else text_of(content, where)
    text = text.removeprefix("\ufeff")
    control = _NOT_PRINTABLE.search(text)
    if control is not None:
        raise WrittenError(
            where,
            f"the control character U+{ord(control[0]):04X}",
            rf'the text without it, or in double quotes as "\u{ord(control[0]):04x}"',
            position_of(text, control.start()),
        )
    nodes = _Nodes(text)
    try:
        root = nodes.get_single_node()
        return None if root is None else _Values(date).of(root)
    except _Fault as fault:
        mark, said = fault.mark, (fault.found, fault.write)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or nodes.get_mark()
        words = f"{error.problem or ''} {error.context or ''}"
        said = next((ours for theirs, ours in _SAID.items() if theirs in words), _UNKNOWN)
    except (ValueError, OverflowError):  # of an escape such as "\U99999999", or of a %YAML directive
        mark, said = nodes.get_mark(), _SAID["found unknown escape"]
    raise WrittenError(where, *said, (mark.line + 1, mark.column + 1))


def date_of_engine(text: str) -> str:
    """A plain date of a stack's config as the engine passes it on: Go's text of its time; other text stays.

    https://pkg.go.dev/time#Time.String
    """
    year, month, rest = text.split("-", 2)
    digits = re.match(r"[0-9]*", rest)
    day = digits[0] if digits else ""
    try:
        moment = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}{rest[len(day) :] or ' 00:00:00'}")
    except ValueError:
        return text
    zone = moment.strftime("%z") or "+0000"
    clock = moment.time().isoformat()
    clock = clock.rstrip("0") if "." in clock else clock
    return f"{moment.date()} {clock} {zone} {'UTC' if zone == '+0000' else zone}"


class _Values:
    """The values of a tree of nodes."""

    def __init__(self, date: Callable[[str], str]) -> None:
        """Begin a document."""
        self._date = date
        self._count = 0

    def of(self, node: Node, depth: int = 1) -> Any:  # noqa: ANN401 - YAML holds anything
        """The value of a node."""
        self._count += 1
        if self._count > VALUES_MAXIMUM:
            raise _Fault(
                node.start_mark, f"more than {VALUES_MAXIMUM:,} values, with its aliases (*)", "the values, fewer"
            )
        if depth > NESTING_MAXIMUM:
            raise _Fault(node.start_mark, *_TOO_DEEP)
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, depth)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.of(one, depth + 1) for one in node.value]
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        raise _Fault(node.start_mark, "a tag (!)", "the value without the tag")

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        first: dict[str, yaml.Mark] = {}
        for key_node, value_node in node.value:
            key = _key(key_node, value_node)
            if key in first:
                raise _Fault(
                    key_node.start_mark,
                    f"the key {shown(key)} appears twice, first in line {first[key].line + 1}",
                    "each key once: remove or rename one of the two",
                )
            first[key] = key_node.start_mark
            if key_node.tag == _MERGE:
                merged = self._merged(value_node, depth)
            else:
                own[key] = self.of(value_node, depth + 1)
        return {**merged, **own}

    def _merged(self, node: Node, depth: int) -> dict[str, Any]:
        """The keys that `<<` takes over; of several mappings the first one that has a key counts."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        found: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, MappingNode):
                raise _Fault(
                    source.start_mark, "`<<` takes over a mapping, and this is none", "<<: *ANCHOR_OF_A_MAPPING"
                )
            found |= self.of(source, depth + 1)
        return found

    def _scalar(self, node: ScalarNode) -> str | bool | float | None:
        text = str(node.value)
        match node.tag:
            case tag if tag in {_STR, _MERGE} and not _has_surrogate(text):
                return text
            case tag if tag == _DATE and _is(_DATE, text):
                return self._date(text)
            case tag if tag == _BOOL and _is(_BOOL, text):
                return text in _TRUE
            case tag if tag == _NULL and _is(_NULL, text):
                return None
            case tag if tag in {_INT, _FLOAT} and (_is(_INT, text) or _is(_FLOAT, text)):
                return _number(node)
            case tag if tag in {_LEADING_ZERO, _ENDLESS}:
                raise _Fault(node.start_mark, f"{tag}, which programs read differently", _IN_QUOTES)
            case tag if tag in {_STR, _MERGE}:
                raise _Fault(node.start_mark, "half of a surrogate pair", "the character itself")
        raise _Fault(node.start_mark, "a tag (!)", "the value without the tag, or in quotes")


def _is(tag: str, text: str) -> bool:
    return re.fullmatch(_PLAIN[tag], text) is not None


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= one <= "\udfff" for one in text)


def _number(node: ScalarNode) -> float:
    digits = node.value.replace("_", "")
    try:
        number = int(digits, 0) if _is(_INT, node.value) else float(digits)
    except ValueError:  # only underscores after 0x, or more digits than Python converts
        number = math.inf
    # A range looks for a float by counting.
    if math.isfinite(number) if isinstance(number, float) else number in _WHOLE_NUMBERS:
        return number
    raise _Fault(node.start_mark, "a number that not every program can hold", "a number of 64 bits, or in quotes")


def _key(node: Node, value: Node) -> str:
    if not isinstance(node, ScalarNode):
        template = isinstance(node, MappingNode) and node.flow_style and value.start_mark.index == value.end_mark.index
        write = 'a value that begins with a brace, in quotes: key: "{{ … }}"' if template else "a key that is text"
        raise _Fault(node.start_mark, "a key that is a mapping or a list", write)
    text = str(node.value)
    if node.tag not in {_STR, _MERGE} or _has_surrogate(text):
        raise _Fault(node.start_mark, f"the key {shown(text)} is not text", f'the key in quotes: "{text[:20]}": …')
    return text
