"""chdb's engine: one query on one connection, whose settings end with it.

The rule: this module alone loads chdb, and only the server's process loads this module: an engine has one folder in a
process, and threads that outlive it. Each answer comes in the pieces that the engine makes, about 65 000 rows each.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import chdb
from chdb.state.sqlitelike import Connection

from sandbox.clickhouse.conditions import Profile
from sandbox.clickhouse.failures import QueryError
from sandbox.clickhouse.query import Query

#: The engine is newer than the owner's server: with this its settings have the values that they had then.
_SETTINGS = {"compatibility": "24.12", "implicit_select": "0"}
#: The statements that the engine answers in pieces; it refuses others, INSERT among them.
_STREAMED = re.compile(rb"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)


class Engine:
    """The engine on a folder.

    Raises:
        QueryError: From its methods: what the engine said.
    """

    def __init__(self, folder: Path) -> None:
        """Open it, and keep it open between queries."""
        self._folder = str(folder)
        self._held = chdb.connect(self._folder)

    def time_zone(self) -> str:
        """The server's."""
        with closing(chdb.connect(self._folder)) as connection:
            return bytes(connection.query("SELECT serverTimezone()", "TSVRaw").bytes()).decode().strip()

    def answer(self, query: Query, profile: Profile) -> Iterator[bytes]:
        """Run a query; nothing of it is run before the first piece is asked for."""
        fixed = [name for name in profile.fixed if name in query.settings]
        if fixed:
            raise QueryError.of(452, "SETTING_CONSTRAINT_VIOLATION", f"Setting {fixed[0]} should not be changed.")
        with closing(chdb.connect(self._folder)) as connection:
            try:
                if query.database:
                    connection.query(f"USE `{query.database.replace('`', '``')}`")
                for name, value in _settings(query, profile):
                    connection.query(f"SET {_checked(name)} = {_quoted(value)}")
                yield from _pieces(connection, query)
            except (RuntimeError, UnicodeDecodeError) as error:
                raise QueryError.said(_message(error)) from None


def _message(error: BaseException) -> str:
    """What the engine said; chdb cannot give a message that quotes bytes which are no UTF-8."""
    for held in (error, error.__context__):
        if isinstance(held, UnicodeDecodeError):
            return held.object.decode(errors="replace")
    return str(error)


def _settings(query: Query, profile: Profile) -> Iterator[tuple[str, str]]:
    """In the order in which they hold: what the account may not change is refused from `readonly` on."""
    yield from _SETTINGS.items()
    yield from sorted(profile.settings.items(), key=lambda each: each[0] == "readonly")
    yield from query.settings.items()
    if query.is_reading:
        yield "readonly", "2"


def _pieces(connection: Connection, query: Query) -> Iterator[bytes]:
    sql: Any = query.sql  # its types say text, but it takes bytes, which need not be UTF-8
    if not _STREAMED.match(query.sql):
        yield bytes(connection.query(sql, query.form, params=dict(query.params)).bytes())
        return
    is_empty = True
    for piece in connection.send_query(sql, query.form, params=dict(query.params)):
        is_empty = False  # a query that is given up ends with its connection
        yield bytes(piece.bytes())
    if is_empty:  # an answer without a row comes in no piece, and some forms say something even then
        yield bytes(connection.query(sql, query.form, params=dict(query.params)).bytes())


def _checked(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise QueryError.of(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'.")
    return name


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
