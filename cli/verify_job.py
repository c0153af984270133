"""`object-store verify-job`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import plain_app
from cli.verify import Via
from verify.manifests import IMAGE, NAMESPACE

app = plain_app()


@app.command(epilog="Arguments after -- go to the suite in the pod: -- --deep --jobs 4")
def verify_job(
    suite: Annotated[list[str] | None, typer.Argument(metavar="-- [OPTIONS]", help="The suite's options.")] = None,
    *,
    stack: Annotated[str | None, typer.Option(metavar="NAME", help="Read its outputs; or:")] = None,
    deployment: Annotated[Path | None, typer.Option(metavar="FILE", help="A published deployment.")] = None,
    image: Annotated[str, typer.Option(help="The image that the Job runs.")] = IMAGE,
    namespace: Annotated[str, typer.Option(metavar="NAME", help="The namespace of the Job.")] = NAMESPACE,
    secret: Annotated[
        str | None, typer.Option(metavar="NAME", help="The Secret with the credentials (the Job's name).")
    ] = None,
    via: Annotated[Via, typer.Option(help="The endpoint to verify.")] = Via.CLIENT,
    secret_manifest: Annotated[
        bool, typer.Option("--secret-manifest", help="Print the Secret instead; only to a pipe, not to a terminal.")
    ] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --secret-manifest and --deployment: key pairs, mode 0600."),
    ] = None,
) -> None:
    """Print a Kubernetes Job that verifies from a pod.

    The output includes the Job's ConfigMaps and contains no secret.
    """
    from verify.job import JobOptions, run

    options = JobOptions(
        stack=stack,
        deployment=deployment,
        image=image,
        namespace=namespace,
        secret=secret,
        via=via.value,
        secret_manifest=secret_manifest,
        credentials=credentials,
        suite=tuple(suite or ()),
    )
    raise typer.Exit(run(options))
