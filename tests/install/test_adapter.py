"""The adapter's own distribution: it can be installed alone, and the example of its README runs there."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import pytest
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from tests.install.conftest import ROOT, pip, venv_with_own_pip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

REGION: Final = "us-west-2"
BUCKET = "joelclaw-local-usw2-media-derived"
PAIR = {"AWS_ACCESS_KEY_ID": "AKIAADAPTERALONE0000", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-adapter-alone"}
OWN, APPLICATION = (
    tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for folder in ("object_store", ".")
)


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built distribution; built from a copy, because a build leaves files in its folder."""
    folder = tmp_path_factory.mktemp("adapter")
    shutil.copytree(ROOT / "object_store", folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    done = pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "source"))
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module", name="alone")
def _alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the adapter and its dependencies, in the versions of the application's lock."""
    folder = tmp_path_factory.mktemp("alone")
    pins = re.findall(r"(?m)^([\w.-]+==\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    (folder / "pins.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    venv_with_own_pip(sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    done = pip(python, "install", "--quiet", "--no-compile", "--constraint", str(folder / "pins.txt"), str(wheel))
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="module", name="server")
def _server() -> "Iterator[tuple[str, S3Client]]":
    """A server with the README's bucket, and nothing else: moto has one memory in a process."""
    moto_api_backend.reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=PAIR["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=PAIR["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    try:
        yield endpoint, client
    finally:
        client.close()
        server.stop()
        moto_api_backend.reset()


def ran(python: Path, folder: Path, endpoint: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the empty environment, outside this repository."""
    environ = {"PATH": os.defpath, "HOME": str(folder), "S3_ENDPOINT": endpoint, "AWS_REGION": REGION, **PAIR}
    return subprocess.run(  # noqa: S603 - the Python of the test
        [python, "-I", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_nothing_of_ours_is_beside_it(alone: Path) -> None:
    """`pip list` shows the adapter and its dependencies, and none of the application's libraries."""
    done = pip(alone, "list", "--format", "freeze")
    names = {line.partition("==")[0].lower() for line in done.stdout.splitlines()}

    assert {name for name in names if "joelclaw" in name} == {OWN["name"]}
    assert not names & {"pulumi", "pulumi-aws", "pulumi-minio", "moto", "pytest", "boto3"}
    assert pip(alone, "check").returncode == 0


def test_wheel_has_the_package_alone(wheel: Path) -> None:
    """The wheel holds every module and the py.typed marker, and no other folder."""
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"object_store/{path.name}" for path in (ROOT / "object_store").glob("*.py")}

    assert modules | {"object_store/py.typed"} <= set(names)
    assert {name.partition("/")[0] for name in names} == {"object_store", f"{wheel.stem.rsplit('-', 3)[0]}.dist-info"}


def test_example_of_its_readme_runs(alone: Path, server: "tuple[str, S3Client]", tmp_path: Path) -> None:
    """The example stores, reads and removes an object, with only its own distribution on the path."""
    endpoint, client = server
    example = (ROOT / "object_store" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "example.py").write_text(example.partition("```python\n")[2].partition("```\n")[0], encoding="utf-8")
    (tmp_path / "talk.mp4").write_bytes(b"a talk")

    done = ran(alone, tmp_path, endpoint, "example.py")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"s3://{BUCKET}/2026/11/talk.mp4 6 bytes\n"
    assert (tmp_path / "copy.mp4").read_bytes() == b"a talk"
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)


def test_commands_run(alone: Path, server: "tuple[str, S3Client]", tmp_path: Path) -> None:
    """`python -m object_store` works without the application's console command."""
    endpoint, _ = server
    (tmp_path / "note.txt").write_text("a note", encoding="utf-8")
    uri = f"s3://{BUCKET}/note.txt"
    words = [("put", "note.txt", uri), ("stat", uri), ("ls", f"s3://{BUCKET}"), ("get", uri, "-"), ("rm", uri)]

    done = [ran(alone, tmp_path, endpoint, "-m", "object_store", *each) for each in words]

    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * len(words)
    assert done[3].stdout == "a note"
    assert not (alone.parent / "object-store").exists()


def test_versions_agree() -> None:
    """The adapter has the application's version, and requires only packages that the application requires or gets."""
    assert OWN["version"] == APPLICATION["version"]
    assert OWN["requires-python"] == APPLICATION["requires-python"]
    with_boto3 = {"botocore", "urllib3"}
    wanted = {re.match(r"[\w-]+", line)[0] for line in OWN["dependencies"]} - with_boto3  # type: ignore[index]
    assert wanted <= {re.match(r"[\w-]+", line)[0] for line in APPLICATION["dependencies"]}  # type: ignore[index]
