"""`object-store verify`: the suite's options for a person, passed on as the arguments of `python -m verify`."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import plain_app

app = plain_app()


class Via(StrEnum):
    """The values of --via."""

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
        Path | None, typer.Option(metavar="FILE", help="A published deployment, without Pulumi; or:")
    ] = None,
    from_facts: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge saved facts, without a store.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --deployment: key pairs, mode 0600 (environment).")
    ] = None,
    ca_bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --deployment: CA certificates in place of its own.")
    ] = None,
    via: Annotated[Via | None, typer.Option(help="The endpoint (provisioning with --stack, else client).")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="Run only this check, by id.")] = None,
    bucket: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Check only this bucket or domain.")] = None,
    identity: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Check only this identity's grants.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Add large objects in every bucket and long listings.")] = False,
    full_matrix: Annotated[bool, typer.Option("--full-matrix", help="Test every identity in every bucket.")] = False,
    leave_locked_probe: Annotated[
        bool,
        typer.Option("--leave-locked-probe", help="Also write to COMPLIANCE buckets; the object stays."),
    ] = False,
    jobs: Annotated[int | None, typer.Option(metavar="N", help="Number of parallel tasks (8).")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML report.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JSON report.")] = None,
    junitxml: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")] = None,
    save_facts: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the facts, without secrets.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar.")] = False,
) -> None:
    """Prove a deployed store line by line.

    You can repeat --only, --bucket and --identity. Exit status: 0 all checks are
    proven, 1 a check fails, 2 it could not run or finish.
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
