"""Archives on the two deployed stacks, with the delivered key of `session-archiver` and nothing wider."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
import yaml
from dotenv import dotenv_values

from model.exit_codes import ExitCode
from sandbox import shown_archive
from sandbox.transcripts import truth_of, write_tree
from tests.e2e.conftest import lead_here
from workloads.context import Options
from workloads.receipt import of_folder
from workloads.sessions.archive import ArchiveOptions
from workloads.sessions.archive import run as archive
from workloads.sessions.coverage import run as coverage
from workloads.sessions.restoring import RestoreOptions, run_restore
from workloads.settings import SOURCES

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e


@pytest.fixture(name="variables")
def _variables(checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str | None]]:
    """What `make up` delivers for the archiver; this process has it, as after sourcing it. The bucket is emptied."""
    folder = checkout.folder(stack)
    done = checkout.run(shown_archive.delivering(folder).command, stack)
    assert done.status == 0, done.output
    variables = dotenv_values(folder.archive / "session-archiver.env", interpolate=False)
    lead_here(checkout, stack, monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value or "")
    yield variables
    client, bucket = checkout.client(stack), variables["S3_BUCKET_SESSION_ARCHIVE"]
    for one in client.list_object_versions(Bucket=bucket).get("Versions", []):
        client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    shutil.rmtree(folder.archive)


def configured(folder: Path, sources: dict[str, Path], **more: object) -> Path:
    """The configuration of a machine."""
    folder.mkdir(exist_ok=True)
    path = folder / "workloads.yaml"
    content = {
        "machine": "box",
        "state": str(folder / "state"),
        "receipts": str(folder / "receipts"),
        "sessions": {"sources": {**dict.fromkeys(SOURCES), **{name: str(source) for name, source in sources.items()}}},
        **more,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def told(folder: Path) -> dict[bytes, Any]:
    """What a folder holds: kind, mode, time and content; two names of one file are one thing."""
    truth = truth_of(folder)
    names: dict[int, list[bytes]] = {}
    for path, one in truth.items():
        names.setdefault(one.inode, []).append(path)
    return {
        path: (one.kind, one.mode, one.mtime_ns, one.content, names[one.inode] if one.inode else [])
        for path, one in truth.items()
    }


def test_archive_comes_back(stack: str, variables: Mapping[str, str | None], tmp_path: Path) -> None:
    """Archive, coverage and restore: byte for byte, with modes, times, links and empty folders; on AWS encrypted."""
    home = tmp_path / "home"
    assert set(json.loads(variables["S3_BUCKETS"] or "")) == {"session-archive"}
    write_tree(home, files=12, seed=11, now=time.time(), median_bytes=5000)
    sources = {name: home / path for name, path in shown_archive.SOURCES.items()}
    more: dict[str, object] = {}
    keys: tuple[Path, ...] = ()
    if stack == "aws":
        key = pyrage.x25519.Identity.generate()
        keys = (tmp_path / "identity.txt",)
        keys[0].touch(0o600)
        keys[0].write_text(str(key))
        more = {"encryption": {"recipients": [str(key.to_public())]}}
    config = configured(tmp_path, sources, **more)

    assert archive(ArchiveOptions(config=config, quiet=True)) == ExitCode.DONE
    assert coverage(Options(config=config, quiet=True)) == ExitCode.DONE
    for state in ("known", "lost"):
        to = tmp_path / state
        machine = config if state == "known" else configured(tmp_path / "new", sources)
        options = RestoreOptions(config=machine, quiet=True, to=to, identities=keys)
        assert run_restore(options) == ExitCode.DONE
        assert {name: told(to / name) for name in sources} == {name: told(path) for name, path in sources.items()}


@pytest.mark.usefixtures("variables")
def test_archive_of_make_up(checkout: "Checkout", stack: str, tmp_path: Path) -> None:
    """It ends with one table, in which every source is ok; a second one has nothing new, and all comes back."""
    folder = checkout.folder(stack)
    done = checkout.run(shown_archive.archiving(folder).command, stack)
    assert done.status == 0, done.output
    assert done.output.count(" ok") == len(shown_archive.SOURCES)
    config = folder.archive / "workloads.yaml"

    assert archive(ArchiveOptions(config=shown_archive.write_example(folder), quiet=True)) == ExitCode.DONE
    (newest,) = [one for one in of_folder(folder.archive / "receipts") if not any(each.commit for each in one.sources)]
    assert newest.status == "complete"
    to = tmp_path / "back"
    assert run_restore(RestoreOptions(config=config, quiet=True, to=to)) == ExitCode.DONE
    for name, path in shown_archive.SOURCES.items():
        assert told(to / name) == told(folder.archive / "home" / path)
