"""What the TypeScript package does to the files of this machine: whole, or as they were."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.typescript.driver import TypeScriptDriver
from trials.servers import OWN, made_bucket
from trials.typescript_package import Package


@pytest.fixture(scope="module", name="place")
def _place(typescript: Package) -> Iterator[tuple[TypeScriptDriver, str]]:
    """A driver, and a bucket with one object."""
    with ExitStack() as stack:
        server = stack.enter_context(OWN["local"]())
        client = server.client()
        stack.callback(client.close)
        bucket = stack.enter_context(made_bucket(server, client))
        driver = TypeScriptDriver(typescript, server)
        stack.callback(driver.close)
        client.put_object(Bucket=bucket, Key="a", Body=b"new")
        yield driver, bucket


def test_mode_of_a_file_stays(place: tuple[TypeScriptDriver, str], tmp_path: Path) -> None:
    """A private file stays private when it is replaced."""
    driver, bucket = place
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    assert "error" not in driver.do({"do": "downloadFile", "bucket": bucket, "key": "a", "path": str(path)})
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "no folder"])
def test_what_is_not_replaced(place: tuple[TypeScriptDriver, str], tmp_path: Path, kind: str) -> None:
    """A link, a folder, a pipe: LocalFileError, it stays, and nothing is left beside it."""
    driver, bucket = place
    path = tmp_path / "a"
    if kind == "link":
        path.symlink_to(tmp_path / "target")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / "none" / "a"
    before = sorted(tmp_path.rglob("*"))
    found = driver.do({"do": "downloadFile", "bucket": bucket, "key": "a", "path": str(path)})
    assert found["error"] == "LocalFileError"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_file_that_cannot_be_sent(place: tuple[TypeScriptDriver, str], tmp_path: Path, kind: str) -> None:
    """LocalFileError, and nothing is stored."""
    driver, bucket = place
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    found = driver.do({"do": "upload", "bucket": bucket, "key": f"b/{kind}", "body": {"path": str(path)}})
    assert found["error"] == "LocalFileError"
    assert driver.do({"do": "list", "bucket": bucket, "key": "", "prefix": "b/"})["refs"] == []
