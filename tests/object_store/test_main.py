"""The command line: its output, the stream of each output, and its exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from object_store import ObjectRef, ObjectStore
from object_store.__main__ import main
from tests.object_store.conftest import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.object_store.conftest import Answer, ScriptedServer


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, moto_endpoint: str) -> None:
    for name, value in (
        ("S3_ENDPOINT", moto_endpoint),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ):
        monkeypatch.setenv(name, value)


Run = Any


@pytest.fixture(name="run")
def _run(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        code = ended.value.code
        return (0 if code is None else int(code)), out.decode(), err.decode()

    return run


def test_put_get_ls_presign_rm(run: Run, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """The five operations in turn, as text and as JSON."""
    (tmp_path / "talk.txt").write_bytes(b"a transcript")
    uri = f"s3://{bucket}/a/talk.txt"

    status, out, err = run("put", tmp_path / "talk.txt", f"s3://{bucket}/a/", "--metadata", "run=7", "--json")
    ref = ObjectRef.parse(out)
    assert (status, err, ref.uri, ref.content_type) == (0, "", uri, "text/plain")
    assert store.stat(bucket, "a/talk.txt").metadata == {"run": "7"}
    assert run("put", tmp_path / "talk.txt", uri)[:2] == (0, f"{uri}  12 bytes  {ref.etag}\n")
    assert run("get", uri, tmp_path)[0] == 0
    assert run("get", uri, tmp_path / "copy", "--etag", ref.etag)[0] == 0
    assert (tmp_path / "copy").read_bytes() == b"a transcript"
    assert run("get", uri, "-")[1] == "a transcript"
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")  # as /dev/stdout: only the bytes go there
    assert run("get", uri, tmp_path / "stdout")[1] == "a transcript"
    assert run("ls", f"s3://{bucket}/a/")[1] == f"{12:>14}  a/talk.txt\n"
    assert ObjectRef.parse(run("ls", f"s3://{bucket}", "--json")[1]).key == "a/talk.txt"
    assert run("presign", uri, "--expires", "2h", "--method", "PUT")[1].startswith("http://127.0.0.1:")
    assert "X-Amz-Expires=7200" in json.loads(run("presign", uri, "--expires", "7200", "--json")[1])["url"]
    assert run("rm", uri, uri)[:2] == (0, f"removed {uri}\nremoved {uri}\n")
    assert list(store.list(bucket)) == []


def test_standard_input_is_stored(run: Run, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`put -` streams standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))

    assert run("put", "-", f"s3://{bucket}/piped", "--if-absent")[0] == 0
    assert store.download(bucket, "piped") == b"piped"
    store.delete_object(bucket, "piped")


def test_folders_go_up_and_down(run: Run, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A folder, and a URI that ends in a slash; the second time nothing differs."""
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "f").write_bytes(b"f" * 1500)

    assert run("put", tmp_path / "up", f"s3://{bucket}/d")[1] == "1 copied (1.5 kB), 0 already the same\n"
    assert run("get", f"s3://{bucket}/d/", tmp_path / "down")[0] == 0
    assert (tmp_path / "down" / "f").read_bytes() == b"f" * 1500
    again = json.loads(run("get", f"s3://{bucket}/d/", tmp_path / "down", "--json")[1])
    assert again == {"copied": 0, "skipped": 1, "transferredBytes": 0}
    store.delete_object(bucket, "d/f")


def test_what_a_folder_leaves_out_is_counted_and_named(
    run: Run, store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    """The count is in the result, each name on standard error; JSON has both."""
    (tmp_path / "f").write_bytes(b"f")
    (tmp_path / "link").symlink_to("f")

    _, out, err = run("put", tmp_path, f"s3://{bucket}/d")
    assert out == "1 copied (1 byte), 0 already the same, 1 left out\n"
    assert err == "left out: link: a symbolic link, which is not followed\n"
    told = json.loads(run("put", tmp_path, f"s3://{bucket}/d", "--json")[1])
    assert told["leftOut"] == [{"name": "link", "reason": "a symbolic link, which is not followed"}]
    store.delete_object(bucket, "d/f")


@pytest.mark.parametrize(("there", "key"), [("h/x", "h/x/child/y"), ("h/x/child/y", "h/x")])
def test_object_in_the_place_of_a_folder_is_warned_of(
    run: Run, store: ObjectStore, bucket: str, there: str, key: str
) -> None:
    """A MinIO server stores both and lists one; the object is stored, and the warning names both."""
    store.upload(bucket, there, b"")

    status, out, err = run("put", "/dev/null", f"s3://{bucket}/{key}", "--json")

    assert (status, ObjectRef.parse(out).key) == (0, key)
    assert err.startswith("warning: h/x/child/y is beside an object h/x: a MinIO server does not list it")
    assert len(err.splitlines()) == 1
    for each in (there, key):
        store.delete_object(bucket, each)


@pytest.mark.parametrize("target", ["new/", "new/.", "deep/new/", "there"])
def test_target_that_ends_in_a_slash_is_a_folder(
    run: Run, store: ObjectStore, bucket: str, tmp_path: Path, target: str
) -> None:
    """It is created, as by `aws s3 cp`, and the file goes below it; so it does in a folder that is there."""
    (tmp_path / "there").mkdir()
    store.upload(bucket, "t/a.txt", b"a")

    assert run("get", f"s3://{bucket}/t/a.txt", f"{tmp_path}/{target}")[0] == 0

    assert (tmp_path / target / "a.txt").read_bytes() == b"a"
    store.delete_object(bucket, "t/a.txt")
    status, _, err = run("get", f"s3://{bucket}/t/a.txt", tmp_path / "other" / "")
    assert (status, "NoSuchKey" in err) == (2, True)
    assert not (tmp_path / "other").exists()


def test_nothing_is_a_success_only_if_asked(run: Run, bucket: str, tmp_path: Path) -> None:
    """Exit status 2 for a misspelt prefix and an empty folder, 0 with --allow-empty."""
    typo = f"s3://{bucket}/typo/"
    for arguments in (
        ("get", typo, tmp_path / "down"),
        ("ls", typo),
        ("parity", tmp_path, typo),
        ("put", tmp_path, typo),
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert "--allow-empty" in err
        assert run(*arguments, "--allow-empty")[0] == 0
    assert run("ls", f"s3://{bucket}")[0] == 0  # an empty bucket is no misspelt name


def test_standard_output_that_is_full_is_said(bucket: str, store: ObjectStore) -> None:
    """`get … - > /dev/full` is one line and exit status 2, no traceback."""
    store.upload(bucket, "full", b"x" * 100)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(  # noqa: S603  # our own command
            [sys.executable, "-m", "object_store", "get", f"s3://{bucket}/full", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    store.delete_object(bucket, "full")

    assert (done.returncode, done.stderr) == (2, b"standard output cannot be written: No space left on device.\n")


def test_standard_input_that_is_closed_is_said(run: Run, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`put - <&-` has nothing to read."""
    monkeypatch.setattr(sys, "stdin", None)

    status, _, err = run("put", "-", f"s3://{bucket}/k")

    assert (status, "standard input is closed" in err) == (2, True)


def test_parity_says_what_differs(run: Run, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """Exit status 1 if the sides differ, 0 if not."""
    nas = tmp_path / "nas"
    nas.mkdir()
    (nas / "f").write_bytes(b"f")

    status, out, _ = run("parity", nas, f"s3://{bucket}/p")
    assert status == 1
    assert "f" in out
    run("put", nas, f"s3://{bucket}/p")
    status, out, _ = run("parity", nas, f"s3://{bucket}/p", "--json", "--journal", tmp_path / "journal")
    assert status == 0
    assert json.loads(out)
    store.delete_object(bucket, "p/f")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("get", "s3://BUCKET/none", "-"), 2, "NoSuchKey"),
        (("get", "s3://no-such-bucket/none", "-"), 2, "the deployment creates buckets"),
        (("get", "s3://BUCKET/", "-"), 2, "for one object"),
        (("get", "BUCKET/none", "-"), 2, "legal: s3://BUCKET/KEY"),
        (("ls", "BUCKET"), 2, "legal: s3://BUCKET/KEY"),
        (("ls", "s3://A"), 2, "is not a valid bucket name"),
        (("put", "/dev/null/none", "s3://BUCKET/k"), 2, "/dev/null/none cannot be read"),
        (("put", "/dev/null", "s3://BUCKET/k", "--metadata", "x"), 2, "legal: NAME=VALUE"),
        (("put", "/dev", "s3://BUCKET/k", "--if-absent"), 2, "not for a folder"),
        (("put", "", "s3://BUCKET/k"), 2, "the path is empty"),
        (("get", "s3://BUCKET/k", ""), 2, "the path is empty"),
        (("parity", "", "s3://BUCKET/k"), 2, "the path is empty"),
        (("put", "n" * 300, "s3://BUCKET/k"), 2, "cannot be read: File name too long"),
        (("get", "s3://BUCKET/none", "n" * 300), 2, "NoSuchKey"),
        (("get", "s3://BUCKET/none", "/dev/null/"), 2, "NoSuchKey"),
        (("presign", "s3://BUCKET/k", "--expires", "8d"), 2, "legal: a timedelta or seconds"),
        (("presign", "s3://BUCKET/k", "--expires", "soon"), 2, "at most 7d"),
        (("presign", "s3://BUCKET/k", "--method", "POST"), 2, "legal: GET, PUT"),
        (("ls", "s3://BUCKET", "--identity", "worker"), 2, "go together"),
        (("frobnicate",), 2, "No such command"),
    ],
)
def test_faults_are_told_on_standard_error(
    run: Run, bucket: str, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """Exit status 2, one message on standard error, nothing on standard output, no traceback."""
    code, out, err = run(*(argument.replace("BUCKET", bucket) for argument in arguments))

    assert (code, out) == (status, "")
    assert words in err
    assert "Traceback" not in err


class TestPublished:
    """A deployment's files instead of the environment."""

    @pytest.fixture(name="files")
    def _files(self, tmp_path: Path, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        for name in ("S3_ENDPOINT", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        deployment = {"version": 1, "region": REGION, "endpoint": moto_endpoint, "provisioning_endpoint": None}
        (tmp_path / "deployment.json").write_text(json.dumps(deployment | {"ca_pem": None}))
        pair = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
        (tmp_path / "credentials.json").write_text(json.dumps({"worker": pair}))
        (tmp_path / "credentials.json").chmod(0o600)
        return [
            f"--deployment={tmp_path / 'deployment.json'}",
            f"--credentials={tmp_path / 'credentials.json'}",
            "--identity=worker",
        ]

    def test_they_lead_to_the_store(self, run: Run, bucket: str, files: list[str]) -> None:
        """The command needs no variable."""
        assert run("ls", f"s3://{bucket}", *files)[0] == 0

    def test_credentials_that_others_may_read_are_refused(
        self, run: Run, bucket: str, files: list[str], tmp_path: Path
    ) -> None:
        """The message holds the line that fixes it, and no secret."""
        (tmp_path / "credentials.json").chmod(0o640)

        status, _, err = run("ls", f"s3://{bucket}", *files)

        assert status == 2
        assert "chmod 600" in err
        assert SECRET_KEY not in err

    @pytest.mark.parametrize("content", ["[]", "{", SECRET_KEY])
    def test_files_that_are_not_that_are_refused(
        self, run: Run, bucket: str, files: list[str], tmp_path: Path, content: str
    ) -> None:
        """The message does not show their content."""
        (tmp_path / "credentials.json").write_text(content)

        status, _, err = run("ls", f"s3://{bucket}", *files)

        assert status == 2
        assert "credentials.json is not" in err
        assert SECRET_KEY not in err

    def test_missing_file_is_told(self, run: Run, bucket: str, files: list[str], tmp_path: Path) -> None:
        """The message names the file."""
        (tmp_path / "credentials.json").unlink()

        assert "credentials.json cannot be read" in run("ls", f"s3://{bucket}", *files)[2]


class TestTerminal:
    """What a terminal would obey is never printed as it is; JSON holds it escaped."""

    KEY = "turn/\u202egnp.exe"  # U+202E turns the direction of writing

    def test_key_of_every_command(self, run: Run, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
        """As `parity` shows it: quoted."""
        (tmp_path / "f").write_bytes(b"1")
        uri = f"s3://{bucket}/{self.KEY}"

        shown = [
            run("put", tmp_path / "f", uri, "--metadata", "a=b")[1],
            run("ls", f"s3://{bucket}/turn")[1],
            run("stat", uri)[1],
            run("get", uri, tmp_path / "g")[1],
            run("rm", uri)[1],
            run("get", uri, tmp_path / "g")[2],
        ]

        assert all(r"\u202egnp.exe" in each and "\u202e" not in each for each in shown)
        assert list(store.list(bucket)) == []

    def test_key_and_words_of_a_server(
        self, run: Run, scripted: ScriptedServer, answer: type[Answer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A listing can hold what no upload of the adapter could, and so can the reason of a refusal."""
        monkeypatch.setenv("S3_ENDPOINT", scripted.endpoint)
        scripted.always(
            answer(
                body=b"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
                b'<Contents><Key>%1B%5B31m</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>'
            )
        )
        assert run("ls", "s3://bucket")[:2] == (0, f"{1:>14}  '\\x1b[31m'\n")

        scripted.always(answer.refusal(403, "AccessDenied", "no \x1b[31m way"))
        status, _, err = run("get", "s3://bucket/k", "-")
        assert (status, r"no \x1b[31m way" in err, "\x1b" in err) == (2, True, False)


@pytest.mark.parametrize("as_json", [False, True])
def test_terminal_that_cannot_show_a_key(
    store: ObjectStore,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Without UTF-8 a key is escaped, and JSON is still JSON; it is no traceback."""
    store.upload(bucket, "ascii/é", b"")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)

    with pytest.raises(SystemExit) as ended:
        main(["ls", f"s3://{bucket}/ascii/", *["--json"] * as_json])

    store.delete_object(bucket, "ascii/é")
    shown = out.buffer.getvalue().decode()
    assert ended.value.code in {0, None}
    assert json.loads(shown)["key"] == "ascii/é" if as_json else r"ascii/\xe9" in shown


def test_reader_that_goes_away_is_no_fault(bucket: str, store: ObjectStore) -> None:
    """`ls | head` prints no traceback."""
    for number in range(3):
        store.upload(bucket, f"pipe/{number}", b"")
    with subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "object_store", "ls", f"s3://{bucket}/pipe/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    for number in range(3):
        store.delete_object(bucket, f"pipe/{number}")
