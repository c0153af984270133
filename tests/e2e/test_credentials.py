"""The life of a key on the real engine: rotation under load, a third key, revocation, killed engines."""

import json
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import trials.checkout
from infra.admin_api import AdminApi
from model.deployment import KeyPair
from sandbox.server.process import running_server
from tests.console import command as console
from tests.e2e.conftest import lead_here
from tests.sizes import on, sized
from trials.checkout import Checkout, copy_checkout
from trials.killing import write_shim

main = console("keys")

pytestmark = pytest.mark.e2e

IDENTITY, DOMAIN = "session-archiver", "session-archive"
ENV = {"local": "local", "aws": "prod"}


@dataclass(frozen=True)
class Keys:
    """An identity's keys on one stack.

    Attributes:
        checkout: The deployed copy.
        stack: The stack.
    """

    checkout: Checkout
    stack: str

    @property
    def user(self) -> str:
        """The user's name on the server."""
        return f"joelclaw-{ENV[self.stack]}-usw2-{IDENTITY}"

    @property
    def bucket(self) -> str:
        """A bucket that the identity may append to."""
        return f"joelclaw-{ENV[self.stack]}-usw2-{DOMAIN}"

    def published(self) -> KeyPair:
        """The credentials that the stack publishes."""
        said = self.checkout.pulumi(
            self.stack, "stack", "output", "credentials", "--json", "--show-secrets", "--stack", self.stack
        )
        assert said.status == 0, said.output
        return KeyPair.model_validate(json.loads(said.output)[IDENTITY])

    def live(self) -> set[str]:
        """The access keys that the user has on the server."""
        if self.stack == "aws":
            found = self.checkout.client("aws", "iam").list_access_keys(UserName=self.user)
            return {key["AccessKeyId"] for key in found["AccessKeyMetadata"]}
        with self.api() as api:
            return {account["accessKey"] for account in api.service_accounts(self.user)["accounts"] or []}

    def api(self) -> AdminApi:
        """The local server's admin API."""
        return self.checkout.admin_api(self.stack)

    def client(self, access_key_id: str, secret_access_key: str) -> Any:  # noqa: ANN401 - boto3's client
        """S3 with a key pair of the identity."""
        server = running_server(self.checkout.folder(self.stack))
        assert server is not None
        return boto3.session.Session().client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            verify=server.ca_bundle,
        )

    def refused(self, pair: KeyPair) -> bool:
        """Whether the server refuses a key pair."""
        try:
            self.client(pair.access_key_id, pair.secret_access_key.get_secret_value()).list_objects_v2(
                Bucket=self.bucket, MaxKeys=1
            )
        except ClientError as error:
            return error.response["Error"]["Code"] == "InvalidAccessKeyId"
        return False

    def set_config(self, *arguments: str) -> None:
        """`pulumi config …`."""
        done = self.checkout.pulumi(self.stack, "config", *arguments, "--stack", self.stack)
        assert done.status == 0, done.output


@pytest.fixture(scope="module", name="checkout")
def _checkout(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A sandbox with one domain; every step of a small stack is faster."""
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("keys"), (DOMAIN,))
    try:
        yield checkout
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", "all")


@pytest.fixture(name="keys")
def _keys(checkout: Checkout, stack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """A stack, deployed for its first test, with this process's environment pointed at it; changes are undone."""
    if running_server(checkout.folder(stack)) is None:
        checkout.must("sandbox", "up", "--stack", stack)
        made = checkout.up(stack, "--stack", stack)
        assert made.status == 0, made.output
    lead_here(checkout, stack, monkeypatch)
    keys = Keys(checkout, stack)
    yield keys
    if len(keys.live()) > 1:  # AWS has no room for a third
        assert main(["retire", IDENTITY, "--stack", stack, "--yes", "--unused-for", "0"]) == 0
    keys.set_config("rm", "object-store:credentials")
    assert checkout.up(stack, "--stack", stack).status == 0


def verified(keys: Keys, *options: str) -> bool:
    """Whether everything is proven, or the part that an option selects."""
    done = keys.checkout.python("verify", "--stack", keys.stack, *options, stack=keys.stack)
    return done.status == 0


@dataclass
class Writer:
    """A workload: writes with the key pair of a file, and reads the file again after a refusal.

    Attributes:
        keys: The identity's keys.
        path: The delivered file.
        written: Keys of the stored objects.
        reloads: How often it read the file again after a refusal.
        failure: The error that ended it, if any.
    """

    keys: Keys
    path: Path
    written: list[str] = field(default_factory=list)
    reloads: int = 0
    failure: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Write until the end; an object that is not stored is a failure."""
        try:
            client = self._loaded()
            while not self.done.is_set():
                key = f"load/{len(self.written):06}"
                client = self._put(client, key)
                self.written.append(key)
                time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - the waiting test reports it
            self.failure = error

    def _put(self, client: Any, key: str) -> Any:  # noqa: ANN401 - boto3's client
        try:
            client.put_object(Bucket=self.keys.bucket, Key=key, Body=key.encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidAccessKeyId":
                raise
            self.reloads += 1
            client = self._loaded()
            client.put_object(Bucket=self.keys.bucket, Key=key, Body=key.encode(), IfNoneMatch="*")
        return client

    def _loaded(self) -> Any:  # noqa: ANN401 - boto3's client
        # The format of a shell file.
        said = subprocess.run(  # noqa: S603 - a file of this test
            ["/bin/sh", "-c", f'set -a; . "{self.path}"; echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"'],
            capture_output=True,
            text=True,
            check=True,
            env={},
        ).stdout.split()
        return self.keys.client(*said)


@pytest.fixture(name="writing")
def _writing(keys: Keys, tmp_path: Path) -> Iterator[Callable[[], Writer]]:
    """Start the workload on the file, and end it with the test."""
    started: list[tuple[Writer, threading.Thread]] = []

    def start() -> Writer:
        writer = Writer(keys, tmp_path / "worker.env")
        thread = threading.Thread(target=writer.run)
        thread.start()
        started.append((writer, thread))
        return writer

    yield start
    for writer, thread in started:
        writer.done.set()
        thread.join()
    # The stack's later tests verify the bucket, too.
    client = keys.checkout.client(keys.stack)
    while versions := client.list_object_versions(Bucket=keys.bucket, Prefix="load/").get("Versions"):
        for found in versions:  # a new listing for each page, because a deleted marker breaks the next page
            client.delete_object(Bucket=keys.bucket, Key=found["Key"], VersionId=found["VersionId"])


def stored(keys: Keys) -> set[str]:
    """The workload's objects in the bucket."""
    pages = (
        keys.checkout.client(keys.stack).get_paginator("list_objects_v2").paginate(Bucket=keys.bucket, Prefix="load/")
    )
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


@on("stack", ["local"], left=["aws"])
def test_rotation_under_load_loses_no_write(
    keys: Keys, writing: Callable[[], Writer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """During rotate, deliver and retire every write is stored, verification is green, and the old key is refused."""
    deliver = ["deliver", "--stack", keys.stack, "--to", "dotenv", "--file", str(tmp_path / "worker.env")]
    deliver += ["--identity", IDENTITY]
    assert main(deliver) == 0
    first = keys.published()
    writer = writing()

    assert main(["rotate", IDENTITY, "--stack", keys.stack, "--yes"]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"^  Pulumi\.{keys.stack}\.yaml:[0-9]+: \+ +previous: '?1'?$", said, re.MULTILINE), said
    second = keys.published()
    assert second.previous == first
    assert len(keys.live()) == 2
    assert verified(keys, "--identity", IDENTITY, "--bucket", DOMAIN)

    assert main(["rotate", IDENTITY, "--stack", keys.stack, "--yes"]) == 1
    assert f"object-store keys retire {IDENTITY}" in capsys.readouterr().err
    if keys.stack == "aws":
        assert main(["retire", IDENTITY, "--stack", keys.stack, "--yes"]) == 1
        assert "so it is still in use" in capsys.readouterr().err
    assert keys.published() == second

    assert main(deliver) == 0
    assert writer.reloads == 0
    capsys.readouterr()
    assert main(["status", "--stack", keys.stack, "--json"]) == 0
    told = [one for one in json.loads(capsys.readouterr().out) if one["identity"] == IDENTITY]
    assert [(one["generation"], one["role"], one["access_key_id"]) for one in told] == [
        (2, "current", second.access_key_id),
        (1, "previous", first.access_key_id),
    ]

    assert main(["retire", IDENTITY, "--stack", keys.stack, "--yes", "--unused-for", "0"]) == 0
    assert "the server refuses key" in capsys.readouterr().out
    assert keys.refused(first)
    assert keys.live() == {second.access_key_id}
    assert keys.published().previous is None
    assert verified(keys, "--bucket", DOMAIN)

    time.sleep(0.5)
    writer.done.set()
    assert writer.failure is None
    assert writer.reloads == 1
    assert len(writer.written) > 20
    assert set(writer.written) <= stored(keys)


@on("stack", ["aws"], left=["local"])
def test_revocation_replaces_every_key_at_once(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    """A revocation refuses both keys that a plain `pulumi up` of the config created, and a third key works."""
    first = keys.published()
    assert main(["rotate", IDENTITY, "--stack", keys.stack, "--yes", "--config-only"]) == 0
    assert f"Next, here or in CI: pulumi up --stack {keys.stack}" in capsys.readouterr().out
    assert keys.live() == {first.access_key_id}
    assert keys.checkout.up(keys.stack, "--stack", keys.stack).status == 0
    before = keys.published()
    assert before.previous == first
    if keys.stack == "aws":
        _third_key_is_refused(keys)

    assert main(["revoke", IDENTITY, "--stack", keys.stack]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert keys.published() == before

    assert main(["revoke", IDENTITY, "--stack", keys.stack, "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"refuses every program that uses user {keys.user} (grants on {DOMAIN} (append)) until" in said
    after = keys.published()
    assert keys.live() == {after.access_key_id}
    assert keys.refused(before)
    assert keys.refused(first)
    assert not keys.refused(after)


def _third_key_is_refused(keys: Keys) -> None:
    """The program refuses a config that would temporarily need a third key, before the engine runs."""
    place = f'object-store:credentials["{IDENTITY}"]'
    for wanted, refused in ((3, True), (2, False)):
        values = [f"{place}.current={wanted}", f"{place}.previous={wanted - 1}"]
        keys.set_config("set-all", "--path", *(word for value in values for word in ("--plaintext", value)))
        done = keys.checkout.pulumi(keys.stack, "preview", "--stack", keys.stack)
        assert (done.status != 0) is refused, done.output
        assert ("AWS allows a user two access keys" in done.output) is refused


# Together they cover every step of each command. A change tries the two first of each cloud.
KILLED = {
    "local": [("rotate", "making"), ("revoke", "made"), ("rotate", "before"), ("retire", "removing")],
    "aws": [("rotate", "making"), ("retire", "after"), ("rotate", "made"), ("retire", "before")],
}


@on("stack", ["aws"], left=["local"])
def test_killed_engine_leaves_a_key_that_works_and_the_next_command_completes(keys: Keys, tmp_path: Path) -> None:
    """After SIGKILL between any two steps, a published key works at once, and a second run of the command succeeds.

    AWS says when it made a key, so the one whose secret is lost is removed; on AIStor it stays.
    """
    write_shim(tmp_path)
    left: set[str] = set()
    for command, point in KILLED[keys.stack][: sized(2, 4)]:
        arguments = [command, IDENTITY, "--stack", keys.stack, "--yes"]
        arguments += ["--unused-for", "0"] if command == "retire" else []
        _killed(keys, tmp_path, arguments, point)

        held = keys.published()
        assert not all(keys.refused(pair) for pair in (held, held.previous) if pair is not None), (command, point)
        if point == "making" and len(keys.live()) == 1:
            # The interrupted request may have arrived. Then a key exists whose secret is lost.
            _make_by_hand(keys)
        if (keys.stack, point) == ("local", "making"):
            left |= keys.live() - {pair.access_key_id for pair in (held, held.previous) if pair is not None}

        assert main(arguments) == 0, (command, point)
        after = keys.published()
        pairs = [pair for pair in (after, after.previous) if pair is not None]
        assert len(pairs) == (2 if command == "rotate" else 1), (command, point)
        assert keys.live() == {pair.access_key_id for pair in pairs} | left, (command, point)
        assert not any(keys.refused(pair) for pair in pairs), (command, point)
    again = keys.checkout.pulumi(keys.stack, "preview", "--expect-no-changes", "--stack", keys.stack)
    assert again.status == 0, again.output
    assert bool(left) is (keys.stack == "local")
    for key in left:
        with keys.api() as api:
            api.delete_service_account(key)


def _killed(keys: Keys, shim: Path, arguments: list[str], point: str) -> None:
    (state,) = keys.checkout.folder(keys.stack).state.glob(f".pulumi/stacks/*/{keys.stack}.json")
    done = keys.checkout.run(
        [trials.checkout.PYTHON, "-m", "cli", "keys", *arguments],
        keys.stack,
        {
            "PATH": f"{shim}:{keys.checkout.environment(keys.stack)['PATH']}",
            "KILL_AT": point,
            "KILL_ENGINE": str(keys.checkout.folder(keys.stack).wrapper),
            "KILL_STATE": str(state),
        },
    )
    assert done.status == -9, done.output


def _make_by_hand(keys: Keys) -> None:
    if keys.stack == "aws":
        keys.checkout.client("aws", "iam").create_access_key(UserName=keys.user)
        return
    with keys.api() as api:
        api.add_service_account(keys.user, '{"Version":"2012-10-17","Statement":[]}', "LEFTBEHIND0123456789", "x" * 20)


SIGNALLED = ("up", "rotate", "deliver", "retire", "revoke")
LONGEST_SECONDS = 8.0
GONE_SECONDS = 60


@on("stack", ["aws"], left=["local"])
def test_signal_at_any_moment(keys: Keys, tmp_path: Path) -> None:
    """SIGTERM, SIGINT or SIGKILL: no traceback, nothing half, no process with a secret; the documented line goes on."""
    target = tmp_path / "worker.env"
    deliver = ["deliver", "--stack", keys.stack, "--identity", IDENTITY, "--to", "dotenv", "--file", str(target)]
    assert main(deliver) == 0
    delivered = sorted(path.name for path in tmp_path.iterdir())
    chosen = random.Random(24)  # noqa: S311 - no secret
    for round_ in range(sized(1, 30)):
        number = chosen.choice((signal.SIGTERM, signal.SIGINT, signal.SIGKILL))
        kind, moment = SIGNALLED[round_ % len(SIGNALLED)], chosen.uniform(0, LONGEST_SECONDS)
        case = f"{kind}, signal {number} after {moment:.1f} s"
        before = target.read_bytes()
        arguments = [kind, IDENTITY, "--stack", keys.stack, "--yes"]
        arguments += ["--unused-for", "0"] if kind == "retire" else []
        if kind == "deliver":
            arguments = deliver
        if kind == "up":
            keys.set_config("set", "--path", "object-store:tags.round", f"number {round_}")
            command = [keys.checkout.engine(keys.stack), "up", "--yes", "--stack", keys.stack, "--non-interactive"]
        else:
            command = [trials.checkout.PYTHON, "-m", "cli", "keys", *arguments]

        status, said = _signalled(keys, command, number, moment)

        assert "Traceback" not in said, f"{case}: {said}"
        assert kind == "up" or status in {0, -number, 128 + number}, f"{case}: {status}: {said}"
        assert _processes_of(keys) == {}, case
        assert sorted(path.name for path in tmp_path.iterdir()) == delivered, case
        assert target.read_bytes() == before or kind == "deliver", case
        if kind == "up":
            assert console("recover")(["--stack", keys.stack]) == 0, case
            done = keys.checkout.up(keys.stack, "--stack", keys.stack)
            assert done.status == 0, f"{case}: {done.output}"
        else:
            # A rotation that was complete before its signal leaves two keys, and a third is refused.
            is_full = kind == "rotate" and keys.published().previous is not None
            assert main(arguments) in ({0, 1} if is_full else {0}), case
        assert main(deliver) == 0, case
        again = keys.checkout.pulumi(keys.stack, "preview", "--expect-no-changes", "--stack", keys.stack)
        assert again.status == 0, f"{case}: {again.output}"
        assert not keys.refused(keys.published()), case


def _signalled(keys: Keys, command: list[str], number: signal.Signals, moment: float) -> tuple[int, str]:
    """Run a command, and send it a signal after some seconds; its status, and what it said."""
    environ = keys.checkout.environment(keys.stack)
    with tempfile.TemporaryFile("w+") as said:  # no pipe: a process that outlives the command would hold it
        process = subprocess.Popen(  # noqa: S603 - commands of a checkout
            command, cwd=keys.checkout.path, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(number)
        status = process.wait(GONE_SECONDS)
        said.seek(0)
        return status, said.read()


def _processes_of(keys: Keys) -> dict[int, str]:
    """The processes with the checkout's environment, apart from its server; those that end soon are waited for."""
    ends = time.monotonic() + GONE_SECONDS
    while True:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environ, said = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
                if f"PYTHONPATH={keys.checkout.path}\0".encode() in environ and b"sandbox.server" not in said:
                    found[int(folder.name)] = said.replace(b"\0", b" ").decode()[:200]
        if not found or time.monotonic() > ends:
            return found
        time.sleep(0.2)
