"""Archives that are encrypted: who restores, who does not, and what the store and the receipts show."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pyrage
import pytest

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of, write_tree
from tests.workloads.conftest import old
from trials.killed_archive import run_until
from workloads.archive.zstd import ZstdDecompressor
from workloads.context import Options
from workloads.sessions import coverage, prune
from workloads.sessions.archive import ArchiveOptions
from workloads.sessions.archive import run as archive
from workloads.sessions.prune import PruneOptions
from workloads.sessions.restoring import RestoreOptions, run_cat, run_restore


def identity(world: Any, name: str) -> tuple[str, Path]:  # noqa: ANN401 - the fixture's own class
    """A new key: the public half, and the file of the secret one."""
    made = pyrage.x25519.Identity.generate()
    path = world.home / f"{name}.txt"
    path.touch(0o600)
    path.write_text(f"# created: today\n# public key: {made.to_public()}\n{made}\n")
    return str(made.to_public()), path


@pytest.fixture(name="key")
def _key(world: Any) -> Path:  # noqa: ANN401 - the fixture's own class
    """The machine encrypts to one key, whose secret half is in this file and not in the configuration."""
    public, path = identity(world, "key")
    world.more = {"encryption": {"recipients": [public]}}
    return path


def fill(world: Any, large_bytes: int = 40_000) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """A file of each kind."""
    folder = world.home / "s"
    (folder / "large.bin").write_bytes(os.urandom(large_bytes))
    (folder / "grows.jsonl").write_bytes(b'{"n":1}\n' * 2000)
    (folder / "empty.jsonl").touch()
    (folder / "project-of-nobody").mkdir()
    (folder / "link").symlink_to("grows.jsonl")
    for path in folder.glob("*.*"):
        old(path)
    return truth_of(folder)


def restored(world: Any, *keys: Path, **more: Any) -> dict[bytes, Any] | int:  # noqa: ANN401 - the fixture's own class
    """What a restore gives, or its exit status; after a failure there is no folder."""
    to = world.folder / f"back-{time.time_ns()}"
    status = run_restore(RestoreOptions(config=world.write(), quiet=True, to=to, identities=keys, **more))
    if status == ExitCode.DONE:
        return truth_of(to / "s")
    assert not [path for path in world.folder.iterdir() if to.name in path.name] or status == ExitCode.WRONG
    return int(status)


def bodies(world: Any) -> bytes:  # noqa: ANN401 - the fixture's own class
    """Everything that the bucket holds: keys, metadata and bodies."""
    found = b""
    for one in world.client.list_objects_v2(Bucket=world.bucket).get("Contents", []):
        got = world.client.get_object(Bucket=world.bucket, Key=one["Key"])
        found += one["Key"].encode() + json.dumps(got["Metadata"]).encode() + got["Body"].read()
    return found


def new_machine(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """The machine has lost what it knew."""
    shutil.rmtree(world.folder / "state")
    shutil.rmtree(world.folder / "receipts")


def last(world: Any) -> Any:  # noqa: ANN401 - the fixture's own class
    """The one source of the last receipt."""
    return world.receipts()[-1]["sources"][0]


class TestRestore:
    """Who has the key gets everything back; who has not gets nothing."""

    def test_everything_comes_back(self, world: Any, key: Path) -> None:  # noqa: ANN401 - the fixture's own class
        """Byte for byte, on this machine and on a new one; the store shows neither names nor content."""
        truth = fill(world, large_bytes=2_500_000)  # more than what is decrypted in memory
        assert world.archive() == ExitCode.DONE

        assert restored(world, key) == truth
        new_machine(world)
        assert restored(world, key) == truth
        shown = bodies(world)
        for name in (b"grows", b"large", b"project-of-nobody", b'{"n":1}', str(world.home).encode()):
            assert name not in shown
        assert world.keys() == sorted(world.keys(".pack.age") + world.keys(".ndjson.zst.age") + world.keys(".json"))

    def test_odd_names_and_links(self, world: Any, key: Path) -> None:  # noqa: ANN401 - the fixture's own class
        """Likewise for names that are no UTF-8, hard links and all else that a tree may hold."""
        write_tree(world.home, files=8, seed=3, now=time.time(), median_bytes=2000)
        world.sources = {"s": str(world.home / ".claude/projects")}
        assert world.archive() == ExitCode.DONE

        found = restored(world, key)
        assert isinstance(found, dict)
        plain = {path: (one.kind, one.mode, one.content) for path, one in found.items()}
        wanted = truth_of(world.home / ".claude/projects").items()
        assert plain == {path: (one.kind, one.mode, one.content) for path, one in wanted}

    def test_new_end_is_stored_without_the_secret_key(self, world: Any, key: Path, capfdbinary: Any) -> None:  # noqa: ANN401 - fixtures
        """The proof of the beginning needs no key; `cat` reads both parts by their ranges."""
        fill(world)
        world.archive()
        path = world.home / "s/grows.jsonl"
        path.write_bytes(path.read_bytes() + b'{"n":2}\n')
        old(path, 2)

        assert world.archive() == ExitCode.DONE

        assert (last(world)["counts"]["tails"], last(world)["counts"]["whole"]) == (1, 0)
        assert restored(world, key) == truth_of(world.home / "s")
        capfdbinary.readouterr()
        assert run_cat(RestoreOptions(config=world.write(), names=["grows"], identities=[key])) == ExitCode.DONE
        assert capfdbinary.readouterr().out == path.read_bytes()

    def test_nobody_else_restores(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """With another key, without one and with a lost file: exit status 2, what to write, and no folder."""
        fill(world)
        world.archive()
        public, other = identity(world, "other")
        for state_is_lost in (False, True):
            if state_is_lost:
                new_machine(world)
            capsys.readouterr()
            assert restored(world, other) == ExitCode.CANNOT
            said = capsys.readouterr().err
            assert f"{other} has {public}" in said
            assert f"is encrypted to {world.more['encryption']['recipients'][0]}" in said
            assert "AGE-SECRET" not in said
            assert restored(world) == ExitCode.CANNOT
            assert "no identity is given\n  write: --identity FILE" in capsys.readouterr().err
            assert restored(world, world.home / "lost.txt") == ExitCode.CANNOT
            assert "lost.txt: No such file or directory" in capsys.readouterr().err
        assert key.exists()

    def test_either_recipient_restores(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Each key alone is enough, and one of several files that fits."""
        keys = [identity(world, name) for name in ("a", "b")]
        third = identity(world, "third")[1]
        world.more = {"encryption": {"recipients": [public for public, _ in keys]}}
        truth = fill(world)
        world.archive()

        for _, path in keys:
            assert restored(world, third, path) == truth

    def test_one_entry_by_stock_tools(self, world: Any, key: Path) -> None:  # noqa: ANN401 - the fixture's own class
        """The manifest is an age file of zstd, and each range in it an age file of zstd of one tar entry."""
        fill(world)
        world.archive()

        def piped(body: bytes) -> bytes:
            if shutil.which("age") and shutil.which("zstd"):
                line = ["sh", "-c", 'age -d -i "$0" | zstd -dc', str(key)]
                return subprocess.run(line, input=body, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - the documented line
            secret = pyrage.x25519.Identity.from_str(key.read_text().split()[-1])
            return ZstdDecompressor().decompress(pyrage.decrypt(body, [secret]))

        (manifest,), (pack,) = world.keys(".manifest.ndjson.zst.age"), world.keys(".pack.age")

        def got(key: str, **more: str) -> bytes:
            return bytes(world.client.get_object(Bucket=world.bucket, Key=key, **more)["Body"].read())

        lines = [json.loads(line) for line in piped(got(manifest)).splitlines()[1:]]
        (part,) = next(one for one in lines if one["path"] == "grows.jsonl")["segments"]
        assert part[0] == pack
        entry = piped(got(pack, Range=f"bytes={part[1]}-{part[1] + part[2] - 1}"))
        with tarfile.open(fileobj=io.BytesIO(entry)) as tar:
            file = tar.extractfile("s/grows.jsonl")
            assert file is not None
            assert file.read() == (world.home / "s/grows.jsonl").read_bytes()


class TestChanges:
    """Encryption is switched on, its keys change, and a machine loses what it knew."""

    def test_switched_on(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """What is still here is stored again, encrypted; what was stored in clear stays readable."""
        truth = fill(world)
        world.archive()
        public, key = identity(world, "key")
        world.more = {"encryption": {"recipients": [public]}}

        assert world.archive() == ExitCode.DONE

        assert last(world)["counts"]["renewed"] == 3
        assert restored(world) == ExitCode.CANNOT
        assert restored(world, key) == truth
        assert world.archive() == ExitCode.DONE
        assert last(world)["commit"] == ""

    def test_lost_configuration_never_goes_on_in_clear(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """Without recipients the run is refused, also on a new machine, until the configuration says `none`."""
        fill(world)
        world.archive()
        (public,) = world.more["encryption"]["recipients"]
        held, world.more = world.keys(), {}
        (world.home / "s/new.jsonl").write_bytes(b"{}\n")
        for state_is_lost in (False, True):
            if state_is_lost:
                new_machine(world)
            assert world.archive() == ExitCode.CANNOT
            assert f"write: encryption: {{recipients: [{public}]}}" in capsys.readouterr().err
            assert world.keys() == held

        world.more = {"encryption": "none"}
        assert world.archive() == ExitCode.DONE
        assert restored(world, key) == truth_of(world.home / "s")

    def test_key_is_replaced_and_the_old_one_is_lost(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """What is here is stored again for the new key at once, and comes back by it alone."""
        fill(world)
        (world.home / "s/deleted.jsonl").write_bytes(b"{}\n")
        world.archive()
        (world.home / "s/deleted.jsonl").unlink()
        public, new = identity(world, "new")
        world.more = {"encryption": {"recipients": [public]}}

        assert world.archive() == ExitCode.DONE

        truth = truth_of(world.home / "s")
        key.unlink()
        assert restored(world, new) == ExitCode.CANNOT
        new_machine(world)
        assert restored(world, new) == ExitCode.CANNOT
        to = world.folder / "back"
        options = RestoreOptions(config=world.write(), to=to, identities=[new], without_closed=True, quiet=True)
        capsys.readouterr()
        assert run_restore(options) == ExitCode.WRONG
        assert "left out, because no identity opens them: 1 commits" in capsys.readouterr().err
        assert truth_of(to / "s") == truth

    def test_fewer_recipients_store_nothing_again(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Whoever could read it can read it still: nothing is won by storing it again."""
        keys = [identity(world, name)[0] for name in ("a", "b")]
        world.more = {"encryption": {"recipients": keys}}
        fill(world)
        world.archive()
        world.more = {"encryption": {"recipients": keys[:1]}}

        assert world.archive() == ExitCode.DONE
        assert last(world)["commit"] == ""

    @pytest.mark.parametrize("has_key", [False, True])
    def test_machine_that_lost_its_state(self, world: Any, key: Path, capsys: Any, *, has_key: bool) -> None:  # noqa: ANN401 - fixtures
        """With the key nothing is stored again; without it everything is, and coverage says what it does not know."""
        truth = fill(world)
        world.archive()
        new_machine(world)
        keys = [key] if has_key else []

        assert archive(ArchiveOptions(config=world.write(), quiet=True, identities=keys)) == ExitCode.DONE

        assert last(world)["counts"]["whole"] == (0 if has_key else 3)
        (world.home / "s/new.jsonl").write_bytes(b"{}\n")
        capsys.readouterr()
        options = Options(config=world.write(), quiet=True, as_json=True, identities=keys)
        assert coverage.run(options) == ExitCode.DONE
        report = json.loads(capsys.readouterr().out)
        assert [one["path"] for one in report["uncovered"]] == ["new.jsonl"]
        assert report["closed_commits"] == (0 if has_key else 1)
        (world.home / "s/new.jsonl").unlink()
        assert restored(world, key) | {b"new.jsonl": 0} == truth | {b"new.jsonl": 0}  # type: ignore[operator] # a dict

    @pytest.mark.parametrize("point", ["pack remembered", "manifest stored", "committed"])
    def test_killed_and_run_again(self, world: Any, key: Path, point: str) -> None:  # noqa: ANN401 - the fixture's own class
        """One commit, nothing stored twice that was read back, although the machine cannot read its own commit."""
        truth = fill(world)
        assert run_until(world.write(), point, 1, 30_000) == -9
        packs = world.keys(".pack.age")

        assert world.archive() == ExitCode.DONE

        assert restored(world, key) == truth
        assert len(world.keys(".commit.json")) == 1
        assert set(packs) <= set(world.keys(".pack.age"))
        assert len(world.keys(".pack.age")) == len(packs) or point == "pack remembered"

    def test_recipients_change_after_a_kill(self, world: Any, key: Path) -> None:  # noqa: ANN401 - the fixture's own class
        """The unfinished run's packs are for the old key, so they do not count."""
        truth = fill(world)
        assert run_until(world.write(), "all packs stored", 1, 30_000) == -9
        public, new = identity(world, "new")
        world.more = {"encryption": {"recipients": [public]}}

        assert world.archive() == ExitCode.DONE

        assert restored(world, new) == truth
        assert restored(world, key) == ExitCode.CANNOT


class TestKeys:
    """What may be wrong with the keys: nothing is stored, nothing is restored, and no secret is shown."""

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "names no recipient"),
            ("# only\r\n# comments\r\n", "names no recipient"),
            ("SECRET\n", "line 1: is a secret key, which belongs in an identity file"),
            ("age1qqqq\n", "line 1: is not a public key of age"),
            ("# one\nssh-ed25519 AAAA\n", "line 2: is not a public key of age"),
        ],
    )
    @pytest.mark.parametrize("is_file", [True, False])
    def test_recipients(self, world: Any, key: Path, capsys: Any, content: str, said: str, *, is_file: bool) -> None:  # noqa: ANN401 - fixtures
        """The message names the file and the line, or the key of the configuration."""
        fill(world)
        content = content.replace("SECRET", key.read_text().split()[-1])
        if is_file:
            path = world.home / "recipients.txt"
            path.write_text(content)
            world.more = {"encryption": {"recipients_file": str(path)}}
        else:
            lines = [line for line in content.splitlines() if not line.startswith("#")]
            world.more = {"encryption": {"recipients": lines}}
            said = said.partition(": ")[2] or said

        assert world.archive() == ExitCode.CANNOT

        err = capsys.readouterr().err
        assert said in err
        assert key.read_text().split()[-1] not in err
        assert world.keys() == []

    def test_secret_key_in_the_wrong_place(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """A mistake of form does not show it either."""
        secret = key.read_text().split()[-1]
        for wrong in (
            {"recipients": secret},
            {"recipients": [[secret]]},
            {"identity": [secret]},
            {"identity": secret},
            {"recipients_file": secret},
            secret,
        ):
            world.more = {"encryption": wrong}
            assert world.archive() == ExitCode.CANNOT
            err = capsys.readouterr().err
            assert "encryption" in err
            assert secret not in err
        world.more = {}
        assert restored(world, Path(secret)) == ExitCode.CANNOT
        err = capsys.readouterr().err
        assert "--identity: is a secret key" in err
        assert secret not in err

    def test_file_with_crlf_mark_and_two_recipients(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Both are read, and each restores."""
        (one, first), (two, second) = (identity(world, name) for name in ("a", "b"))
        path = world.home / "recipients.txt"
        path.write_bytes(f"\ufeff# ours\r\n{one}\r\n\r\n  {two}\r\n".encode())
        world.more = {"encryption": {"recipients_file": str(path)}}
        truth = fill(world)

        assert world.archive() == ExitCode.DONE

        assert [restored(world, one) for one in (first, second)] == [truth, truth]

    @pytest.mark.parametrize(
        ("content", "mode", "said"),
        [
            ("KEY", 0o644, "can be read by others\n  legal: a file of mode 600\n  write: chmod 600"),
            ("# nothing\n", 0o600, "holds no secret key"),
            ("age-encryption.org/v1\n-> scrypt x\n", 0o600, "line 1: is not a secret key of age"),
            ("KEYBROKEN", 0o600, "line 1: is not a secret key of age"),
        ],
    )
    def test_identity_file(self, world: Any, key: Path, capsys: Any, content: str, mode: int, said: str) -> None:  # noqa: ANN401 - fixtures
        """The message names it and what to write."""
        fill(world)
        world.archive()
        secret = key.read_text().split()[-1]
        key.write_text(content.replace("KEY", secret))
        key.chmod(mode)

        assert restored(world, key) == ExitCode.CANNOT

        err = capsys.readouterr().err
        assert said in err
        assert secret not in err

    def test_configured_identity_that_opens_nothing(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """The run is refused before anything is sent: the way back would be missing."""
        fill(world)
        world.more["encryption"]["identity"] = str(identity(world, "other")[1])

        assert world.archive() == ExitCode.CANNOT

        assert "what this run stores is encrypted to" in capsys.readouterr().err
        assert world.keys() == []
        world.more["encryption"]["identity"] = str(key)
        assert world.archive() == ExitCode.DONE
        assert restored(world) == truth_of(world.home / "s")


class TestPrune:
    """Only what was opened is proven."""

    def test_prune(self, world: Any, key: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
        """Without a key, or with another, nothing goes; with the right one the file goes and comes back."""
        path = world.home / "s/a.jsonl"
        path.write_bytes(b"{}\n")
        old(path, 8)
        truth = truth_of(world.home / "s")
        world.archive()
        rule = {"after_days": 7, "sources": ["s"]}

        config = world.write(prune=rule)
        assert prune.run(PruneOptions(config=config, quiet=True)) == ExitCode.CANNOT
        assert "--identity: is missing, so it is not proven" in capsys.readouterr().err
        other = identity(world, "other")[1]
        assert prune.run(PruneOptions(config=config, quiet=True, identities=[other])) == ExitCode.WRONG
        assert "it does not come back" in world.receipts()[-1]["kept"][0]
        assert path.exists()
        assert prune.run(PruneOptions(config=config, quiet=True, identities=[key])) == ExitCode.DONE
        assert not path.exists()
        assert restored(world, key) == truth


def test_planted_secrets_are_nowhere(
    world: Any,  # noqa: ANN401 - the fixture's own class
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a transcript, a path and the environment: none is in the store, and those that can be told in no message."""
    monkeypatch.setenv("SOME_API_TOKEN", "planted-in-the-environment")
    folder = world.home / "s"
    (folder / "a.jsonl").write_bytes(b'{"key":"planted-in-a-transcript"}\n' * 300)
    (folder / "planted-in-a-path.jsonl").write_bytes(b"{}\n" * 3000)
    os.mkfifo(folder / "planted-in-a-pipe")
    named = folder / "ghp_0123456789abcdefghijABCDEFGHIJ012345.jsonl"
    named.write_bytes(b"{}\n" * 3000)
    of_environment = folder / "planted-in-the-environment.jsonl"
    of_environment.write_bytes(b"{}\n" * 3000)
    for path in folder.glob("*.jsonl"):
        old(path)
    assert archive(ArchiveOptions(config=world.write())) == ExitCode.DONE
    for path in (named, of_environment, folder / "planted-in-a-path.jsonl"):
        path.write_bytes(b"{}\n")
    archive(ArchiveOptions(config=world.write()))
    coverage.run(Options(config=world.write()))
    run_restore(RestoreOptions(config=world.write(), show=True))
    restored(world)

    stored, said = bodies(world), "".join(capfd.readouterr())
    receipts = json.dumps(world.receipts())
    assert last(world)["hollow"]
    for planted in ("planted-in-a-transcript", "planted-in-the-environment", "ghp_0123", key.read_text().split()[-1]):
        assert planted not in said
        assert planted not in receipts
    assert b"planted-in" not in stored
    assert b"ghp_0123" not in stored
