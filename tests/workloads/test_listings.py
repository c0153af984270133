"""Listings of many pages: all of them count, and one that is cut short is no answer."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.sizes import sized
from tests.workloads.conftest import old
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads.archive.commit import COMMIT_SUFFIX, commit_of, sha256_of, stem_of
from workloads.context import Options
from workloads.sessions import coverage
from workloads.sessions.restoring import RestoreOptions as SessionsOptions
from workloads.sessions.restoring import run_restore as run_sessions
from workloads.vault import drill, snapshot
from workloads.vault.drill import DrillOptions
from workloads.vault.restoring import RestoreOptions, run_list, run_restore
from workloads.vault.snapshot import SnapshotOptions

World = Any
COMMITS, PAGE = sized(9, 2500), sized(4, 1000)
CUT: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda body: body[: len(body) // 2],
    "empty": lambda _: b"",
    "truncated without a token": lambda body: re.sub(
        rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", body.replace(b">false<", b">true<")
    ),
}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives few keys at once."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(PAGE))


def multiply(world: World) -> None:
    """Let the one commit of a source have as many successors as there are commits in all."""
    found = world.client.get_paginator("list_objects_v2").paginate(Bucket=world.bucket)
    (key,) = (one["Key"] for page in found for one in page["Contents"] if one["Key"].endswith(COMMIT_SUFFIX))
    first = commit_of(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read(), key)
    for number in range(2, COMMITS + 1):
        run = f"{first.run[:-8]}{number:08x}"
        body = first.model_copy(update={"run": run, "sequence": number}).to_bytes()
        world.client.put_object(
            Bucket=world.bucket,
            Key=f"{stem_of(first.machine, first.source, run)}{COMMIT_SUFFIX}",
            Body=body,
            Metadata={"sha256": sha256_of(body)},
        )


def cut_on_second_page(world: World, how: str) -> FaultyProxy:
    """A proxy that changes each page but the first."""

    def changed(_: Request, response: Response) -> Response:
        return replace(response, body=CUT[how](response.body))

    hook = Hook(when=On("GET", query="continuation-token"), altering=changed)
    return FaultyProxy(world.endpoint, None, hook, plain=True)


@pytest.mark.parametrize("how", CUT)
def test_vault(notes: World, capsys: pytest.CaptureFixture[str], how: str) -> None:
    """`list` shows each snapshot; with a cut listing it, `restore`, `drill` and `snapshot` end with 2."""
    (notes.home / "Vault").mkdir()
    (notes.home / "Vault/note.md").write_text("x\n")
    assert snapshot.run(SnapshotOptions(config=notes.write(), quiet=True)) == 0
    multiply(notes)
    capsys.readouterr()

    assert run_list(Options(config=notes.write(), quiet=True, as_json=True)) == 0

    assert len(json.loads(capsys.readouterr().out)["snapshots"]) == COMMITS
    with cut_on_second_page(notes, how) as proxy:
        notes.endpoint = proxy.endpoint_plain
        config, to = notes.write(), notes.folder / "back"
        assert run_list(Options(config=config, quiet=True)) == 2
        assert run_restore(RestoreOptions(config=config, quiet=True, to=to)) == 2
        assert drill.run(DrillOptions(config=config, quiet=True)) == 2
        assert snapshot.run(SnapshotOptions(config=config, quiet=True)) == 2
    assert capsys.readouterr().out == ""
    assert not to.exists()


@pytest.mark.parametrize("how", CUT)
def test_sessions(world: World, capsys: pytest.CaptureFixture[str], how: str) -> None:
    """`restore --list` shows each state; with a cut listing it, `coverage` and `archive` end with 2."""
    (world.home / "s/a.jsonl").write_text("{}\n")
    old(world.home / "s/a.jsonl")
    assert world.archive() == 0
    multiply(world)
    capsys.readouterr()

    assert run_sessions(SessionsOptions(config=world.write(), quiet=True, show=True)) == 0

    assert capsys.readouterr().out.count("a.jsonl") == COMMITS
    assert coverage.run(Options(config=world.write(), quiet=True)) == 0
    with cut_on_second_page(world, how) as proxy:
        world.endpoint = proxy.endpoint_plain
        config = world.write()
        capsys.readouterr()
        assert run_sessions(SessionsOptions(config=config, quiet=True, show=True)) == 2
        assert coverage.run(Options(config=config, quiet=True)) == 2
        assert world.archive() == 2
    assert capsys.readouterr().out == ""
