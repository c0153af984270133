"""A running store, a stack that published it, and the external programs of a delivery."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model.deployment import Deployment, KeyPair
from tests.console import command as console
from tests.infra.conftest import _identities, _no_pauses  # noqa: F401 - fixtures of the tests here, too
from tests.ops.keys.fakes import exposed, fake_pulumi
from trials.stores import AUDITED_IDENTITIES, Store, credentials_json, running_store, small_plan

main = console("keys")

CLUSTER_ENDPOINT = "https://aistor-s3-api.aistor"


@pytest.fixture(scope="session", name="store")
def _store() -> Iterator[Store]:
    """A small store on AIStor; a test that changes what its keys may do restores it."""
    with running_store("aistor", small_plan("aistor", identities=AUDITED_IDENTITIES)) as store:
        yield store


@pytest.fixture(scope="session", name="aws_store")
def _aws_store() -> Iterator[Store]:
    """The same store on AWS."""
    with running_store("aws", small_plan("aws", identities=AUDITED_IDENTITIES)) as store:
        yield store


@dataclass(frozen=True)
class Stack:
    """What the stack `local` publishes.

    Attributes:
        deployment: Its deployment, with a cluster's endpoint of its own.
        credentials: Its key pairs, which work on the running store.
        folder: Where the programs on the path are.
    """

    deployment: Deployment
    credentials: dict[str, KeyPair]
    folder: Path

    def secret(self, identity: str) -> str:
        """An identity's secret access key, in clear."""
        return self.credentials[identity].secret_access_key.get_secret_value()

    @property
    def secrets(self) -> list[str]:
        """All values that must not be visible."""
        return [pair.secret_access_key.get_secret_value() for pair in self.credentials.values()]

    def publish(self, **outputs: Any) -> None:  # noqa: ANN401 - JSON
        """Publish something else from now on."""
        path = self.folder / "pulumi.state"
        state = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({"local": state["local"] | outputs}), encoding="utf-8")


@pytest.fixture(name="stack")
def _stack(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A published stack; its programs come first on PATH."""
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "S3_")):
            monkeypatch.delenv(variable)
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    deployment = store.deployment.model_copy(update={"endpoint": CLUSTER_ENDPOINT, "stack": "local"})
    outputs = {
        "deployment": json.loads(deployment.model_dump_json()),
        "credentials": json.loads(credentials_json(store)),
    }
    fake_pulumi(folder, outputs)
    return Stack(deployment, dict(store.target.credentials), folder)


@dataclass(frozen=True)
class Delivered:
    """The result of a delivery.

    Attributes:
        status: Its exit status.
        output: What it printed.
        errors: What it printed as errors.
    """

    status: int
    output: str
    errors: str

    def changes(self) -> dict[str, str]:
        """The change of each name."""
        words = [line.split(maxsplit=1) for line in (self.output + self.errors).splitlines()]
        known = ("added", "changed", "unchanged")
        return {rest[0]: first for first, *rest in words if first in known and rest}


Deliver = Callable[..., Delivered]


@pytest.fixture(name="deliver")
def _deliver(stack: Stack, capfd: pytest.CaptureFixture[str]) -> Deliver:
    """Run the command; no secret is in its output, or in the arguments or environment of a call."""

    def deliver(to: str, *options: str, identity: str | None = "worker", payload: bool = False) -> Delivered:
        capfd.readouterr()
        who = [] if identity is None else ["--identity", identity]
        status = main(["deliver", "--stack", "local", "--to", to, *who, *options])
        output, errors = capfd.readouterr()
        for secret in stack.secrets:
            assert secret not in errors
            assert payload or secret not in output
        assert exposed(stack.folder, stack.secrets) == []
        return Delivered(status, output, errors)

    return deliver
