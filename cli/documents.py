"""`object-store documents`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store
from verify.manifests import NAMESPACE

app = plain_app(no_args_is_help=True)


@app.callback()
def documents() -> None:
    """Store documents by content, one or a whole tree.

    docs/documents.md says what becomes of each name, and how several machines share a tree.
    """


@app.command()
def put(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The document.")],
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Its original name (default: the file's).")] = "",
    nas_path: Annotated[
        str, typer.Option("--nas-path", metavar="PATH", help="Where the NAS has it; the event carries it, too.")
    ] = "",
    derived: Annotated[
        Path | None, typer.Option("--derived", metavar="FOLDER", help="What was made of it (docs-artifacts/DOCID).")
    ] = None,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store a document, and print the event that leads to it.

    Exit status: 0 it is stored, 2 it is not: the step that called must fail.
    """
    from workloads.documents.put import PutOptions, run

    options = PutOptions(
        config, store, quiet=quiet, as_json=as_json, file=file, name=name, nas_path=nas_path, derived=derived
    )
    raise typer.Exit(run(options))


@app.command()
def backfill(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the documents.")],
    *,
    shard: Annotated[str, typer.Option("--shard", metavar="I/N", help="Only the I-th of N parts of the tree.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is stored and left out, and store nothing.")
    ] = False,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store a tree of documents, and prove that no identity changes.

    A killed run is completed by the same command, also with other shards. Exit status: 0 all
    is stored and proven, 1 something is left or differs, 2 it could not run.
    """
    from workloads.documents.backfill import BackfillOptions, run

    options = BackfillOptions(config, store, quiet=quiet, as_json=as_json, root=root, shard=shard, dry_run=dry_run)
    raise typer.Exit(run(options))


@app.command()
def job(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the documents, as the pods see it.")],
    *,
    shards: Annotated[int, typer.Option("--shards", metavar="N", min=1, help="Into how many parts it is divided.")],
    image: Annotated[str | None, typer.Option("--image", metavar="IMAGE", help="With object-store.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", metavar="NAME", help="The Job's.")] = NAMESPACE,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", metavar="PATH=CLAIM", help="The volume that holds ROOT.")
    ] = None,
    config: Config = None,
) -> None:
    """Print a Kubernetes Job with a pod for each shard."""
    from ops.schedule.backfill import JobOptions, run

    raise typer.Exit(run(JobOptions(root, shards, image, namespace, tuple(claim or ()), config)))
