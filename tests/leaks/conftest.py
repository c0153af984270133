"""One sandbox for all lines of `commands.py`: a copy of the checkout, planted secrets, watched folders.

The rule: HOME, TMPDIR and the checkout are folders of the test, so the test sees every file that a command leaves. Only
a short list of files may hold a secret, and only the owner can read such a file.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from sandbox.engine.finder import existing_engine
from sandbox.environment import stack_environment
from sandbox.folder import write_private
from sandbox.server.process import RunningServer, admin_credentials, running_server
from tests.leaks.commands import COMMANDS, HANDED_OUT, ROOT_PASSWORD, Command
from tests.leaks.planted import Planted, shown
from tests.leaks.watch import SITE, Left, Sampler, files_since, run
from trials.checkout import ROOT, SHELL, Checkout, copy_checkout

# Files that may hold a secret, and the reason; only the owner can read each of them.
STORES = {
    ".sandbox/*/server/*": "what the sandbox's server knows: its administrator and the keys that it gave out",
    ".sandbox/*/passphrase": "what the state is encrypted by",
    ".sandbox/aws/aws-credentials": "the shared credentials file that the SDKs read",
    "published/*": "the harness's own: what a person hands to --credentials",
}
LOGS = ("*.log", "*.log.*")  # never stores of secrets, in any folder
ALL_LANES = ("local", "aws", "none")
DOMAINS = ("agent-loop-artifacts", "discovery-raw")  # a hot and a warm one; the documentation names both
PASSPHRASE = 'planted/Passphrase+"of" the=state 4f1d'  # noqa: S105 - planted, to be searched for
VARIABLES = {
    "AWS_SECRET_ACCESS_KEY": "planted/Aws+Secret=Key/0123456789abcdefgh",
    "AWS_SESSION_TOKEN": "planted//Session+Token==0123456789abcdefgh",
    "PULUMI_ACCESS_TOKEN": "pul-planted0123456789abcdefgh",
    "AISTOR_ROOT_PASSWORD": ROOT_PASSWORD,
    "OBJECTSTORE_WORKER_SECRET_ACCESS_KEY": "planted/Worker+Variable=0123456789abcdefgh",
}
LEASE = "planted/Lease+Output=0123456789abcdefgh"
FOREIGN_CONFIG = 'planted/Foreign+Config=0123456789 "quoted"'


@dataclass
class Ran:
    """The result of a line: the command, its traces, and each leak with its place."""

    command: Command
    left: Left
    leaks: set[str]


@dataclass
class Site:
    """The sandbox, its secrets and its folders."""

    checkout: Checkout
    home: Path
    notes: Path
    python: Path
    planted: list[Planted] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    servers: dict[str, RunningServer] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The watched folders."""
        return self.checkout.path, self.home

    def environment(self, lane: str) -> dict[str, str]:
        """The environment of a user who has every secret in the shell."""
        environ = {
            **SHELL,
            **VARIABLES,
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "XDG_CACHE_HOME": SHELL.get("XDG_CACHE_HOME") or str(Path(SHELL["HOME"]) / ".cache"),
            "PYTHONPATH": f"{self.checkout.path}{os.pathsep}{SITE}",
            "PYTHONFAULTHANDLER": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "COLUMNS": "80",
        }
        if lane == "none":
            return environ
        # From the server's own file, read while it ran: some lines run against a stopped server.
        folder = self.checkout.folder(lane)
        environ = stack_environment(folder, self.servers[lane], environ).applied_to(environ)
        environ |= {name: value for name, value in VARIABLES.items() if lane == "local" or not name.startswith("AWS_")}
        del environ["PULUMI_CONFIG_PASSPHRASE_FILE"]
        return environ | {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}

    def ran(self, command: Command) -> Ran:
        """Run a line and search all of its traces."""
        lane = command.lane
        environ = self.environment(lane)
        if "AWS_ACCESS_KEY_ID" in command.environ:
            environ |= {name: value for name, value in VARIABLES.items() if name.startswith("AWS_")}
        environ |= {name: self._filled(value) for name, value in command.environ.items()}
        if command.debug:
            environ["LEAKS_DEBUG"] = str(self.home / "debug")
        words = [self._filled(word) for word in command.words]
        if words[0] == "pulumi":
            full = [str(self.checkout.folder(lane).wrapper), *words[1:], "--non-interactive"]
        else:
            # A traceback of the interpreter's own, and a core file, are only the real one's.
            full = [sys.executable if command.kill else str(self.python), "-m", *words]
        left = run(
            full, cwd=self.checkout.path, environ=environ, notes=self.notes / lane, text=command.text, kill=command.kill
        )
        if command.makes_keys:
            self.plant_published(lane)
        return Ran(command, left, self.leaks(left, command.shows))

    def leaks(self, left: Left, shows: Sequence[str] = ()) -> set[str]:
        """Each secret that a command has shown, with the place."""
        private = [one for one in self.planted if not one.name.startswith(tuple(shows))] if shows else self.planted
        found = {f"standard output: {what}" for what in shown(left.output, private)}
        found |= {f"standard error: {what}" for what in shown(left.errors, self.planted)}
        found |= {f"arguments of a child: {what}" for what in shown(left.arguments, self.planted)}
        for path, content, mode in files_since(self.roots, left.began):
            found |= self.leaks_of_file(path, content, mode)
        return found

    def leaks_of_file(self, path: Path, content: bytes, mode: int) -> set[str]:
        """Each secret in a file that is not a store, or that other users can read."""
        name = str(path.relative_to(self.checkout.path if path.is_relative_to(self.checkout.path) else self.home))
        is_store = any(fnmatch(name, store) for store in STORES) and not any(fnmatch(name, log) for log in LOGS)
        if is_store and not mode & 0o077:
            return set()
        return {f"file {name} (mode {mode:04o}): {what}" for what in shown(content, self.planted)}

    def _filled(self, text: str) -> str:
        return text.format_map(self.facts)

    def plant_published(self, stack: str) -> None:
        """Search from now on for every secret that a stack publishes now."""
        for identity, pair in _output(self, stack, "credentials").items():
            for one in (pair, pair.get("previous")):
                if one is not None:
                    self.plant(f"{HANDED_OUT} to {identity} of {stack}", one["secret_access_key"])

    def plant(self, name: str, value: str) -> None:
        """Search for a value from now on."""
        if value not in {one.value for one in self.planted}:
            self.planted.append(Planted(name, value))


@pytest.fixture(scope="module", name="site")
def _site(warm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    search = existing_engine(SHELL)
    if search.engine is None:
        pytest.skip("no Pulumi engine on this machine: " + "; ".join(search.tried))
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"), DOMAINS)
    for name in ("bench", "docs", "schemas", "tests", "trials"):
        # Without this package, because it holds the planted secrets in clear.
        shutil.copytree(ROOT / name, checkout.path / name, ignore=shutil.ignore_patterns("__pycache__", "leaks"))
    home = tmp_path_factory.mktemp("home")
    for name in ("tmp", "out", "debug"):
        (home / name).mkdir()
    site = Site(checkout, home, tmp_path_factory.mktemp("notes"), warm_python)
    site.plant("passphrase of the state", PASSPHRASE)
    site.plant("config of another namespace", FOREIGN_CONFIG)
    for name, value in VARIABLES.items():
        site.plant(f"environment: {name}", value)
    for stack in ("local", "aws"):
        write_private(checkout.folder(stack).passphrase, PASSPHRASE)
    try:
        yield site
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", "all")


@pytest.fixture(scope="module", name="sampler")
def _sampler(site: Site) -> Iterator[Sampler]:
    with Sampler([site.home / "tmp"]) as sampler:
        yield sampler


@pytest.fixture(scope="module", name="deployed")
def _deployed(site: Site, sampler: Sampler) -> Left:
    """The traces of `sandbox deploy`; its secrets were unknown in advance and are planted now."""
    del sampler
    left = run(
        [str(site.python), "-m", "cli", "sandbox", "deploy", "--stack", "all"],
        cwd=site.checkout.path,
        environ=site.environment("none"),
        notes=site.notes / "deploy",
        seconds=600,
    )
    assert left.status == 0, left.errors.decode()[-3000:]
    for stack in ("local", "aws"):
        folder = site.checkout.folder(stack)
        server = running_server(folder)
        assert server is not None
        site.servers[stack] = server
        site.plant(f"admin password of {stack}", admin_credentials(folder).password)
        site.plant_published(stack)
    _publish(site)
    foreign = [
        str(site.checkout.folder("local").wrapper),
        "config",
        "set",
        "--secret",
        "other:token",
        "--non-interactive",
    ]
    done = run(
        foreign,
        cwd=site.checkout.path,
        environ=site.environment("local"),
        notes=site.notes / "config",
        text=FOREIGN_CONFIG,
    )
    assert done.status == 0, done.errors
    return left


def _output(site: Site, stack: str, name: str) -> dict[str, Any]:
    done = run(
        [str(site.checkout.folder(stack).wrapper), "stack", "output", name, "--json", "--show-secrets"],
        cwd=site.checkout.path,
        environ=site.environment(stack),
        notes=site.notes / "output",
    )
    found: dict[str, Any] = json.loads(done.output)
    return found


def _publish(site: Site) -> None:
    """The files that a user passes to a command, good and bad ones."""
    deployment, pairs = (_output(site, "local", name) for name in ("deployment", "credentials"))
    names = sorted(pairs)
    secrets = [pairs[name]["secret_access_key"] for name in names]
    swapped = {
        name: {**pairs[name], "secret_access_key": secret}
        for name, secret in zip(names, [*secrets[1:], secrets[0]], strict=True)
    }
    folder = site.home / "published"
    folder.mkdir()
    write_private(folder / "deployment.json", json.dumps(deployment))
    write_private(folder / "credentials.json", json.dumps(pairs))
    write_private(folder / "swapped.json", json.dumps(swapped))
    write_private(
        folder / "malformed.json", json.dumps({name: pair["secret_access_key"] for name, pair in pairs.items()})
    )
    site.plant("lease", LEASE)
    leased = {"success": True, "data": {"value": f"planted-admin:{LEASE}"}}
    write_private(folder / "lease.json", json.dumps(leased))
    write_private(folder / "failed.json", json.dumps({**leased, "success": False, "message": LEASE}))
    elsewhere = site.notes / "open.json"  # its mode is wrong on purpose, so it is not in a watched folder
    elsewhere.write_text(json.dumps(pairs))
    elsewhere.chmod(0o644)
    bucket = next(one["name"] for one in deployment["plan"]["buckets"] if one["domain"] == "agent-loop-artifacts")
    site.facts |= {
        "checkout": str(site.checkout.path),
        "published": str(folder),
        "out": str(site.home / "out"),
        "deployment": str(folder / "deployment.json"),
        "credentials": str(folder / "credentials.json"),
        "swapped": str(folder / "swapped.json"),
        "malformed": str(folder / "malformed.json"),
        "open": str(elsewhere),
        "bucket": bucket,
        "endpoint": deployment["endpoint"],
        "ca": site.servers["local"].ca_bundle,
    }


@pytest.fixture(scope="module", name="running")
def _running(site: Site, deployed: Left) -> Iterator[dict[str, "Future[Ran]"]]:
    """Every line, started: the lines of a lane one after another, the lanes side by side."""
    del deployed
    pools = {lane: ThreadPoolExecutor(1) for lane in ALL_LANES}
    try:
        yield {command.name: pools[command.lane].submit(site.ran, command) for command in COMMANDS}
    finally:
        for pool in pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
