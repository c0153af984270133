"""`object-store otel`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store, Wait

app = plain_app(no_args_is_help=True)

FirstDay = Annotated[str, typer.Option("--from", metavar="DAY", help="The first UTC day (default: all).")]
LastDay = Annotated[
    str, typer.Option("--to", metavar="DAY", help="The last UTC day (default: the last that has ended).")
]
First = Annotated[str, typer.Option("--from", metavar="TIME", help="A UTC day, or a time (2026-11-30T04:00:00Z).")]
Last = Annotated[str, typer.Option("--to", metavar="TIME", help="A day, which belongs to it, or the time of the end.")]


@app.callback()
def otel() -> None:
    """Store ClickHouse's events by day, and read them again.

    docs/otel.md says how a day is laid out, and what to do on a bad day.
    """


@app.command()
def export(
    *,
    first: FirstDay = "",
    last: LastDay = "",
    config: Config = None,
    store: Store = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store what ClickHouse holds and the store does not.

    Exit status: 0 all is stored, 1 something of a day is not, 2 it could not be done. The
    same command goes on where a killed one was.
    """
    from workloads.otel.export import ExportOptions, run

    options = ExportOptions(config, store, quiet=quiet, as_json=as_json, first=first, last=last, wait_seconds=wait)
    raise typer.Exit(run(options))


@app.command()
def gaps(
    *,
    first: FirstDay = "",
    last: LastDay = "",
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List days, late rows and leftovers that are not stored.

    Exit status: 0 nothing is missing, 1 something is, 2 it cannot tell.
    """
    from workloads.otel.export import ExportOptions
    from workloads.otel.gaps import run

    raise typer.Exit(run(ExportOptions(config, store, quiet=quiet, as_json=as_json, first=first, last=last)))


@app.command()
def restore(
    *,
    first: First,
    last: Last,
    to_file: Annotated[
        Path | None, typer.Option("--to-file", metavar="FILE", help="A new file: a line of JSON for each event.")
    ] = None,
    to_table: Annotated[
        str, typer.Option("--to-table", metavar="TABLE", help="A table of ClickHouse, new or without a TTL.")
    ] = "",
    config: Config = None,
    store: Store = None,
    quiet: Quiet = False,
) -> None:
    """Write a span of time to a file or a table, each event once.

    Exit status: 0 all that is stored came back, 1 something of it is not stored, and is
    named, 2 it could not be done.
    """
    from workloads.otel.restoring import RestoreOptions, run

    options = RestoreOptions(config, store, quiet=quiet, first=first, last=last, to=to_file, table=to_table)
    raise typer.Exit(run(options))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A SELECT of DuckDB over the table otel_events.")],
    *,
    first: First,
    last: Last,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: Quiet = False,
) -> None:
    """Ask a question of a span of time, without restoring it.

    Exit status: 0 answered, 1 answered without days that are not stored, 2 not answered.
    """
    from workloads.otel.query import Form, QueryOptions, run

    form: Form = "json" if as_json else "csv" if as_csv else "table"
    raise typer.Exit(run(QueryOptions(config, store, quiet=quiet, first=first, last=last, sql=sql, form=form)))


@app.command()
def backfill(
    *,
    first: FirstDay = "",
    last: LastDay = "",
    config: Config = None,
    store: Store = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store once what Typesense has from before ClickHouse.

    Exit status: 0 all are stored, 1 what came was not all that the collection has, and
    nothing was committed, 2 it could not be done. The same command completes a killed one.
    """
    from workloads.otel.backfill import run
    from workloads.otel.export import ExportOptions

    options = ExportOptions(config, store, quiet=quiet, as_json=as_json, first=first, last=last, wait_seconds=wait)
    raise typer.Exit(run(options))
