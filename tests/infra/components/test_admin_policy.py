"""The policy of a provisioning admin is sufficient for a stack's whole life, and each of its actions is needed.

In this process an admin creates, reads, changes, rotates and removes what the program declares for a small taxonomy, on
the embedded server. The same with the engine: tests/e2e/test_admin_policy.py.
"""

import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest

from model.policies import Cloud
from ops.admin_policy import Right, rights
from sandbox.server.temporary import RunningServer, running_server
from tests.infra.components.admin_life import SHORT, FailedError, Life, make_admin, small_taxonomy
from tests.infra.components.conftest import Declared, Run

CLOUDS: tuple[Cloud, ...] = ("aistor", "aws")
_NUMBERS = count()


@pytest.fixture(scope="module", params=CLOUDS, name="cloud")
def _cloud(request: pytest.FixtureRequest) -> Cloud:
    return "aws" if request.param == "aws" else "aistor"


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Path:
    return tmp_path_factory.mktemp(cloud)


@pytest.fixture(scope="module", name="server")
def _server(folder: Path, cloud: Cloud) -> Iterator[RunningServer]:
    with running_server(cloud, folder) as server:
        yield server


@pytest.fixture(scope="module", name="declared")
def _declared(run_program: Callable[..., Run], cloud: Cloud) -> list[Declared]:
    with patch("infra.program.load", small_taxonomy):
        run = run_program(cloud, protect=False, **({"adminApi": "v3"} if cloud == "aistor" else {}))
    return [one for one in run.resources if not one.type.startswith(("pulumi:", "object-store:"))]


def refusals(folder: Path, name: str) -> list[str]:
    """The actions that the server refused to an admin, in order."""
    log = (folder / "serve.log").read_text(encoding="utf-8")
    return re.findall(rf"refused (\S+) on \S+ to \S*/{name}$", log, re.MULTILINE)


def life_with(
    granted: tuple[Right, ...], server: RunningServer, cloud: Cloud, declared: list[Declared]
) -> tuple[Life, str]:
    """A separate life, and the admin's name."""
    env = f"t{next(_NUMBERS)}"
    name = f"provisioner-{env}"
    planned = Life(server, cloud, declared, env, "none-yet", "none-yet").plan()
    return Life(server, cloud, declared, env, *make_admin(server, cloud, name, granted, planned)), name


def test_policy_is_enough(server: RunningServer, cloud: Cloud, declared: list[Declared], folder: Path) -> None:
    """An admin with exactly the policy completes a stack's whole life, and the server refuses nothing."""
    life, name = life_with(rights(cloud, empties=True), server, cloud, declared)
    life.run()

    assert refusals(folder, name) == []


@pytest.mark.parametrize(
    ("cloud", "action"),
    [(cloud, right.action) for cloud in CLOUDS for right in rights(cloud, empties=True)],
    indirect=["cloud"],
    scope="module",
)
def test_action_is_needed(
    server: RunningServer, cloud: Cloud, declared: list[Declared], folder: Path, action: str
) -> None:
    """Without the action a life does not complete, and that action is the first that the server refuses."""
    granted = tuple(right for right in rights(cloud, empties=True) if right.action != action)
    life, name = life_with(granted, server, cloud, declared)

    with pytest.raises(FailedError):  # noqa: PT012 - a whole life only if a short one completed
        life.run(SHORT)
        life, name = life_with(granted, server, cloud, declared)
        life.run()
    assert refusals(folder, name)[:1] == [action]
