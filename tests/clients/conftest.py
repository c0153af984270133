"""A store with a private CA and the real taxonomy, a delivery of each kind, and the stock clients."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from model.handover import handovers
from model.plan import build_plan
from model.taxonomy_file import load
from ops.keys.targets.aws_profile import AwsProfile
from ops.keys.targets.dotenv import Dotenv
from ops.keys.targets.minio_client import MinioClient
from ops.keys.targets.rclone import Rclone
from sandbox.progress import Progress
from tests.clients.stock import NoClientsError, find_clients
from trials.stores import Store, running_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = dict(os.environ)


@dataclass(frozen=True)
class Site:
    """Where the clients run.

    Attributes:
        store: The running store.
        home: A home folder with what the deliveries wrote: `worker.env`, `.aws`, `.config/rclone`, `.mc`.
    """

    store: Store
    home: Path

    def keys(self, bucket: str) -> dict[str, int]:
        """Each key of a bucket, with its size."""
        page = self.store.client.list_objects_v2(Bucket=bucket)
        return {one["Key"]: one["Size"] for one in page.get("Contents", [])}


@pytest.fixture(scope="session", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The store, and the deliveries of `worker` and `reader`."""
    home = tmp_path_factory.mktemp("home")
    plan = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="taxonomy.yaml:")
    for folder in (".aws", ".config/rclone", ".mc"):
        (home / folder).mkdir(parents=True)
    with running_store("aistor", plan) as store:
        deployment = store.deployment.model_copy(update={"stack": "local"})
        given = handovers(deployment, store.target.credentials, ["worker", "reader"], "host")
        Dotenv(home / "worker.env").deliver(given[:1])
        AwsProfile(home / ".aws" / "credentials").deliver(given)
        Rclone(home / ".config" / "rclone" / "rclone.conf").deliver(given)
        MinioClient(home / ".mc" / "config.json").deliver(given)
        yield Site(store, home)


@pytest.fixture(scope="session", name="clients")
def _clients(site: Site) -> Path:
    """The folder of the clients' executables; DuckDB finds its extension as if it had installed it before."""
    try:
        folder = find_clients(ENVIRON, Progress())
    except NoClientsError as reason:
        pytest.skip(str(reason))
    for extension in folder.parent.rglob("httpfs.duckdb_extension"):
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        target = (
            site.home / ".duckdb" / "extensions" / extension.parent.name / f"{os.uname().sysname.lower()}_{machine}"
        )
        target.mkdir(parents=True)
        shutil.copy(extension, target)
    return folder
