"""The end-to-end tests' own sandbox: real engine, stand-in plugins, embedded servers, in a copied checkout.

The rule: the tests do not touch the caller's own sandbox. Both stacks are deployed once, in a snapshot. Each worker
uses a copy of the snapshot, and each test leaves its worker's copy unchanged. It is not proven: test_stacks.py proves
its copies, and the deploying command as a whole is in test_admin_api.py and tests/leaks.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from dotenv import dotenv_values

import trials.checkout
from model.exit_codes import ExitCode
from model.taxonomy_file import load
from sandbox.child import exclusive
from sandbox.engine.finder import existing_engine
from sandbox.progress import Progress
from trials.checkout import SHELL, Checkout, copy_checkout, copy_deployed
from workloads.events.resolve import ResolveOptions
from workloads.events.resolve import run as resolve


def lead_here(checkout: Checkout, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point this process at a stack of the copy, like a shell: a command that runs here needs no new process."""
    monkeypatch.chdir(checkout.path)
    environ = checkout.environment(stack)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@contextmanager
def delivered(
    checkout: Checkout, stack: str, identity: str, domain: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mapping[str, str | None]]:
    """What `keys deliver` gives for a workload; this process has it, as after sourcing it. The bucket is emptied."""
    file = folder / "delivered.env"
    words = ["keys", "deliver", "--stack", stack, "--identity", identity, "--to", "dotenv", "--file", str(file)]
    done = checkout.run([sys.executable, "-m", "cli", *words], stack)
    assert done.status == 0, done.output
    variables = dotenv_values(file, interpolate=False)
    assert set(json.loads(variables["S3_BUCKETS"] or "")) == set(load().identities[identity].grants)
    lead_here(checkout, stack, monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value or "")
    yield variables
    client, bucket = checkout.client(stack), json.loads(variables["S3_BUCKETS"] or "")[domain]
    for one in client.list_object_versions(Bucket=bucket).get("Versions", []):
        client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True)


def emptied(checkout: Checkout, stack: str, *domains: str) -> None:
    """Empty further buckets of the delivered key, which no lock keeps."""
    client = checkout.client(stack)
    for domain in domains:
        bucket = json.loads(os.environ["S3_BUCKETS"])[domain]
        for one in client.list_object_versions(Bucket=bucket).get("Versions", []):
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])


def resolved(config: Path, event: Mapping[str, object], to: Path, field: str = "") -> bytes:
    """What `events resolve` gives for an event, as a consumer calls it."""
    file = to.with_name(f"{to.name}.json")
    file.write_text(json.dumps(event))
    assert resolve(ResolveOptions(config, quiet=True, event=str(file), to=to, field=field)) == ExitCode.DONE
    return to.read_bytes()


@pytest.fixture(scope="session", autouse=True, name="_warm_copies")
def _are_warm(warm_python: Path) -> Iterator[None]:
    """The Python of all copies has loaded the packages."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trials.checkout, "PYTHON", str(warm_python))
        yield


@pytest.fixture(scope="session", name="engine")
def _engine() -> None:
    search = existing_engine(SHELL)
    if search.engine is None:
        pytest.skip("no Pulumi engine on this machine: " + "; ".join(search.tried))


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder of all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", name="snapshot")
def _snapshot(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with both stacks deployed and stopped; the first worker creates it."""
    del engine
    shared = _shared(tmp_path_factory)
    snapshot, making = shared / "snapshot", shared / "snapshot-in-the-making"
    with exclusive(shared / "snapshot.lock", Progress(quiet=True), "the snapshot that another worker makes"):
        if not snapshot.exists():
            shutil.rmtree(making, ignore_errors=True)  # from a failed worker
            making.mkdir()
            checkout = copy_checkout(making)
            try:
                checkout.must("sandbox", "up", "--stack", "all")
                with ThreadPoolExecutor() as pool:
                    for done in pool.map(checkout.up, ("local", "aws")):
                        assert done.status == 0, done.output
            finally:
                checkout.python("cli", "sandbox", "down", "--stack", "all", "--keep")
            making.rename(snapshot)
    return snapshot


@pytest.fixture(scope="session", name="checkout")
def _checkout(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    path = tmp_path_factory.mktemp("checkout")
    try:
        yield copy_deployed(snapshot, path)
    finally:
        Checkout(path).python("cli", "sandbox", "down", "--stack", "all")


@pytest.fixture(params=["local", "aws"], name="stack")
def _stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)
