"""A body counts as proven only by a digest of the server's that was computed again; what is not proven is said."""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

import object_store
from object_store import PART_SIZE, ObjectStore, StoreConfig
from object_store.__main__ import main
from object_store.proof import Proof, expected
from tests.object_store.conftest import ACCESS_KEY, REGION, SECRET_KEY, Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.object_store.conftest import MakeStore, Request, ScriptedServer

BODY = b"0123456789" * 100
DATED = {"Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
SHA256 = b64encode(hashlib.sha256(BODY).digest()).decode()
SHA1 = b64encode(hashlib.sha1(BODY, usedforsecurity=False).digest()).decode()
CRC32 = b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
OTHER = BODY[:-1] + b"x"
PROVING: dict[str, dict[str, str]] = {
    "etag": {"ETag": f'"{MD5}"'},
    "sha256": {"ETag": '"e"', "x-amz-checksum-sha256": SHA256},
    "sha1": {"ETag": '"e"', "x-amz-checksum-sha1": SHA1},
    "crc32": {"ETag": '"e"', "x-amz-checksum-crc32": CRC32},
    "sha256 of one part": {
        "ETag": '"e"',
        "x-amz-checksum-sha256": b64encode(hashlib.sha256(hashlib.sha256(BODY).digest()).digest()).decode() + "-1",
    },
    "own keys": {"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"},
}
SILENT: dict[str, dict[str, str]] = {
    "another etag": {"ETag": '"e"'},
    "KMS": {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"},
    "the client's own key": {
        "ETag": f'"{"0" * 32}"',
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
    },
    "a checksum that is none": {"ETag": '"e"', "x-amz-checksum-sha256": "!"},
    "parts of another size": {"ETag": f'"{"0" * 32}-7"'},
}


def _served(scripted: ScriptedServer, body: bytes, headers: dict[str, str]) -> None:
    def reply(request: Request) -> Answer:
        if "list-type" in request.path:
            etag = headers["ETag"].replace('"', "&quot;")
            return Answer(
                body=f"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/k</Key><ETag>{etag}</ETag>"
                f"<Size>{len(body)}</Size></Contents></ListBucketResult>".encode()
            )
        return Answer(body=body, headers={**DATED, **headers})

    scripted.answer = reply


@pytest.fixture(name="shell")
def _shell(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "S3_ENDPOINT": scripted.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }.items():
        monkeypatch.setenv(name, value)


def _run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return ended.value.code or 0


def _all_reads(store: ObjectStore, folder: Path) -> dict[str, bool]:
    """Whether each way to read says that the body is proven."""
    said: list[object_store.ObjectRef] = []
    stream = store.stream("probe", "p/k")
    assert b"".join(stream)
    store.download_file("probe", "p/k", folder / "f", unverified=said.append)
    return {
        "fetch": store.fetch("probe", "p/k").verified,
        "stream": stream.verified,
        "download_file": not said,
        "download_dir": not store.download_dir("probe", "p", folder / "d").unverified,
    }


@pytest.mark.parametrize("by", PROVING)
def test_proven(scripted: ScriptedServer, store_at: MakeStore, tmp_path: Path, by: str) -> None:
    """Each digest that S3 servers name proves the body, for every way to read it, also where a proof is demanded."""
    _served(scripted, BODY, PROVING[by])

    assert _all_reads(store_at(scripted.endpoint, only_verified=True), tmp_path) == dict.fromkeys(
        ("fetch", "stream", "download_file", "download_dir"), True
    )


@pytest.mark.parametrize("by", PROVING)
def test_another_body(scripted: ScriptedServer, store_at: MakeStore, tmp_path: Path, by: str) -> None:
    """One other byte: CorruptBody for every way to read it, and the old file stays."""
    _served(scripted, OTHER, PROVING[by])
    store = store_at(scripted.endpoint)
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "k").write_bytes(b"old")

    for read in (
        lambda: store.download("probe", "p/k"),
        lambda: list(store.stream("probe", "p/k")),
        lambda: store.download_file("probe", "p/k", tmp_path / "f"),
        lambda: store.download_dir("probe", "p", tmp_path),
    ):
        with pytest.raises(object_store.CorruptBody):
            read()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old", "k": b"old"}


@pytest.mark.parametrize("by", SILENT)
def test_not_proven(scripted: ScriptedServer, store_at: MakeStore, tmp_path: Path, by: str) -> None:
    """A body without a digest is handed over with that word; where a proof is demanded, it is refused."""
    _served(scripted, BODY, SILENT[by])

    assert not any(_all_reads(store_at(scripted.endpoint), tmp_path).values())
    strict = store_at(scripted.endpoint, only_verified=True)
    for read in (
        lambda: strict.download("probe", "p/k"),
        lambda: list(strict.stream("probe", "p/k")),
        lambda: strict.download_file("probe", "p/k", tmp_path / "new"),
        lambda: strict.download_dir("probe", "p", tmp_path / "other"),
    ):
        with pytest.raises(object_store.UnverifiedBody):
            read()
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("by", ["variable", "flag"])
def test_command_refuses_what_nothing_proves(
    scripted: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    by: str,
) -> None:
    """Exit status 2, one sentence, no file; for one object and for a folder."""
    _served(scripted, BODY, SILENT["another etag"])
    flags = ["--only-verified"] if by == "flag" else []
    if by == "variable":
        monkeypatch.setenv("S3_ONLY_VERIFIED", "true")

    for source, target in (("s3://probe/p/k", "f"), ("s3://probe/p/", "d")):
        assert _run("get", source, str(tmp_path / target), *flags) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert "no digest of the server's proves the body" in told.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("shell")
def test_command_names_what_nothing_proves(
    scripted: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on standard error for each object; the result of a folder counts and names them."""
    _served(scripted, BODY, SILENT["another etag"])
    line = "not verified: p/k: the server names no digest that the adapter can compute\n"

    for arguments in (("s3://probe/p/k", str(tmp_path / "f")), ("s3://probe/p/k", "-")):
        assert _run("get", *arguments) == 0
        assert capsys.readouterr().err == line
    assert _run("get", "s3://probe/p/", str(tmp_path / "d")) == 0
    told = capsys.readouterr()
    assert (told.err, "1 copied (1.0 kB), 0 already the same, 1 not verified\n") == (line, told.out)
    assert _run("get", "--json", "s3://probe/p/", str(tmp_path / "e")) == 0
    assert json.loads(capsys.readouterr().out)["notVerified"] == ["p/k"]


@pytest.mark.usefixtures("shell")
def test_variable_that_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is neither true nor false is refused: it may have been meant as a demand."""
    monkeypatch.setenv("S3_ONLY_VERIFIED", "yes")

    with pytest.raises(object_store.ConfigurationError, match="S3_ONLY_VERIFIED 'yes' is neither true nor false"):
        StoreConfig.from_environment()


@pytest.mark.parametrize("size", [1, PART_SIZE, PART_SIZE + 1, 2 * PART_SIZE])
@pytest.mark.parametrize("block", [1 << 20, PART_SIZE - 1, 3 * PART_SIZE])
def test_digest_of_parts_is_that_of_the_whole_however_it_is_cut(size: int, block: int) -> None:
    """The etag of an upload in parts is computed again from blocks of any length, in order or from the file."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    parts = [body[at : at + PART_SIZE] for at in range(0, size, PART_SIZE)]
    inner = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    etag = f"{hashlib.md5(inner, usedforsecurity=False).hexdigest()}-{len(parts)}"
    headers: dict[str, Any] = {}

    one = Proof(expected(headers, etag, size))
    for at in range(0, size, block):
        one.update(body[at : at + block])
    one.end("probe", "k")
    other = Proof(expected(headers, etag, size))
    other.of_file(lambda at, length: body[at : at + length], size, "probe", "k")

    assert (one.proven, other.proven) == (True, True)
