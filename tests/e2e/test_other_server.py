"""The documented ways to another server and back, by the lines of docs/aistor.md, under both admin APIs (a change: v3).

The rule: the other server has its own CA and admin. Each way ends with an empty preview, the documented lines with a
proven bucket, and no object is deleted on either server.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from sandbox.server.temporary import RunningServer, running_server
from tests.documented import blocks_of
from tests.sizes import IS_LONG
from trials.bad_days.stack import Stack
from trials.checkout import Checkout, copy_checkout

if TYPE_CHECKING:
    from pathlib import Path

    from model.resources import By

pytestmark = pytest.mark.e2e

ACCESS = ("endpoint", "clientEndpoint", "caBundle", "adminUser", "adminPassword")
COLD, WARM, HOT = "media-raw", "docs-derived", "agent-loop-artifacts"
KEY = "kept"


@pytest.fixture(scope="module", name="own")
def _own(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A deployed `local` stack of three buckets that may move."""
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("moving"), (COLD, WARM, HOT))
    try:
        checkout.must("sandbox", "up", "--stack", "local", "--admin-api", "v3")
        stack = Stack(checkout, "v3")
        stack.set_config(adminApi="v3")
        stack.must("up", "--yes", "--skip-preview")
        yield checkout
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", "local")


@pytest.fixture(name="other")
def _other(tmp_path: "Path") -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path) as server:
        yield server


@pytest.fixture(params=["v3", "v4"] if IS_LONG else ["v3"], name="stack")
def _stack(request: pytest.FixtureRequest, own: Checkout) -> Stack:
    by: By = request.param
    if by == "v4":
        switched = own.python("cli", "switch-admin-api", "--stack", "local", "--to", by, "--yes", stack="local")
        assert switched.status == 0, switched.output
    return Stack(own, by)


def lines_of(bucket: str, *last: str) -> str:
    """The documented block that ends with these lines, with a verification of one bucket."""
    (block,) = {one.text for one in blocks_of("docs/aistor.md") if one.text.endswith("\n".join(last) + "\n")}
    lines = block.replace("pulumi up", "pulumi up --skip-preview")
    return lines.replace("verify --stack local", f"verify --stack local --quiet --bucket {bucket}")


VERIFY = "object-store verify --stack local"
MOVE = ("object-store recover --stack local --all-gone", "pulumi up", "pulumi up --refresh", VERIFY)
BACK = ("pulumi stack import --stack local --file recover-local.json", "pulumi up", VERIFY)


def client_of(server: RunningServer) -> Any:  # noqa: ANN401 - boto3's client of S3
    """S3 with the admin of the other server."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )


def arrives(stack: Stack, lines: str, *, changed_by_refresh: bool = True) -> None:
    """The lines end well, and a preview is empty, after a refresh if the lines have none.

    Without `changed_by_refresh` their own `pulumi up --refresh` must have found nothing to change.
    """
    done = stack.script(lines)
    assert done.status == 0, done.output[-3000:]
    if not changed_by_refresh:
        *_, last = re.findall(r"^Resources:\n(?: +.*\n)+", done.output, re.MULTILINE)
        assert re.fullmatch(r"Resources:\n +\d+ unchanged\n", last), last
        return
    refresh = () if "--refresh" in lines else ("--refresh",)
    preview = stack.pulumi("preview", *refresh, "--expect-no-changes")
    assert preview.status == 0, preview.output[-3000:]


def refused(stack: Stack, *words: str) -> None:
    """An update stops before it declares anything, and says these words."""
    done = stack.pulumi("up", "--yes", "--skip-preview")
    assert done.status != 0
    for word in ("nothing was sent", "object-store recover --stack local", *words):
        assert word in done.output


def test_stack_moves_to_an_empty_server_and_to_a_half_filled_one_and_back(
    stack: Stack, other: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back with the saved state the former keys work; an object that lies on either server stays."""
    monkeypatch.chdir(stack.checkout.path)
    for earlier in stack.checkout.path.glob("recover-local*.json"):
        earlier.unlink()
    held = stack.config()
    old = {key: held.get(key) for key in ACCESS}
    new = dict(zip(ACCESS, (other.endpoint, other.endpoint, other.ca_bundle, *pair_of(other)), strict=True))
    pairs, here, there = stack.credentials(), stack.s3, client_of(other)
    warm, hot = stack.bucket(WARM).name, stack.bucket(HOT).name
    here.put_object(Bucket=warm, Key=KEY, Body=b"old")
    stack.set_config(**new)
    try:
        refused(stack, f"{other.endpoint} has none of the stack's 3 buckets")
        arrives(stack, lines_of(COLD, *MOVE), changed_by_refresh=False)
        there.put_object(Bucket=warm, Key=KEY, Body=b"new")

        stack.set_config(**old)
        refused(stack, f"has buckets of the stack, but none of its {len(pairs)} access keys")
        # The sandbox's pulumi works in another folder than this shell.
        saved = stack.checkout.path / "recover-local.json"
        arrives(stack, lines_of(COLD, *BACK).replace("recover-local.json", str(saved)))
        assert stack.credentials() == pairs

        there.delete_bucket(Bucket=hot)
        there.delete_bucket_lifecycle(Bucket=warm)
        there.put_bucket_versioning(Bucket=warm, VersioningConfiguration={"Status": "Suspended"})
        stack.set_config(**new)
        refused(stack, f"has buckets of the stack, but none of its {len(pairs)} access keys", "--all-gone")
        arrives(stack, lines_of(WARM, *MOVE))
    finally:
        stack.set_config(**old)
    arrives(stack, "object-store recover --stack local\npulumi up --skip-preview\n")

    assert here.get_object(Bucket=warm, Key=KEY)["Body"].read() == b"old"
    assert there.get_object(Bucket=warm, Key=KEY)["Body"].read() == b"new"


def pair_of(server: RunningServer) -> tuple[str, str]:
    """The admin's key pair."""
    return server.admin.user, server.admin.password
