"""An append grant is enough on both clouds: read, list and put, and no delete anywhere."""

import time
from typing import TYPE_CHECKING, Any

from sandbox.transcripts import truth_of, write_tree
from workloads.sessions.context import Options
from workloads.sessions.coverage import run as coverage
from workloads.sessions.receipts import run as receipts
from workloads.sessions.restoring import RestoreOptions, run_restore

if TYPE_CHECKING:
    from trials.stores import Store


def test_append_is_enough(world: Any, any_store: "Store", tmp_path: Any) -> None:  # noqa: ANN401 - fixtures
    """Archive, a second run with a file that grew, coverage, receipts and restore, with an append key of the plan."""
    target = any_store.target
    (grant,) = [
        grant
        for identity in target.deployment.plan.identities
        if identity.name == "worker"
        for grant in identity.grants
        if grant.domain == "replay"
    ]
    config = target.config("worker")
    ca = tmp_path / "ca.pem"
    ca.write_text(config.read_ca() or "")
    world.endpoint, world.bucket = config.endpoint, grant.bucket
    world.name = f"box-{target.deployment.cloud}"
    world.variables = {
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
        "AWS_REGION": config.region,
        "S3_CA_BUNDLE": str(ca),
        "S3_WRITE_ONCE": ",".join(config.write_once),
    }
    paths = write_tree(world.home, files=8, seed=5, now=time.time(), median_bytes=2000)
    world.sources = {"claude-projects": str(world.home / ".claude/projects")}
    assert world.archive() == 0
    with next(path for path in paths if ".claude" in str(path)).open("ab") as file:
        file.write(b"{}\n")
    assert world.archive() == 0

    options = Options(config=world.write(), quiet=True)
    assert coverage(options) == 0
    assert receipts(options, 30) == 0
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
    found, wanted = truth_of(to / "claude-projects"), truth_of(world.home / ".claude/projects")
    assert {k: (v.kind, v.mode, v.content) for k, v in found.items()} == {
        k: (v.kind, v.mode, v.content) for k, v in wanted.items()
    }
