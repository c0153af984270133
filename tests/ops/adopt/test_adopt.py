"""ops.adopt in process: the calls to the engine, and every way that ends without an import."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.settings import Settings
from model.problems import InvalidInputError, Problem
from model.resources import TYPES, About
from model.user_names import ServerName, Taken, UserNames
from ops.adopt.adoptable import LiveBucket
from ops.adopt.command import names_of
from ops.stack_settings import read_stack
from tests.console import command as console

main = console("adopt")

BUCKET = "joelclaw-local-usw2-session-archive"
COLD = "joelclaw-local-usw2-media-raw"
LOCATION: Any = {"LocationConstraint": "us-west-2"}
CONFIG = {
    "object-store:cloud": {"value": "aws"},
    "object-store:env": {"value": "local"},
    "object-store:region": {"value": "us-west-2"},
}
# A pulumi that keeps its input: a stack's export is its last import, and a refresh finds every resource except the
# policies, for which it prints FAKE_REFUSAL.
FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
folder, words = pathlib.Path(__file__).parent, [word for word in sys.argv[1:] if word != "--non-interactive"]
if words[0] == "--cwd":
    words = words[2:]
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
stack = "scratch.json" if "adopt" in words else "stack.json"
command = " ".join(words[:2])
if command.startswith("config"):
    print((folder / "config.json").read_text())
elif command == "stack export":
    print((folder / stack).read_text())
elif command == "stack import":
    (folder / stack).write_text(sys.stdin.read())
elif command.startswith("refresh"):
    content, refusal = json.loads((folder / stack).read_text()), os.environ["FAKE_REFUSAL"]
    kept = []
    for one in content["deployment"]["resources"]:
        kind = one["type"].rpartition(":")[2]
        if kind in ("Policy", "IamPolicy") and refusal:
            print(f"error: refreshing {one['urn']}: 1 error occurred:\\n    \\t* {refusal}\\n")
        if kind in ("Bucket", "S3Bucket", "User", "IamUser"):
            one["inputs"] = {"name": "x"}
        if kind in ("Bucket", "S3Bucket", "User", "IamUser", "Policy", "IamPolicy", "Stack", "aws", "minio"):
            kept.append(one)
    content["deployment"]["resources"] = kept
    (folder / stack).write_text(json.dumps(content))
    sys.exit(1)
elif command.startswith("import"):
    if os.environ.get("FAKE_IMPORT_FAILS"):
        provider = json.loads(sys.stdin.read())["resources"][1]
        sys.exit("it failed for " + provider["inputs"]["minioPassword"]["plaintext"])
    (folder / "imported.json").write_text(pathlib.Path("/dev/stdin").read_text())
"""


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "pulumi").write_text(FAKE, encoding="utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (tmp_path / "stack.json").write_text('{"deployment": null}', encoding="utf-8")
    (tmp_path / "scratch.json").write_text('{"version": 3, "deployment": {}}', encoding="utf-8")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_REFUSAL", "the canned policy does not exist")
    with mock_aws():
        yield tmp_path


def make(name: str, *, locked: bool = False) -> None:
    """Create a bucket by hand."""
    client = boto3.session.Session().client("s3", region_name="us-west-2")
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked, CreateBucketConfiguration=LOCATION)


def adopted(folder: Path) -> list[str]:
    """The names of the imported resources."""
    content = json.loads((folder / "imported.json").read_text(encoding="utf-8"))
    return [one.get("logicalName", one["name"]) for one in content["resources"]]


def config(folder: Path, **values: str) -> None:
    """Set another config of the stack."""
    changed = {**CONFIG, **{f"object-store:{key}": {"value": value} for key, value in values.items()}}
    (folder / "config.json").write_text(json.dumps(changed), encoding="utf-8")


def test_what_exists_is_imported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A scratch stack's refresh finds it; it is shown and imported with store and provider, protected as configured."""
    make(BUCKET)

    assert main(["--stack", "aws", "--yes", "--out", str(folder / "out.json")]) == 0

    said = capsys.readouterr().out
    assert f"  {BUCKET}: bucket\n" in said
    assert "cannot be read back" in said
    assert adopted(folder)[:3] == ["store", "aws", "session-archive"]
    assert "worker-user" in adopted(folder)
    assert "worker-policy" not in adopted(folder)
    assert json.loads((folder / "out.json").read_text(encoding="utf-8"))["resources"][0]["component"] is True
    (call,) = [
        line for line in (folder / "calls").read_text(encoding="utf-8").splitlines() if line.startswith("import")
    ]
    assert "--protect=true" in call


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1)])
def test_person_is_asked(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    status: int,
) -> None:
    """On a terminal the answer decides, and no answer means no."""
    make(BUCKET)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert main(["--stack", "aws"]) == status
    assert (folder / "imported.json").exists() is (status == 0)
    assert ("Nothing was adopted." in capsys.readouterr().out) is (status == 1)


def test_state_that_changes_meanwhile_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else adopted the bucket during the question: nothing is imported twice."""
    make(BUCKET)

    def answer(_: object) -> str:
        held = {"urn": "urn::session-archive", "type": TYPES["aws"][About.BUCKET], "id": BUCKET}
        (folder / "stack.json").write_text(json.dumps({"deployment": {"resources": [held]}}), encoding="utf-8")
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)

    assert main(["--stack", "aws"]) == 2
    assert "the state changed meanwhile; run it again" in capsys.readouterr().err
    assert not (folder / "imported.json").exists()


def test_nobody_to_ask_is_no(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and without --yes nothing is imported."""
    make(BUCKET)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)

    assert main(["--stack", "aws"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert not (folder / "imported.json").exists()


def test_other_lock_stops_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bucket that cannot be adopted is named, and nothing else is imported either."""
    make(BUCKET)
    make(COLD)

    assert main(["--stack", "aws", "--yes"]) == 1
    assert f"{COLD}: it has no object lock" in capsys.readouterr().out
    assert not (folder / "imported.json").exists()


def test_retention_of_a_locked_bucket_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Years are converted to days."""
    make(COLD, locked=True)
    boto3.session.Session().client("s3", region_name="us-west-2").put_object_lock_configuration(
        Bucket=COLD,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}},
        },
    )

    assert main(["--stack", "aws", "--yes"]) == 0
    assert f"{COLD}: COMPLIANCE 730 d becomes GOVERNANCE 365 d" in capsys.readouterr().out
    assert "media-raw" in adopted(folder)


@pytest.mark.parametrize(
    ("refusal", "said"), [("AccessDenied: not yours", "AccessDenied: not yours"), ("", "cannot read")]
)
def test_refused_read_is_not_taken_for_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refusal: str, said: str
) -> None:
    """Only "does not exist" means that; any other error, or none, ends it."""
    monkeypatch.setenv("FAKE_REFUSAL", refusal)

    assert main(["--stack", "aws", "--yes"]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "imported.json").exists()


def test_interrupted_update_comes_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the command that repairs an interrupted update."""
    (folder / "stack.json").write_text(
        '{"deployment": {"pending_operations": [{"type": "creating", "resource": {"urn": "u", "type": "t"}}]}}',
        encoding="utf-8",
    )

    assert main(["--stack", "aws", "--yes"]) == 2
    assert "object-store recover --stack aws" in capsys.readouterr().err


def test_other_account_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The provider's account guard applies here too, before anything is read."""
    config(folder, allowedAccountIds='["999999999999"]')

    assert main(["--stack", "aws", "--yes"]) == 2
    assert "allowedAccountIds is 999999999999" in capsys.readouterr().err


def test_endpoint_that_does_not_answer_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is checked before any plugin, which would see an empty server; the password is not shown."""
    config(
        folder,
        cloud="aistor",
        endpoint="https://127.0.0.1:1",
        adminUser="provisioner",
        adminPassword="planted-password",
    )

    assert main(["--stack", "local", "--yes"]) == 2
    said = capsys.readouterr().err
    assert "no usable server answers at https://127.0.0.1:1" in said
    assert "planted-password" not in said


@pytest.fixture(name="aistor")
def _aistor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, LiveBucket]:
    """An aistor stack with these buckets."""
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "Pulumi.yaml").touch()
    monkeypatch.chdir(folder)
    config(
        folder,
        cloud="aistor",
        endpoint="https://127.0.0.1:1",
        caBundle="ca.pem",
        adminApi="v3",
        adminUser="provisioner",
        adminPassword="planted-password",
    )
    live = {BUCKET: LiveBucket(locked=False, policy=True)}
    monkeypatch.setattr("ops.adopt.command.live_buckets", lambda _plan, _settings: live)
    monkeypatch.setattr("ops.adopt.command.write_tried_access", lambda *_: True)
    monkeypatch.setattr("ops.adopt.command.check_reachable", lambda *_: None)
    monkeypatch.setattr("ops.adopt.command.taken_names", lambda *_: [])
    return live


def test_password_goes_to_the_engine_only(
    folder: Path, aistor: dict[str, LiveBucket], capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine gets it through standard input; the kept file, the arguments and the output do not have it."""
    assert aistor
    assert main(["--stack", "local", "--yes", "--out", "out.json"]) == 0

    said = capsys.readouterr()
    assert f"so the next `pulumi up` removes it:\n  {BUCKET}" in said.out
    assert "planted-password" in (folder / "imported.json").read_text(encoding="utf-8")
    for text in (said.out, said.err, *((folder / name).read_text() for name in ("out.json", "calls"))):
        assert "planted-password" not in text
    provider = json.loads((folder / "out.json").read_text(encoding="utf-8"))["resources"][1]
    assert (folder / provider["inputs"]["minioCacertFile"]).resolve() == (folder / "ca.pem").resolve()


def test_failed_import_shows_no_password(
    aistor: dict[str, LiveBucket], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine's message is shown with the secret redacted."""
    assert aistor
    monkeypatch.setenv("FAKE_IMPORT_FAILS", "yes")

    assert main(["--stack", "local", "--yes"]) == 2
    said = capsys.readouterr().err
    assert "it failed for" in said
    assert "planted-password" not in said


def test_bucket_that_the_provider_does_not_find_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S3 and the provider must agree about existing buckets; otherwise a bucket would be created again."""
    make(BUCKET)
    monkeypatch.setattr("ops.adopt.command.existing", lambda _settings, _asked: [])

    assert main(["--stack", "aws", "--yes"]) == 2
    assert BUCKET in capsys.readouterr().err


def test_nothing_to_adopt_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty account has nothing to adopt."""
    monkeypatch.setattr("ops.adopt.command.existing", lambda _settings, _asked: [])

    assert main(["--stack", "aws"]) == 0
    assert "nothing to adopt" in capsys.readouterr().out


def test_refused_credentials_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that refuses the credentials is not an empty server."""
    assert folder

    def refused(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObjectLockConfiguration")

    make(BUCKET)
    monkeypatch.setattr("ops.adopt.live._or_none", refused)

    assert main(["--stack", "aws", "--yes"]) == 2
    assert "cannot read the buckets" in capsys.readouterr().err


@pytest.mark.parametrize("stack", ["--help me", "a b"])
def test_malformed_stack_name_reaches_no_pulumi(folder: Path, stack: str) -> None:
    """A name is never passed as an option."""
    assert main([f"--stack={stack}", "--yes"]) == 2
    assert not (folder / "calls").exists()


def test_no_pulumi_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an engine nothing can be adopted."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert main(["--stack", "aws"]) == 2
    assert "pulumi is not on the path" in capsys.readouterr().err


def test_pulumi_that_prints_no_json_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is another program of that name."""
    (folder / "config.json").write_text("hello", encoding="utf-8")

    assert main(["--stack", "aws"]) == 2
    assert "no JSON" in capsys.readouterr().err


def test_access_is_tried_before_the_engine_asks(
    folder: Path, aistor: dict[str, LiveBucket], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that refuses the config's pair ends it, and the engine imports nothing."""
    assert aistor

    def refused(*_: object) -> bool:
        raise InvalidInputError([Problem("adminPassword", "refused", "", "the right one")])

    monkeypatch.setattr("ops.adopt.command.write_tried_access", refused)

    assert main(["--stack", "local", "--yes"]) == 2
    assert "adminPassword: refused" in capsys.readouterr().err
    assert not (folder / "imported.json").exists()


KEY_OF_BEFORE = {"urn": "urn::worker-key-1", "type": TYPES["v3"][About.KEY], "id": "KEYOFBEFORE"}
BUCKET_OF_BEFORE = {"urn": "urn::x", "type": TYPES["v3"][About.BUCKET], "id": "b"}


@pytest.mark.parametrize(
    ("held", "server_has", "status"),
    [
        ([KEY_OF_BEFORE], False, 2),
        ([BUCKET_OF_BEFORE], False, 2),
        ([KEY_OF_BEFORE, BUCKET_OF_BEFORE], True, 0),
        ([BUCKET_OF_BEFORE], True, 0),
        ([], False, 0),
    ],
)
def test_state_of_another_server_is_recovered_first(
    folder: Path,
    aistor: dict[str, LiveBucket],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    held: list[dict[str, Any]],
    server_has: bool,  # noqa: FBT001 - a parameter of the table
    status: int,
) -> None:
    """What of the state is on another server is for `recover` to find out; the same server may have another address.

    Otherwise `recover` finds nothing to mend, and the two commands would name each other for ever.
    """
    assert aistor
    inputs = {"minioServer": "old.example.com:9000", "minioSsl": "true"}
    provider = {"urn": "urn::aistor", "type": "pulumi:providers:minio", "inputs": inputs}
    content = {"deployment": {"resources": [provider, *held]}}
    (folder / "stack.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr("ops.same_server.knows_a_key", lambda keys, _: keys == ["KEYOFBEFORE"] and server_has)
    monkeypatch.setattr("ops.same_server.existing_buckets", lambda names, _: set(names) if server_has else set())

    assert main(["--stack", "local", "--yes"]) == status
    said = capsys.readouterr().err
    assert ("the state describes the server old.example.com:9000" in said) == (status == 2)
    assert ("object-store recover --stack local" in said) == (status == 2)


def test_state_of_another_environment_is_not_said_to_have_everything(
    folder: Path, aistor: dict[str, LiveBucket], capsys: pytest.CaptureFixture[str]
) -> None:
    """A planned bucket that exists while the state has another one in its place: the state is not this stack's.

    The program and the preflight stop at that bucket and name `adopt`, so "nothing to adopt" would be a dead end.
    """
    assert aistor
    kind, name = TYPES["v3"][About.BUCKET], "session-archive"
    bucket = {"type": kind, "urn": f"urn::{kind}::{name}", "id": f"joelclaw-dev-usw2-{name}"}
    (folder / "stack.json").write_text(json.dumps({"deployment": {"resources": [bucket]}}), encoding="utf-8")

    assert main(["--stack", "local", "--yes"]) == 2
    said = capsys.readouterr().err
    assert f"{BUCKET} exists, and the state has joelclaw-dev-usw2-{name} as {name}" in said
    assert "Start with a new state" in said
    assert not (folder / "imported.json").exists()


def test_identities_of_the_other_admin_api_are_switched_first(
    folder: Path, aistor: dict[str, LiveBucket], capsys: pytest.CaptureFixture[str]
) -> None:
    """An older state may be from before a switch: adopted beside them, each user would be in the state twice.

    No command could then move them, and an update would delete the live users.
    """
    assert aistor
    kind = TYPES["v4"][About.USER]
    user = {"type": kind, "urn": f"urn::{kind}::worker-user", "id": "joelclaw-local-usw2-worker"}
    (folder / "stack.json").write_text(json.dumps({"deployment": {"resources": [user]}}), encoding="utf-8")

    assert main(["--stack", "local", "--yes"]) == 2
    assert "object-store switch-admin-api" in capsys.readouterr().err
    assert not (folder / "imported.json").exists()


OURS, ANOTHERS = "joelclaw-local-usw2-", "joelclaw-local-euw1-"


def of_policies(prefix: str) -> Callable[[Iterable[ServerName], Settings], list[Taken]]:
    """A server that has every name without a region code, for the buckets of a prefix."""

    def taken(names: Iterable[ServerName], _settings: Settings) -> list[Taken]:
        return [Taken(name, frozenset({prefix})) for name in names if not name.name.startswith(OURS)]

    return taken


@pytest.mark.parametrize(("prefix", "form"), [(OURS, UserNames.BY_ENV), (ANOTHERS, None)])
def test_users_of_before_are_found_again_where_the_state_is_lost(
    aistor: dict[str, LiveBucket], monkeypatch: pytest.MonkeyPatch, prefix: str, form: UserNames | None
) -> None:
    """An empty state tells no form: the policies on the server do, if they are for this stack's buckets."""
    assert aistor
    monkeypatch.setattr("ops.adopt.command.taken_names", of_policies(prefix))

    assert names_of(read_stack("local"), {}) is form


def test_state_tells_the_names(aistor: dict[str, LiveBucket]) -> None:
    """The server is not asked; one user of the state is enough."""
    assert aistor
    kind = TYPES["v3"][About.USER]
    user = {"type": kind, "urn": f"urn::{kind}::worker-user", "outputs": {"name": "joelclaw-local-worker"}}

    assert names_of(read_stack("local"), {"deployment": {"resources": [user]}}) is UserNames.BY_ENV


def test_user_of_another_stack_is_not_adopted(
    folder: Path, aistor: dict[str, LiveBucket], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standing stack without region codes in its names finds one of them with another stack: it adopts nothing."""
    assert aistor
    kind = TYPES["v3"][About.USER]
    user = {"type": kind, "urn": f"urn::{kind}::reader-user", "outputs": {"name": "joelclaw-local-reader"}}
    (folder / "stack.json").write_text(json.dumps({"deployment": {"resources": [user]}}), encoding="utf-8")
    monkeypatch.setattr("ops.adopt.command.taken_names", of_policies(ANOTHERS))

    assert main(["--stack", "local", "--yes"]) == 1
    said = capsys.readouterr().out
    assert "joelclaw-local-worker, joelclaw-local-session-archiver, " in said
    assert "already exist, but they are not in the stack" in said
    assert f"for the buckets {ANOTHERS}…" in said
    assert "Nothing was adopted." in said
    assert not (folder / "imported.json").exists()
