"""What a schedule names runs in an environment as bare as that of launchd and of a pod: nothing of a shell is there."""

import fcntl
import json
import os
import plistlib
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import main
from tests.sizes import sized
from tests.workloads.conftest import KEY, SECRET, old
from workloads.archive.state import BusyError, State
from workloads.settings import SOURCES

IMAGE = f"ghcr.io/joelhooks/object-store@sha256:{'0' * 64}"
#: What a container's runtime sets where the image sets nothing else.
RUNTIME_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(name="home")
def _home(world: Any, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ANN401 - the fixture's own class
    """A home folder with a transcript and a vault whose names are not ASCII."""
    monkeypatch.setenv("HOME", str(world.home))
    vault = world.home / "Vault"
    vault.mkdir()
    for path in (world.home / "s/größe.jsonl", vault / "日記.md"):
        path.write_text("ü\n", encoding="utf-8")
        old(path)
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(vault), *words], check=True)  # noqa: S603, S607 - git, in our own folder
    world.variables = {
        "S3_BUCKETS": json.dumps({"session-archive": world.bucket, "vault-backups": world.bucket}),
    }
    world.more = {"vault": {"path": str(vault)}}
    found: Path = world.home
    return found


def ran(words: list[str], environ: dict[str, str], folder: Path) -> str:
    """What a command says that ends well, in exactly an environment."""
    done = subprocess.run(words, env=environ, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def test_launchd(world: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Each plist's command, with what the plist gives and nothing else, ends with 0; the history of git is there."""
    assert main(["schedule", "--for", "launchd", "--config", str(world.write())]) == 0
    found = re.findall(r"<\?xml.*?</plist>\n", capsys.readouterr().out, re.DOTALL)

    said = [
        ran(plist["ProgramArguments"], plist["EnvironmentVariables"], Path(plist["WorkingDirectory"]))
        for plist in (plistlib.loads(one.encode()) for one in found)
    ]

    assert "complete: receipt" in said[0]
    assert str(home) == plistlib.loads(found[0].encode())["EnvironmentVariables"]["HOME"]
    assert world.keys(".git.bundle")


def test_pod(world: Any, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Each CronJob's command, with the container's variables and the mounted folders, ends with 0."""
    world.more["sessions"] = {"sources": {**dict.fromkeys(SOURCES), "s": str(home / "s")}}
    claims = ("--claim", f"{home}=files", "--claim", f"{world.folder}=state")
    config = str(world.write())
    assert main(["schedule", "--for", "kubernetes", "--config", config, "--image", IMAGE, *claims]) == 0
    plain, *jobs = yaml.safe_load_all(capsys.readouterr().out)
    mounted = tmp_path / "mounted"
    for name, values in {"config": plain["data"], "store": delivered(world)}.items():
        (mounted / name).mkdir(parents=True)
        for key, value in values.items():
            (mounted / name / key).write_text(value)
    folders = {"/etc/object-store/": f"{mounted}/config/", "/etc/objectstore": f"{mounted}/store"}
    program = Path(sys.executable).with_name("object-store")

    for one in jobs[:: sized(2, 1)]:  # the plists run each command for a change, too
        (container,) = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        first, *words = (elsewhere(word, folders) for word in container["command"])
        environ = {each["name"]: elsewhere(each["value"], folders) for each in container["env"]}
        assert first == program.name
        ran([str(program), *words], {"PATH": RUNTIME_PATH, **environ}, Path("/"))

    assert world.keys(".git.bundle")


def test_waits_for_another_run(tmp_path: Path) -> None:
    """After a sleep all that was missed starts at once: each has its turn. Without an option a run ends at once."""
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(BusyError), State(tmp_path):
        pass
    ends = threading.Timer(0.2, os.close, [other])
    ends.start()

    with State(tmp_path, 600) as state:
        assert state.commits("box") == set()
    ends.join()


def delivered(world: Any) -> dict[str, str]:  # noqa: ANN401 - the fixture's own class
    """What the mounted Secret and ConfigMap hold."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "S3_ENDPOINT": world.endpoint,
        "S3_BUCKETS": world.variables["S3_BUCKETS"],
    }


def elsewhere(word: str, folders: dict[str, str]) -> str:
    """A word with the folders of the pod where they are here."""
    for there, here in folders.items():
        word = word.replace(there, here)
    return word
