"""`object-store verify`: the suite's options for a person, handed on as the words that `python -m verify` takes."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import plain_app

app = plain_app()


class Via(StrEnum):
    """What --via takes."""

    CLIENT = "client"
    PROVISIONING = "provisioning"


@app.command(epilog="Options of pytest follow --: -- -k media-raw --durations 5", no_args_is_help=True)
def verify(  # noqa: PLR0913 - the command's options
    pytest_options: Annotated[
        list[str] | None, typer.Argument(metavar="-- [OPTIONS]", help="Pytest's own options.")
    ] = None,
    *,
    stack: Annotated[str | None, typer.Option(metavar="NAME", help="Read the outputs of this stack; or:")] = None,
    deployment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A published deployment, where there is no Pulumi; or:")
    ] = None,
    from_facts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge facts that were saved, without a store.")
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --deployment: key pairs, mode 0600 (environment).")
    ] = None,
    ca_bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --deployment: CA certificates in place of its own.")
    ] = None,
    via: Annotated[Via | None, typer.Option(help="Which endpoint (provisioning with --stack, else client).")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="Only this check, by id.")] = None,
    bucket: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this bucket or domain.")] = None,
    identity: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this identity's grants.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Large bodies in every bucket, long listings.")] = False,
    full_matrix: Annotated[bool, typer.Option("--full-matrix", help="Every identity in every bucket.")] = False,
    leave_locked_probe: Annotated[
        bool,
        typer.Option("--leave-locked-probe", help="Write in COMPLIANCE buckets; it stays."),
    ] = False,
    jobs: Annotated[int | None, typer.Option(metavar="N", help="Tasks at a time (8).")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="A report for a browser.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="A report for programs.")] = None,
    junitxml: Annotated[Path | None, typer.Option(metavar="FILE", help="A JUnit report.")] = None,
    save_facts: Annotated[Path | None, typer.Option(metavar="FILE", help="The facts, without secrets.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Prove a deployed store line by line.

    The options --only, --bucket and --identity may be given several times. Exit
    status: 0 all proven, 1 something fails, 2 it could not run.
    """
    from verify.__main__ import main

    given = {
        "--stack": stack,
        "--deployment": deployment,
        "--from-facts": from_facts,
        "--credentials": credentials,
        "--ca-bundle": ca_bundle,
        "--via": via,
        "--only": only,
        "--bucket": bucket,
        "--identity": identity,
        "--deep": deep,
        "--full-matrix": full_matrix,
        "--leave-locked-probe": leave_locked_probe,
        "--jobs": jobs,
        "--html": html,
        "--json": json,
        "--junitxml": junitxml,
        "--save-facts": save_facts,
        "--quiet": quiet,
    }
    raise typer.Exit(main([*_words(given), *(pytest_options or ())]))


def _words(given: Mapping[str, object]) -> Iterator[str]:
    """Options as they are typed."""
    for name, value in given.items():
        if value is True:
            yield name
        elif isinstance(value, list):
            for one in value:
                yield f"{name}={one}"
        elif value is not None and value is not False:
            yield f"{name}={value}"
