"""`object-store media`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store

app = plain_app(no_args_is_help=True)


@app.callback()
def media() -> None:
    """Store a file of a chat, or a download of yt-dlp.

    docs/media.md says how they are named, and which folders are refused.
    """


@app.command()
def put(  # noqa: PLR0913 - one parameter for each option
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or yt-dlp's folder of one download.")],
    *,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="The chat's system (telegram); for a file of a chat.")
    ] = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When its event happened; likewise.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Its original name (default: the file's).")] = "",
    content_type: Annotated[
        str, typer.Option("--content-type", metavar="TYPE", help="Its media type (default: by the name).")
    ] = "",
    of: Annotated[
        str, typer.Option("--of", metavar="s3://BUCKET/KEY", help="The file was made of this stored one.")
    ] = "",
    exit_status: Annotated[
        int, typer.Option("--exit-status", metavar="N", help="yt-dlp's; other than 0 the folder is refused.")
    ] = 0,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the local files once they were read back.")] = False,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store a file or a download, and print its event.

    Exit status: 0 it is stored, 1 it is, but a local file did not go, 2 it is not: the step
    that called must fail.
    """
    from workloads.media.options import PutOptions
    from workloads.media.put import run

    options = PutOptions(
        config,
        store,
        quiet=quiet,
        as_json=as_json,
        path=path,
        source=source,
        at=at,
        name=name,
        content_type=content_type,
        of=of,
        exit_status=exit_status,
        remove=remove,
    )
    raise typer.Exit(run(options))


@app.command("presign-upload")
def presign_upload(  # noqa: PLR0913 - one parameter for each option
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The file's original name.")],
    size: Annotated[int, typer.Option("--size", metavar="BYTES", help="Its bytes.")],
    sha256: Annotated[str, typer.Option("--sha256", metavar="HEX", help="Of its content.")],
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="The chat's system (telegram).")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When its event happened.")],
    *,
    content_type: Annotated[
        str, typer.Option("--content-type", metavar="TYPE", help="Its media type (default: by the name).")
    ] = "",
    expires: Annotated[int, typer.Option("--expires", metavar="SECONDS", help="How long the URL is valid.")] = 900,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print a URL that takes one announced file, once.

    It is for a producer without a key. What the server does not enforce is said before.
    Exit status: 0 it is printed, 2 it is not.
    """
    from workloads.media.hand_over import PresignOptions
    from workloads.media.hand_over import presign_upload as run

    options = PresignOptions(
        config,
        store,
        quiet=quiet,
        as_json=as_json,
        source=source,
        at=at,
        name=name,
        content_type=content_type,
        size=size,
        sha256=sha256,
        expires_seconds=expires,
    )
    raise typer.Exit(run(options))


@app.command()
def confirm(
    uri: Annotated[str, typer.Argument(metavar="URI", help="What `presign-upload` printed as `uri`.")],
    *,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read back what a URL took, and print the event.

    Exit status: 0 it is what was announced, 1 it is not there or is something else, 2 it
    could not be asked.
    """
    from workloads.media.hand_over import ConfirmOptions
    from workloads.media.hand_over import confirm as run

    raise typer.Exit(run(ConfirmOptions(config, store, quiet=quiet, as_json=as_json, uri=uri)))
