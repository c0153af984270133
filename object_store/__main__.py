"""`python -m object_store`: the adapter's operations as shell commands.

It says what it did, and shows progress only on a terminal.

The rule: no argument holds a secret. The store comes from the environment (`object_store.config`), or from
`--deployment` and `--credentials`, files that a stack published. Results go to standard output, progress and errors to
standard error. Exit status: 0 done, 1 the two sides differ, 2 the command failed, 128 and the signal's number if a
signal ended it: then an upload is aborted, and no temporary file stays. The application's console command has these
commands too.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from contextlib import suppress
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from object_store.errors import InvalidArgument, LocalFileError, NotFound, ObjectStoreError
from object_store.files import is_folder
from object_store.folders import JOBS, NOTHING_THERE, length_of
from object_store.keys import check_bucket, parents_of
from object_store.opening import store_of
from object_store.parity import parity as compare
from object_store.plain import escaped, plain
from object_store.reference import ObjectRef, parse_uri
from object_store.screen import put_up, reveal
from object_store.shown import moving, plain_size
from object_store.standard_streams import open_closed, unwritten
from object_store.targets import own_descriptor

if TYPE_CHECKING:
    from object_store.folders import Transfer
    from object_store.store import ObjectStore

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Objects of an S3 store: AIStor, AWS or any other. The environment selects the store.",
)

Deployment = Annotated[Path | None, typer.Option(help="A published deployment, instead of the environment.")]
Credentials = Annotated[Path | None, typer.Option(help="With --deployment: its credentials file, mode 0600.")]
Identity = Annotated[str | None, typer.Option(help="With --deployment: the identity whose credential to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Let it be right that nothing is there.")]
OnlyVerified = Annotated[bool, typer.Option("--only-verified", help="Refuse a body that no digest proves.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Files of a folder to transfer at the same time.")]
Uri = Annotated[str, typer.Argument(metavar="s3://BUCKET/KEY")]
DIFFERENT, CANNOT = 1, 2
_HIDDEN = "{below} is beside an object {above}: a MinIO server does not list it, and no folder can hold both"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Command(TyperCommand):
    """A command that reports an error as one message and an exit status."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # typer's own, without a public type
        """Run the command with its secrets hidden from the output."""
        put_up()
        status, fault = 0, None
        try:
            super().invoke(ctx)
        except typer.Exit as ended:
            status = ended.exit_code
        except ObjectStoreError as error:
            status = _told(str(error))
        except OSError as raw:
            fault = raw
        lost = unwritten()
        if lost is None and fault is not None and fault.filename is None:
            lost = fault  # bytes of `get … -`: what is not buffered leaves no trace, and every file has a name
        if lost is not None:
            status = _told_unwritten(lost)
        elif fault is not None:
            status = _told(f"this machine cannot do it: {fault}")
        raise typer.Exit(status)


@app.command(cls=Command)
def put(  # noqa: PLR0913, PLR0917  # the command's options
    source: Annotated[str, typer.Argument(metavar="FILE|FOLDER|-")],
    target: Uri,
    content_type: Annotated[str | None, typer.Option(help="Media type; by default guessed from the key.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="User metadata; can be repeated.")
    ] = None,
    if_absent: Annotated[bool, typer.Option("--if-absent", help="Store only if the key has no object.")] = False,  # noqa: FBT002
    allow_empty: AllowEmpty = False,  # noqa: FBT002
    jobs: Jobs = JOBS,
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
) -> None:
    """Store a file, a folder, or standard input.

    FILE or FOLDER; - is standard input. If the target ends in a slash, the file's name is appended. Links, pipes,
    sockets and devices of a folder are left out and named.
    """
    path = _local(source)
    with store_of(deployment, credentials, identity) as store:
        if source != "-" and is_folder(path):
            if content_type or metadata or if_absent:
                raise InvalidArgument("--content-type, --metadata and --if-absent are for one object, not for a folder")
            bucket, prefix = _bucket_and_prefix(target)
            with moving(f"storing {path}", length_of(path), quiet=quiet) as progress:
                moved = store.upload_dir(path, bucket, prefix, jobs=jobs, allow_empty=allow_empty, progress=progress)
            _say_transfer(moved, as_json=as_json)
            return
        bucket, key = parse_uri(f"{target}{path.name}" if target.endswith("/") and source != "-" else target)
        if source == "-" and sys.stdin is None:
            raise InvalidArgument("standard input is closed; legal: FILE, FOLDER, or - with something to read")
        total = (length_of(path) or None) if source != "-" else None
        with moving(f"storing {source}", total, quiet=quiet) as progress:
            ref = store.upload(
                bucket,
                key,
                sys.stdin.buffer if source == "-" else path,
                content_type,
                metadata=_pairs(metadata or []),
                if_absent=if_absent,
                progress=progress,
            )
        _say_ref(ref, as_json=as_json)
        _say_hidden(store, bucket, key)


@app.command(cls=Command)
def get(  # noqa: PLR0913, PLR0917  # the command's options
    source: Uri,
    target: Annotated[str, typer.Argument(metavar="FILE|FOLDER|-")],
    etag: Annotated[str | None, typer.Option(help="Read only if the object has this etag.")] = None,
    only_verified: OnlyVerified = False,  # noqa: FBT002
    allow_empty: AllowEmpty = False,  # noqa: FBT002
    jobs: Jobs = JOBS,
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
) -> None:
    """Read an object, or all below a prefix.

    FILE or FOLDER is written; - is standard output. A URI that ends in a slash is a prefix. A target that ends in a
    slash is a folder, and is created. A body that no digest of the server's proves is named.
    """
    path = _local(target)
    to_stdout = target == "-" or own_descriptor(path) == 1  # the result of `get` does not go among the bytes
    with store_of(deployment, credentials, identity, only_verified=only_verified) as store:
        if source.endswith("/"):
            if etag or to_stdout:
                raise InvalidArgument("--etag and - are for one object, not for a folder")
            bucket, prefix = _bucket_and_prefix(source)
            with moving(f"reading {source}", None, quiet=quiet) as progress:
                moved = store.download_dir(bucket, prefix, path, jobs=jobs, allow_empty=allow_empty, progress=progress)
            _say_transfer(moved, as_json=as_json)
            return
        bucket, key = parse_uri(source)
        if to_stdout:
            stream = store.stream(bucket, key, etag=etag)
            for block in stream:
                sys.stdout.buffer.write(block)
            if not stream.verified:
                _say_unverified(key)
            return
        if target.endswith(("/", "/.")) and not is_folder(path):
            store.head(bucket, key)  # no folder for an object that does not exist
            _make_folder(path)
        path = path / key.rpartition("/")[2] if is_folder(path) else path
        with moving(f"reading {source}", None, quiet=quiet) as progress:
            ref = store.download_file(
                bucket, key, path, etag=etag, progress=progress, unverified=lambda read: _say_unverified(read.key)
            )
        _say_ref(ref, as_json=as_json)


@app.command(cls=Command)
def ls(
    where: Annotated[str, typer.Argument(metavar="s3://BUCKET/PREFIX")],
    allow_empty: AllowEmpty = False,  # noqa: FBT002
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """List objects.

    Prints the objects whose keys begin with the prefix. With --json, prints one reference per line. A prefix that no
    object has is an error.
    """
    bucket, prefix = _bucket_and_prefix(where)
    with store_of(deployment, credentials, identity) as store:
        ref = None
        for ref in store.list(bucket, prefix):
            sys.stdout.write(
                f"{ref.model_dump_json(ensure_ascii=True)}\n" if as_json else f"{ref.size:>14}  {plain(ref.key)}\n"
            )
        if ref is None and prefix and not allow_empty:
            raise NotFound(NOTHING_THERE, bucket=bucket, key=prefix)


@app.command(cls=Command)
def stat(
    target: Uri,
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show one object's properties.

    Prints its size, etag, content type, storage time and metadata.
    """
    bucket, key = parse_uri(target)
    with store_of(deployment, credentials, identity) as store:
        info = store.stat(bucket, key)
    modified = info.modified.astimezone(UTC).isoformat(timespec="seconds")
    if as_json:
        told = {**info.ref.model_dump(mode="json"), "modified": modified, "metadata": dict(info.metadata)}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    _say_ref(info.ref, as_json=False)
    lines = [("content type", info.ref.content_type), ("stored", modified), *sorted(info.metadata.items())]
    sys.stdout.write("".join(f"  {name}: {plain(str(value))}\n" for name, value in lines))


@app.command(cls=Command)
def presign(  # the command's options
    target: Uri,
    expires: Annotated[str, typer.Option(metavar="TIME", help="For example 90s, 15m, 12h or 7d.")] = "15m",
    method: Annotated[str, typer.Option(help="GET or PUT.")] = "GET",
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Print a URL that reads or stores until it expires.

    GET reads the object, PUT stores it. Keep the URL secret until it expires.
    """
    bucket, key = parse_uri(target)
    with store_of(deployment, credentials, identity) as store:
        url = store.presign(bucket, key, _duration(expires), method)  # type: ignore[arg-type]  # checked there
    # The URL holds the token of a temporary credential.
    reveal((json.dumps({"url": url, "method": method}) if as_json else url) + "\n")


@app.command(cls=Command)
def rm(
    targets: Annotated[list[str], typer.Argument(metavar="s3://BUCKET/KEY...")],
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Remove objects.

    Each URI names one whole key. A key without an object is not an error. s3://BUCKET/FOLDER/ is the marker that some
    programs put there: what is below it stays.
    """
    places = [parse_uri(target) for target in targets]
    with store_of(deployment, credentials, identity) as store:
        for bucket, key in places:
            store.delete_object(bucket, key)
            uri = f"s3://{bucket}/{key}"
            rest = " (the marker alone, not what is below it)" if key.endswith("/") else ""
            sys.stdout.write((json.dumps({"removed": uri}) if as_json else f"removed {plain(uri)}{rest}") + "\n")


@app.command(cls=Command)
def parity(  # the command's options
    nas_dir: Annotated[str, typer.Argument(metavar="FOLDER")],
    where: Annotated[str, typer.Argument(metavar="s3://BUCKET/PREFIX")],
    journal: Annotated[Path | None, typer.Option(help="A file from which an interrupted comparison resumes.")] = None,
    allow_empty: AllowEmpty = False,  # noqa: FBT002
    deployment: Deployment = None,
    credentials: Credentials = None,
    identity: Identity = None,
    as_json: Json = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
) -> None:
    """Compare a folder with what the store holds.

    Compares by checksum: missing, extra, different. Exit status 1 if the two sides differ, 2 if both are empty.
    """
    folder = _local(nas_dir)
    bucket, prefix = _bucket_and_prefix(where)
    with store_of(deployment, credentials, identity) as store, moving("comparing", None, quiet=quiet) as progress:
        report = compare(folder, store, bucket, prefix, journal=journal, allow_empty=allow_empty, progress=progress)
    sys.stdout.write(report.as_json() + "\n" if as_json else report.as_text())
    if not report.ok:
        raise typer.Exit(DIFFERENT)


def _local(given: str) -> Path:
    """Return a path; an unset variable of a shell is not a path, although pathlib takes it for the current folder."""
    if not given:
        raise InvalidArgument("the path is empty; legal: FILE, FOLDER (. is the current one) or -")
    return Path(given)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True)
    except OSError as fault:
        raise LocalFileError(f"{path} cannot be created: {fault.strerror}") from None


def _told(message: str) -> int:
    sys.stderr.write(f"{escaped(message)}\n")
    return CANNOT


def _told_unwritten(fault: OSError) -> int:
    """Say that results were lost; a reader that goes away (`ls | head`) wants no more, and gets no message."""
    if isinstance(fault, BrokenPipeError):
        return 0
    return _told(f"standard output cannot be written: {fault.strerror or fault}.")


def _bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of a URI, which may name the whole bucket."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        parse_uri(uri)  # raises an error that says what is wrong
    check_bucket(bucket)
    return bucket, prefix


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidArgument(f"--metadata {each!r} has no value; legal: NAME=VALUE")
        pairs[name] = value
    return pairs


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None:
        raise InvalidArgument(f"--expires {text!r} is not a duration; legal: a number and s, m, h or d, at most 7d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2] or "s"])


def _say_ref(ref: ObjectRef, *, as_json: bool) -> None:
    line = (
        ref.model_dump_json(ensure_ascii=True) if as_json else f"{plain(ref.uri)}  {plain_size(ref.size)}  {ref.etag}"
    )
    sys.stdout.write(f"{line}\n")


def _say_hidden(store: ObjectStore, bucket: str, key: str) -> None:
    """Warn of `a/b` beside an object `a`, which a MinIO server then does not list; AWS lists both."""
    if store.config.endpoint is None:
        return
    with suppress(ObjectStoreError):  # an identity that may only write cannot know
        below = next(store.list(bucket, f"{key}/"), None)
        if below is not None:
            sys.stderr.write(f"warning: {_HIDDEN.format(below=plain(below.key), above=plain(key))}\n")
    for parent in parents_of(key):
        with suppress(ObjectStoreError):
            store.head(bucket, parent)
            sys.stderr.write(f"warning: {_HIDDEN.format(below=plain(key), above=plain(parent))}\n")


def _say_unverified(key: str) -> None:
    sys.stderr.write(f"not verified: {plain(key)}: the server names no digest that the adapter can compute\n")


def _say_transfer(moved: Transfer, *, as_json: bool) -> None:
    if as_json:
        content: dict[str, object] = {
            "copied": moved.copied,
            "skipped": moved.skipped,
            "transferredBytes": moved.transferred_bytes,
        }
        if moved.left_out:
            content["leftOut"] = [{"name": each.name, "reason": each.reason} for each in moved.left_out]
        if moved.unverified:
            content["notVerified"] = list(moved.unverified)
        sys.stdout.write(json.dumps(content) + "\n")
        return
    for each in moved.left_out:
        sys.stderr.write(f"left out: {plain(each.name)}: {each.reason}\n")
    for key in moved.unverified:
        _say_unverified(key)
    rest = "".join(
        f", {len(some)} {what}"
        for some, what in ((moved.left_out, "left out"), (moved.unverified, "not verified"))
        if some
    )
    sys.stdout.write(
        f"{moved.copied} copied ({plain_size(moved.transferred_bytes)}), {moved.skipped} already the same{rest}\n"
    )


def end_in_order() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the command as an error does: what it has begun is taken back."""

    def end(number: int, _: object) -> NoReturn:
        sys.stderr.write("interrupted\n")
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its status."""
    try:
        app(args=arguments, prog_name="python -m object_store")
    except OSError:  # of --help: a command reports its own
        lost = unwritten()
        if lost is None:
            raise
        sys.exit(_told_unwritten(lost))
    sys.exit()


if __name__ == "__main__":
    open_closed()
    end_in_order()
    put_up()
    main()
