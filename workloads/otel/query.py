"""`object-store otel query`: SQL over archived days, without restoring them.

Exit status: 0 answered, over all that is stored of the span; 1 answered, but something of the span is not stored; 2 it
could not be answered.

The rule: the engine, DuckDB, reads only files that were proven against their commits, and each event once. It gets no
credentials, and may read and write nothing else. Columns and their types are those of the commits.
"""

import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import isfinite, isnan
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import duckdb

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from workloads.context import OTEL, Options, Told, ended, opened
from workloads.otel.column_types import duckdb_type
from workloads.otel.gzip_file import opened_gzip
from workloads.otel.reading import Row, merged
from workloads.otel.restoring import stored_span
from workloads.otel.times import span_asked
from workloads.table import print_table

VIEW: Final = "otel_events"
_EXAMPLE: Final = "SELECT component, count(*) FROM otel_events GROUP BY component"
_ROWS_A_FILE: Final = 250_000
"""DuckDB reads files side by side, and one file of gzip only by one thread."""
_LINE_BYTES_MINIMUM: Final = 2**21
"""DuckDB takes twice as much for each file that it reads, and needs the longest line to fit."""
_MEMORY_MB: Final = 512
_FETCHED: Final = 1000
Form = Literal["table", "json", "csv"]


@dataclass(frozen=True)
class QueryOptions(Options):
    """The options of `query`.

    Attributes:
        first: `--from`.
        last: `--to`.
        sql: A SELECT over `otel_events`.
        form: How the answer is printed.
    """

    first: str = ""
    last: str = ""
    sql: str = ""
    form: Form = "table"


def run(options: QueryOptions) -> ExitCode:
    """Answer a question."""
    try:
        span = span_asked(options.first, options.last)
        with opened(options, OTEL, locked=False) as context:
            with stored_span(context, span) as stored, tempfile.TemporaryDirectory(prefix="object-store-otel-") as kept:
                folder = Path(kept)
                with context.doing("reading each event once"):
                    files, longest = _written(merged(stored.files, span), folder)
                names, answer = _answered(options.sql, files, longest, stored.columns, folder)
                _print(options.form, names, answer)
            wrong = stored.wrong
    except Told as error:
        return ended(error)
    for text in wrong:
        sys.stderr.write(printable(text) + "\n")
    return ExitCode.WRONG if wrong else ExitCode.DONE


def _written(rows: Iterator[Row], folder: Path) -> tuple[list[Path], int]:
    """The lines as files that DuckDB reads, and the bytes of the longest; text that is not UTF-8 is replaced."""
    files: list[Path] = []
    written = longest = 0
    file: BinaryIO | None = None
    try:
        for row in rows:
            if file is None or written % _ROWS_A_FILE == 0:
                if file is not None:
                    file.close()
                files.append(folder / f"{len(files)}.ndjson.gz")
                file = opened_gzip(files[-1], "wb")
            written += 1
            line = row.line
            try:
                line.decode()
            except UnicodeDecodeError:
                line = line.decode("utf-8", "replace").encode()
            longest = max(longest, len(line))
            file.write(line)
    finally:
        if file is not None:
            file.close()
    return files, longest


def _answered(
    sql: str, files: Sequence[Path], longest: int, columns: dict[str, str], folder: Path
) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
    types = {name: duckdb_type(kind) for name, kind in columns.items()}
    alike = [name for name, times in Counter(name.lower() for name in types).items() if times > 1]
    if alike:
        text = f"several columns are called {alike[0]} in large or small letters, which DuckDB takes for one"
        legal = f"restore the span to a file or a table; the columns are {', '.join(columns)}"
        raise InvalidInputError(
            [Problem("SQL", text, legal, "object-store otel restore --from DAY --to DAY --to-file FILE")]
        )
    line = max(longest, _LINE_BYTES_MINIMUM)
    memory = f"{_MEMORY_MB + 8 * line // 2**20}MB"
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spilled"),
        "autoinstall_known_extensions": False,
    }
    with duckdb.connect(config=settings) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        if files:
            given = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in types.items())
            names = ", ".join(_text(str(path)) for path in files)
            source = (
                f"read_json([{names}], columns={{{given}}}, format='newline_delimited', compression='gzip', "
                f"maximum_object_size={line})"
            )
            engine.execute(f"CREATE VIEW {VIEW} AS SELECT * FROM {source}")  # noqa: S608 - quoted
        else:
            given = ", ".join(f"{_name(name)} {kind}" for name, kind in types.items())
            engine.execute(f"CREATE TABLE {VIEW} ({given})")
        engine.execute(f"SET allowed_directories = [{_text(str(folder))}]")
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        legal = f"a SELECT of DuckDB over {VIEW}, with the columns {', '.join(columns)}"
        try:
            if not engine.extract_statements(sql):
                raise InvalidInputError([Problem("SQL", "it is empty", legal, _EXAMPLE)])
            asked = _in_full(engine, sql)
            names_of = _distinct(str(one[0]) for one in asked.description or ())
            rows = []
            while some := asked.fetchmany(_FETCHED):
                rows += some
        except duckdb.Error as fault:
            text = str(fault).partition("\n\n")[0]
            raise InvalidInputError([Problem("SQL", text, legal, _EXAMPLE)]) from None
    return names_of, rows


def _in_full(engine: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation:
    """An answer whose nanoseconds are text: Python's times have six digits."""
    asked = engine.execute(sql)
    kinds = [str(one[1]) for one in asked.description or ()]
    if "TIMESTAMP_NS" not in kinds:
        return asked
    fields = [
        f"replace(CAST(#{number} AS VARCHAR), ' ', 'T') || 'Z' AS {_name(str(one[0]))}"
        if kind == "TIMESTAMP_NS"
        else f"#{number}"
        for number, (kind, one) in enumerate(zip(kinds, asked.description or (), strict=True), start=1)
    ]
    return engine.sql(sql).project(", ".join(fields))


def _distinct(names: Iterable[str]) -> list[str]:
    """Names of columns, each another one: `id`, `id_1`; an object of JSON has each name once."""
    found: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        found[name if name not in found else next(one for one in numbered if one not in found)] = None
    return list(found)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _print(form: Form, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    if form == "json":
        for row in rows:
            values = {name: _as_json(value) for name, value in zip(names, row, strict=True)}
            sys.stdout.write(json.dumps(values, default=_plain, allow_nan=False) + "\n")
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(["" if value is None else _plain(value) for value in row] for row in rows)
    else:
        print_table(names, (["" if value is None else str(_plain(value)) for value in row] for row in rows))


def _as_json(value: object) -> object:
    """A value with what JSON lacks as text: numbers that are none, as in the lines of the parts, and keys."""
    if isinstance(value, float) and not isfinite(value):
        return "nan" if isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {str(_plain(key)): _as_json(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(held) for held in value]
    return value


def _plain(value: object) -> object:
    """A value as text, unless JSON has it; a time is UTC."""
    if hasattr(value, "isoformat"):
        text = str(value.isoformat())
        return f"{text}Z" if "T" in text and not text.endswith("+00:00") else text.replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | list | dict) else str(value)
