"""Where ClickHouse is, and as whom.

The rule: `workloads.yaml` counts before the variables that the owner's own programs have; the password comes from a
file or from CLICKHOUSE_PASSWORD alone, so that it is in no command line.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from model.problems import InvalidInputError, Problem, key_path
from model.secrecy.redaction import keep_secret
from model.written import read_written, text_of
from workloads.context import Context
from workloads.otel.addresses import is_plain_url
from workloads.otel.clickhouse import Address, ClickHouse
from workloads.settings import Otel

_DEFAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "url": ("CLICKHOUSE_URL", "http://127.0.0.1:8123"),
    "database": ("CLICKHOUSE_DATABASE", "joelclaw"),
    "table": ("CLICKHOUSE_OTEL_TABLE", "otel_events"),
    "user": ("CLICKHOUSE_USER", "default"),
}
_PASSWORD: Final = "CLICKHOUSE_PASSWORD"  # noqa: S105 - a variable's name
_PASSWORD_BYTES: Final = 4096


def address_of(settings: Otel, where: str, environ: Mapping[str, str]) -> Address:
    """Where ClickHouse is, and as whom.

    Args:
        settings: The configuration.
        where: Its name in messages.
        environ: The process's environment.

    Raises:
        InvalidInputError: The URL is none, or the file of the password cannot be read.
    """
    found = {
        name: getattr(settings, name) or environ.get(variable) or default
        for name, (variable, default) in _DEFAULTS.items()
    }
    password = environ.get(_PASSWORD, "")
    if settings.password_file is not None:
        path = Path(settings.password_file).expanduser()
        password = text_of(read_written(path, str(path), _PASSWORD_BYTES), str(path)).rstrip("\n")
    if password:
        keep_secret(password)
    if not is_plain_url(found["url"]):
        raise InvalidInputError(
            [
                Problem(
                    key_path(where, "otel.url"),
                    "is not the URL of ClickHouse's HTTP interface, without a user and a query",
                    "http://HOST:PORT",
                    f"url: {_DEFAULTS['url'][1]}",
                )
            ]
        )
    return Address(found["url"], found["database"], found["table"], found["user"], password)


@contextmanager
def opened_server(context: Context) -> Iterator[ClickHouse]:
    """The configured server; nothing is sent yet. Raise InvalidInputError if a setting is wrong."""
    with ClickHouse(address_of(context.settings.otel, context.where, os.environ)) as server:
        yield server
