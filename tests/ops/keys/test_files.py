"""Deliveries to files and pipes: dotenv, Pulumi ESC, JSON; and paths that must not get a secret."""

import io
import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import boto3
import pytest
import yaml
from dotenv import dotenv_values

from model.handover import NAMES, handovers
from ops.keys import private_file
from ops.keys.targets.as_json import AsJson, Pipe
from ops.keys.targets.dotenv import quoted, read_variables
from ops.keys.targets.outcome import CannotDeliverError, UnfinishedDeliveryError
from ops.keys.targets.pulumi_esc import PulumiEsc
from tests.ops.keys.conftest import Deliver, Stack

CA_NAME = "objectstore-local-ca.pem"


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


def sourced(path: Path) -> dict[str, str]:
    """The variables of a shell after reading a file, with an otherwise empty environment."""
    script = 'set -a; . "$1"; exec env -0'
    done = subprocess.run(  # noqa: S603 - a script of our own
        ["/bin/sh", "-c", script, "sh", str(path)], env={}, capture_output=True, text=True, check=True
    )
    return dict(one.split("=", 1) for one in done.stdout.split("\0") if one)


def git(*arguments: str) -> None:
    """Run git."""
    subprocess.run(["git", *arguments], check=True)  # noqa: S603, S607 - the machine's own, with a test's arguments


def repository(folder: Path) -> None:
    """Make a folder a git repository."""
    git("init", "--quiet", str(folder))


class TestDotenv:
    """The variables of one identity."""

    def test_shell_reads_what_was_published(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """All variables exist, including the host's endpoint, and the CA is in the same folder."""
        path = tmp_path / ".env"

        done = deliver("dotenv", "--file", str(path))

        found = sourced(path)
        assert (done.status, done.errors) == (0, "")
        assert path.stat().st_mode & 0o777 == 0o600
        endpoint, buckets = stack.deployment.provisioning_endpoint, json.loads(found["S3_BUCKETS"])
        assert {name: found[name] for name in NAMES if name in found} == {
            "AWS_ACCESS_KEY_ID": stack.credentials["worker"].access_key_id,
            "AWS_SECRET_ACCESS_KEY": stack.secret("worker"),
            "AWS_REGION": stack.deployment.region,
            "AWS_DEFAULT_REGION": stack.deployment.region,
            "S3_ENDPOINT": endpoint,
            "S3_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "S3_CA_BUNDLE": str(tmp_path / CA_NAME),
            "AWS_CA_BUNDLE": str(tmp_path / CA_NAME),
            "S3_BUCKETS": found["S3_BUCKETS"],
        }
        assert set(buckets) == {"scratch", "replay", "archive", "ledger"}
        assert {found[f"S3_BUCKET_{domain.upper()}"] for domain in buckets} == set(buckets.values())
        assert (tmp_path / CA_NAME).read_text() == stack.deployment.ca_pem
        assert (tmp_path / CA_NAME).stat().st_mode & 0o777 == 0o600
        assert "works      worker, as dotenv holds it" in done.output
        assert sorted(one.name for one in tmp_path.iterdir()) == [".env", "bin", CA_NAME]

    def test_unchanged_is_left_alone(self, deliver: Deliver, tmp_path: Path) -> None:
        """The second run writes no byte."""
        path = tmp_path / ".env"
        deliver("dotenv", "--file", str(path))
        before = (path.stat().st_mtime_ns, (tmp_path / CA_NAME).stat().st_mtime_ns)

        done = deliver("dotenv", "--file", str(path))

        assert set(done.changes().values()) == {"unchanged"}
        assert (path.stat().st_mtime_ns, (tmp_path / CA_NAME).stat().st_mtime_ns) == before

    def test_foreign_lines_stay(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """Our lines are replaced in place, once; obsolete ones are removed; a wide mode is narrowed."""
        path = tmp_path / ".env"
        path.write_text("# mine\nFOO='a\u2028b'\nexport AWS_REGION=old\nBAR=1\nAWS_REGION=older\n", encoding="utf-8")
        path.chmod(0o664)
        stack.publish(deployment=json.loads(stack.deployment.model_copy(update={"ca_pem": None}).model_dump_json()))
        path.write_text(path.read_text() + "S3_CA_BUNDLE=/gone\n", encoding="utf-8")

        # Without its CA the store is not trusted: the delivery is complete, but the probe fails.
        done = deliver("dotenv", "--file", str(path))

        lines = path.read_text().split("\n")
        assert done.status == 1
        assert "the key pair in dotenv does not work" in done.errors
        assert done.changes() | {"AWS_REGION": "changed", "AWS_ACCESS_KEY_ID": "added"} == done.changes()
        assert "changed    S3_CA_BUNDLE (removed)" in done.output
        assert lines[:4] == ["# mine", "FOO='a\u2028b'", f"export AWS_REGION={stack.deployment.region}", "BAR=1"]
        assert sum("AWS_REGION=" in line for line in lines) == 1
        assert not any("CA_BUNDLE" in line for line in lines)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_mode_alone_is_mended(self, deliver: Deliver, tmp_path: Path) -> None:
        """An unchanged file that others can read is rewritten."""
        path = tmp_path / ".env"
        deliver("dotenv", "--file", str(path))
        path.chmod(0o640)

        done = deliver("dotenv", "--file", str(path))

        assert f"changed    {path} (to mode 0600)" in done.output
        assert path.stat().st_mode & 0o777 == 0o600

    def test_one_identity_only(self, deliver: Deliver, tmp_path: Path) -> None:
        """All identities have the same variable names, so a second one would overwrite the first."""
        done = deliver("dotenv", "--file", str(tmp_path / ".env"), identity=None)

        assert done.status == 2
        assert "choose one with --identity: worker, reader, verifier" in done.errors
        assert not (tmp_path / ".env").exists()

    def test_full_disk(self, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The written names are listed, the old file stays, and no part of the new one remains."""
        path = tmp_path / ".env"
        path.write_text("FOO=1\n", encoding="utf-8")
        real = os.fsync

        def full(handle: int) -> None:
            if path.parent.joinpath(CA_NAME).exists() and any(tmp_path.glob("..env.*")):
                raise OSError(28, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", full)
        done = deliver("dotenv", "--file", str(path))

        assert done.status == 1
        assert f"cannot write {path}: No space left on device" in done.errors
        assert f"written: {tmp_path / CA_NAME}\n  not written: {path}\n" in done.errors
        assert path.read_text() == "FOO=1\n"
        assert sorted(one.name for one in tmp_path.iterdir()) == [".env", "bin", CA_NAME]

    def test_aws_has_no_endpoint(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """On AWS the SDKs find the endpoint, and a variable would mislead them."""
        on_aws = stack.deployment.model_copy(
            update={"endpoint": None, "provisioning_endpoint": None, "ca_pem": None, "cloud": "aws"}
        )
        (one,) = handovers(on_aws, stack.credentials, ["worker"], "host")

        named = {name for name in one.keys() | one.settings("/ca.pem") if not name.startswith("S3_BUCKET")}
        assert named == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"}
        assert deliver("dotenv", "--file", str(tmp_path / "none" / ".env")).status == 2

    @pytest.mark.parametrize("value", ["plain", "a/b+c==", "a b", "a$b", 'a"b', "a#b", "a\\b", "ä"])
    def test_quoting(self, value: str, tmp_path: Path) -> None:
        """A shell and our own parser read every value unchanged."""
        line = quoted("AWS_REGION", value)
        (tmp_path / "env").write_text(line + "\n", encoding="utf-8")

        assert sourced(tmp_path / "env")["AWS_REGION"] == value
        assert read_variables(line) == {"AWS_REGION": value}

    @pytest.mark.parametrize("value", ["a'b", "a\nb", "", "a\\\\b", "a\\", "${HOME}"])
    def test_unquotable(self, value: str) -> None:
        """A value that no quoting preserves for all readers is refused without being shown."""
        with pytest.raises(CannotDeliverError, match=r"the value of AWS_REGION .* cannot be written"):
            quoted("AWS_REGION", value)


#: Foreign text that a delivery must keep byte for byte: a name, and the text.
FOREIGN = {
    "a value of several lines": 'NOTE="first\nAWS_REGION=inside\nlast"\n',
    "a value of several lines in single quotes": "NOTE='first\nS3_ENDPOINT=inside\n'\n",
    "two assignments in a line": 'export AWS_REGION="x" OTHER=y\n',
    "two assignments without quotes": "export AWS_REGION=x OTHER=y\n",
    "two assignments, ours the second": "OTHER=y AWS_REGION=x\n",
    "two assignments after ours": 'AWS_REGION=z\nexport AWS_REGION="x" OTHER=y\n',
    "CRLF": "FOO=1\r\nBAR='2'\r\n",
    "no last line end": "FOO=1",
    "blank lines and comments": "\n\n  # AWS_REGION=not\n\n\tFOO=1 # why\n",
    "a byte order mark": "\ufeffFOO=1\n",
    "a command": "FOO=$(printf '%s' 1)\nif true; then BAR=1; fi\n",
    "a bucket variable of another program": "S3_BUCKET_NAME=theirs\n",
}


class TestForeignText:
    """A file that other programs write to, too."""

    @pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
    def test_is_kept(self, stack: Stack, deliver: Deliver, tmp_path: Path, text: str) -> None:
        """Everything but our own assignments stays byte for byte, twice; a shell and python-dotenv read ours."""
        path = tmp_path / ".env"
        path.write_bytes(text.encode())
        kept = text.removeprefix("\ufeff").replace("AWS_REGION=z\n", f"AWS_REGION={stack.deployment.region}\n")

        first, second = (deliver("dotenv", "--file", str(path)) for _ in range(2))

        written = path.read_bytes().decode()
        assert (first.status, second.status) == (0, 0), first.errors
        assert written.startswith(kept)
        assert set(second.changes().values()) == {"unchanged"}
        assert dotenv_values(path)["AWS_REGION"] == stack.deployment.region
        assert sourced(path)["AWS_REGION"] == stack.deployment.region
        assert path.stat().st_mode & 0o777 == 0o600

    def test_our_lines_keep_their_place_and_their_export(self, deliver: Deliver, tmp_path: Path) -> None:
        """A line below may use ours, and a program may need `export`."""
        path = tmp_path / ".env"
        path.write_text("\n  export AWS_REGION=old\nURL=$S3_ENDPOINT/x\n", encoding="utf-8")

        deliver("dotenv", "--file", str(path))

        assert path.read_text().startswith("\n  export AWS_REGION=us-west-2\nURL=$S3_ENDPOINT/x\n")

    def test_what_another_key_left(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """A session token and a bucket that is no longer granted are taken out; a foreign bucket variable stays."""
        path = tmp_path / ".env"
        path.write_text("AWS_SESSION_TOKEN=old\nS3_BUCKET_NAME=theirs\n", encoding="utf-8")
        deliver("dotenv", "--file", str(path))
        deployment = json.loads(stack.deployment.model_dump_json())
        for identity in deployment["plan"]["identities"]:
            identity["grants"] = [one for one in identity["grants"] if one["domain"] != "replay"]
        stack.publish(deployment=deployment)

        done, names = deliver("dotenv", "--file", str(path)), sourced(path)

        assert "changed    S3_BUCKET_REPLAY (removed)" in done.output
        assert {"S3_BUCKET_NAME", "S3_BUCKET_SCRATCH"} <= set(names)
        assert not {"AWS_SESSION_TOKEN", "S3_BUCKET_REPLAY"} & set(names)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("FOO='open\nBAR=1\n", "look for a quote that nothing closes"),
            ('FOO="open\n', "look for a quote that nothing closes"),
            ("A=1\nAWS_SESSION_TOKEN=planted B=2\n", "line 2, sets AWS_SESSION_TOKEN beside another variable"),
        ],
    )
    def test_cannot_be_kept(self, deliver: Deliver, tmp_path: Path, text: str, said: str) -> None:
        """Where no line of ours can be read, or an old one not be taken out, nothing is written and a line is named."""
        path = tmp_path / ".env"
        path.write_text(text, encoding="utf-8")

        done = deliver("dotenv", "--file", str(path))

        assert (done.status, path.read_text()) == (2, text)
        assert said in done.errors
        assert "planted" not in done.errors


class TestEveryService:
    """A sourced file leads nowhere but to the store."""

    @pytest.mark.parametrize("service", ["s3", "sts", "iam", "sqs"])
    def test_botocore(
        self, stack: Stack, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
    ) -> None:
        """Whatever the shell had before, each service of the SDK gets the store's endpoint."""
        deliver("dotenv", "--file", str(tmp_path / ".env"))
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.net")
        for name, value in sourced(tmp_path / ".env").items():
            monkeypatch.setenv(name, value)

        with closing(boto3.session.Session().client(service)) as client:  # type: ignore[call-overload]  # a name at run time
            assert client.meta.endpoint_url == stack.deployment.provisioning_endpoint
            assert client.meta.region_name == stack.deployment.region

    def test_plain_http(self, stack: Stack) -> None:
        """The Rust clients are told that an endpoint without TLS is meant."""
        plain = stack.deployment.model_copy(update={"provisioning_endpoint": "http://127.0.0.1:1", "ca_pem": None})
        (one,) = handovers(plain, stack.credentials, ["worker"], "host")

        assert one.settings(None)["AWS_ALLOW_HTTP"] == "true"


class TestPaths:
    """Paths that must not get a secret."""

    def test_git_would_take_it_up(self, tmp_path: Path) -> None:
        """Tracked and unignored paths are refused with the line to paste; ignored ones are legal, links never are."""
        work = tmp_path / "work"
        (work / "sub").mkdir(parents=True)
        repository(work)
        path = work / "sub" / ".env"

        with pytest.raises(CannotDeliverError, match=rf"write this line to {work / '.gitignore'}: /sub/\.env"):
            private_file.check_path(path)
        (work / ".gitignore").write_text("/sub/.env\n", encoding="utf-8")
        private_file.check_path(path)
        path.touch()
        git("-C", str(work), "add", "--force", str(path))
        with pytest.raises(CannotDeliverError, match=r"git tracks .*rm --cached \.env"):
            private_file.check_path(path)

    def test_environment_of_another_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a hook `GIT_DIR` names another repository; the path's own one is queried."""
        repository(tmp_path / "other")
        repository(tmp_path / "work")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))

        with pytest.raises(CannotDeliverError, match="not ignored"):
            private_file.check_path(tmp_path / "work" / ".env")

    def test_git_cannot_be_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without an answer of git the path is refused."""
        repository(tmp_path / "work")
        shutil.rmtree(tmp_path / "work" / ".git" / "refs")
        with pytest.raises(CannotDeliverError, match="does not say whether it would add the file"):
            private_file.check_path(tmp_path / "work" / ".env")
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(CannotDeliverError, match="cannot be queried: `git` is not on PATH"):
            private_file.check_path(tmp_path / "work" / ".env")

    def test_link_folder_and_absence(self, tmp_path: Path) -> None:
        """A link, a folder and a path without a folder are refused."""
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        for name, said in [("link", "symbolic link"), (".", "not a regular file"), ("a/b", "mkdir -p -m 700")]:
            with pytest.raises(CannotDeliverError, match=said):
                private_file.check_path(tmp_path / name)


class TestPulumiEsc:
    """An environment's definition."""

    def test_file(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """Keys are secrets, the CA is a file, the load command is in the header; an unchanged file is not written."""
        path = tmp_path / "esc.yaml"
        first, second = deliver("pulumi-esc", "--file", str(path)), deliver("pulumi-esc", "--file", str(path))
        values = yaml.safe_load(path.read_text())["values"]

        assert (first.status, second.status) == (0, 0)
        assert set(second.changes().values()) == {"unchanged"}
        assert values["environmentVariables"]["AWS_SECRET_ACCESS_KEY"] == {"fn::secret": stack.secret("worker")}
        assert values["environmentVariables"]["S3_ENDPOINT"] == stack.deployment.provisioning_endpoint
        assert values["files"] == dict.fromkeys(("S3_CA_BUNDLE", "AWS_CA_BUNDLE"), stack.deployment.ca_pem)
        assert path.stat().st_mode & 0o777 == 0o600
        assert "esc env init ORG/PROJECT/NAME --file" in path.read_text()

    def test_changed_and_mode(self, deliver: Deliver, tmp_path: Path) -> None:
        """Changed names are listed, and names that are no longer wanted are listed as removed."""
        path = tmp_path / "esc.yaml"
        deliver("pulumi-esc", "--file", str(path))
        path.write_text(path.read_text().replace("AWS_REGION: ", "GONE: x\n    AWS_REGION: x"), encoding="utf-8")
        path.chmod(0o644)

        done = deliver("pulumi-esc", "--file", str(path))

        assert done.changes()["AWS_REGION"] == "changed"
        assert "changed    GONE (removed)" in done.output
        assert "(to mode 0600)" in done.output

    def test_foreign_file(self, deliver: Deliver, tmp_path: Path) -> None:
        """A file that no delivery wrote stays."""
        path = tmp_path / "esc.yaml"
        for text in ("imports: [mine]\n", "at: 2026-99-99\n", f"imports: {'[' * 3000}\n"):
            path.write_text(text, encoding="utf-8")
            done = deliver("pulumi-esc", "--file", str(path))

            assert done.status == 2
            assert "name another file" in done.errors
            assert path.read_text() == text

    def test_pipe_and_terminal(self, stack: Stack, deliver: Deliver) -> None:
        """A pipe gets the whole output; a terminal gets nothing."""
        done = deliver("pulumi-esc", payload=True)

        content = yaml.safe_load(done.output)["values"]["environmentVariables"]
        assert content["AWS_SECRET_ACCESS_KEY"] == {"fn::secret": stack.secret("worker")}
        assert "works      worker" in done.errors
        with pytest.raises(CannotDeliverError, match="never shown there"):
            PulumiEsc(None, Pipe(Terminal())).check()
        assert deliver("pulumi-esc", identity=None).status == 2


class TestJson:
    """All identities, for a program."""

    def test_all_identities(self, stack: Stack, deliver: Deliver) -> None:
        """Standard output is only the JSON; the report goes to standard error."""
        done = deliver("json", identity=None, payload=True)

        content = json.loads(done.output)
        assert done.status == 0
        assert list(content) == ["worker", "reader", "verifier", "auditor"]
        assert content["worker"]["AWS_SECRET_ACCESS_KEY"] == stack.secret("worker")
        assert content["worker"]["S3_CA_BUNDLE"] == stack.deployment.ca_pem
        assert "AWS_CA_BUNDLE" not in content["worker"]
        assert set(content["verifier"]["buckets"]) == {one.domain for one in stack.deployment.plan.buckets}
        assert done.errors.count("works") == 4

    def test_never_to_a_terminal(self, stack: Stack) -> None:
        """The check runs before the stack is read, and again before the write."""
        screen = Terminal()
        target = AsJson(screen)

        with pytest.raises(CannotDeliverError, match="never shown there"):
            target.check()
        with pytest.raises(CannotDeliverError, match="never shown there"):
            target.deliver(handovers(stack.deployment, stack.credentials, ["worker"], "host"))
        assert screen.getvalue() == ""

    def test_reader_that_has_gone(self, stack: Stack) -> None:
        """A broken pipe is a failed delivery."""

        class Gone(io.StringIO):
            def write(self, text: str) -> int:  # noqa: ARG002 - as a stream's
                raise BrokenPipeError(32, "Broken pipe")

        with pytest.raises(UnfinishedDeliveryError, match="cannot write to standard output: Broken pipe"):
            AsJson(Gone()).deliver(handovers(stack.deployment, stack.credentials, ["worker"], "host"))
