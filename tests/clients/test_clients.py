"""What `keys deliver` hands out works in stock clients, on a store with a private CA; `docs/clients.md` has the lines.

The rule: a client runs as a person runs it, in a shell that read the delivered file, or with its own configuration and
no variable at all. Another client of the store looks whether the object is there.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import ENVIRON, Site
from tests.clients.page import OPERATIONS, PAGE, Lines, blocks
from tests.clients.stock import find_mc
from trials.stores import running_store, small_plan

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = blocks()
#: Clients that read a configuration of their own: no variable of the file is set for them.
WITHOUT_VARIABLES = ("aws CLI, 2", "rclone", "mc")
GRANTED, REFUSED = "joelclaw-local-usw2-media-derived", "joelclaw-local-usw2-otel-archive"
#: What the clients say of the store's 403. mc asks whether the object is there and does not say why it cannot tell.
REFUSAL = (
    *("Access Denied", "AccessDenied", "ACCESS_DENIED", "403", "Forbidden", "Authentication Failure"),
    *("Insufficient permissions", "Unable to guess the type of copy operation"),
)
SECONDS = 120
#: Runs the setup of a block, then each operation by itself; prints what each came to, as JSON.
DRIVER = """
import json, sys
setup, operations, said = *json.loads(sys.stdin.read()), {}
names = {}
exec(setup, names)
for name, line in operations.items():
    try:
        exec(line, names)
        said[name] = ""
    except Exception as error:
        said[name] = str(error) or repr(error)
print("\\n" + json.dumps(said))
"""


def outcome(site: Site, folder: Path, lines: Lines, bucket: str, cwd: Path) -> dict[str, str]:
    """What each operation of a block came to in a bucket: empty if it succeeded, else what the client said."""
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(site.home), "NO_COLOR": "1"}
    file = "" if lines.client in WITHOUT_VARIABLES else f"set -a; . {site.home}/worker.env; set +a\n"
    shell = f"{file}S3_BUCKET_MEDIA_DERIVED={bucket}\n"
    if lines.kind == "python":
        script, text = f"{shell}exec python -c '{DRIVER}'", json.dumps([lines.setup, lines.operations])
        done = _run(script, environ, cwd, text)
        assert done.returncode == 0, done.stderr[-2000:]
        said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return said
    found = {}
    for operation, line in lines.operations.items():
        done = _run(shell + line.replace(GRANTED, bucket), environ, cwd)
        found[operation] = "" if done.returncode == 0 else done.stdout + done.stderr + "failed"
    return found


def _run(script: str, environ: dict[str, str], cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - lines of a page of ours
        ["/bin/sh", "-c", script], env=environ, cwd=cwd, input=text, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


def test_page_has_each_client() -> None:
    """Each section has the three operations, so no client goes untried."""
    assert set(BLOCKS) == {
        "aws CLI", "aws CLI, 2", "boto3", "s3fs (fsspec)", "s5cmd", "rclone", "mc", "pyarrow", "polars", "DuckDB",
    }  # fmt: skip
    assert {tuple(lines.operations) for lines in BLOCKS.values()} == {OPERATIONS}
    assert PAGE.read_text("utf-8").count("\n## ") == len(BLOCKS) - 1


@pytest.mark.parametrize("client", BLOCKS)
def test_client(site: Site, clients: Path, tmp_path: Path, client: str) -> None:
    """Put, list and get work where the identity has a grant; elsewhere the store refuses each and stores nothing."""
    lines = BLOCKS[client]
    folder = clients
    if client == "mc":
        mc = find_mc(ENVIRON)
        if mc is None:
            pytest.skip("mc is not run: it is neither on PATH nor in the cache, and no registry has a wheel of it")
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "mc").symlink_to(mc)
    (tmp_path / "report.txt").write_text("a report\n", encoding="utf-8")

    granted = outcome(site, folder, lines, GRANTED, tmp_path)

    assert granted == dict.fromkeys(OPERATIONS, "")
    (stored,) = [key for key in site.keys(GRANTED) if key in "".join(lines.operations.values())]
    assert stored.startswith("clients/")
    assert (tmp_path / "back.txt").stat().st_size > 0

    refused = outcome(site, folder, lines, REFUSED, tmp_path)

    assert [operation for operation, said in refused.items() if not any(word in said for word in REFUSAL)] == []
    assert site.keys(REFUSED) == {}


def test_aws_cli_sends_the_condition_of_an_append_on_aws(clients: Path, tmp_path: Path) -> None:
    """`aws s3api put-object` puts a new key with the condition, and never over it; without it the server refuses."""
    plan = small_plan("aws", {"replay": {"band": "warm"}}, {"worker": {"grants": {"replay": "append"}}})
    (tmp_path / "report.txt").write_text("a report\n", encoding="utf-8")
    with running_store("aws", plan) as store:
        pair, bucket = store.target.credentials["worker"], plan.buckets[0].name
        environ = {
            "PATH": f"{clients}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AWS_DEFAULT_REGION": store.server.region,
            "AWS_ACCESS_KEY_ID": pair.access_key_id,
            **store.sdk_environment,
            "AWS_SECRET_ACCESS_KEY": pair.secret_access_key.get_secret_value(),
        }

        def put(key: str, more: str = "") -> str:
            line = f"aws s3api put-object --bucket {bucket} --key {key} --body report.txt {more}"
            return _run(line, environ, tmp_path).stderr

        assert put("one", "--if-none-match '*'") == ""
        assert "PreconditionFailed" in put("one", "--if-none-match '*'")
        assert "AccessDenied" in put("two")
        assert "AccessDenied" in _run(f"aws s3 cp report.txt s3://{bucket}/two", environ, tmp_path).stderr
        page = store.client.list_objects_v2(Bucket=bucket)
    assert [(one["Key"], one["Size"]) for one in page["Contents"]] == [("one", 9)]
