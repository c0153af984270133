"""A run that ends at any moment, or beside another one: one object, one reference, and nothing half that counts."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from object_store import EndpointUnreachable, ObjectStore
from tests.workloads.discovery import ending
from tests.workloads.discovery.ending import BEFORE_RECORD, POINTS, joined
from tests.workloads.discovery.test_put import PAGE, TEXT
from tests.workloads.discovery.test_repository import FILES
from tests.workloads.discovery.web import answer, git_server, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.discovery.conftest import Finder
    from tests.workloads.discovery.web import Handler


def begun(finder: Finder, url: str, *where: object) -> Any:  # noqa: ANN401 - a process
    """Start a run."""
    return ending.begun(finder.config(), url, finder.names, finder.allowed, *where)


def run_until(finder: Finder, url: str, point: str, times: int, number: int = signal.SIGKILL) -> int:
    """Run `put` in a process of its own until a point, at which it gets a signal; the exit status."""
    return joined(begun(finder, url, point, times, number))


def stored(finder: Finder) -> dict[str, str]:
    """The etags of all but receipts, by their keys."""
    found = finder.world.client.list_objects_v2(Bucket=finder.world.bucket).get("Contents", [])
    return {one["Key"]: one["ETag"] for one in found if one["Key"].startswith("v1/")}


def check(finder: Finder, before: dict[str, str]) -> None:
    """The capture is whole, nothing was written over, and there is one object of each."""
    after = stored(finder)
    assert after.items() >= before.items()
    assert sorted(key.rpartition("/")[2].partition("Z.")[2] or key.rpartition("/")[2] for key in after) == [
        "extract.md",
        "meta.json",
        "raw.html",
    ]
    assert finder.body("rawRef") == PAGE
    assert finder.body("extractRef").decode() == TEXT


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_at_a_point(finder: Finder, point: tuple[str, int]) -> None:
    """SIGKILL at each stage: until the record is put nothing counts; the same command completes it, or finds it."""
    finder.web.routes["/a"] = answer(PAGE)
    assert run_until(finder, finder.url("/a"), *point) == -signal.SIGKILL
    before = stored(finder)
    assert any(key.endswith("meta.json") for key in before) == (point not in BEFORE_RECORD)

    assert finder.put("/a") == 0

    check(finder, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal(finder: Finder, number: signal.Signals) -> None:
    """The receipt says that it was stopped, and nothing is left on the disk."""
    finder.web.routes["/a"] = answer(PAGE)
    assert run_until(finder, finder.url("/a"), "fetched", 1, number) == ExitCode.INTERRUPTED
    assert finder.world.receipts()[-1]["status"] == "stopped"
    assert not list((finder.world.folder / "state/discovery").rglob("put-*"))
    assert finder.put("/a") == 0
    check(finder, {})


def test_stopped_while_git_runs(finder: Finder, tmp_path: Path) -> None:
    """A signal in the middle of a clone ends git, too: the server sees its connection go."""
    make_repository(tmp_path / "repositories/owner/tool", FILES)
    finder.more = {"clone": [f"page.test:{finder.web.port}"]}
    process: list[Any] = []
    gone: list[bytes] = []
    answers = git_server(tmp_path / "repositories")

    def hang(handler: Handler) -> None:
        if len(finder.web.asked) == 1:
            answers(handler)
            return
        os.kill(process[0].pid, signal.SIGTERM)
        handler.connection.settimeout(20)
        gone.append(handler.connection.recv(1))

    finder.web.routes["/owner"] = hang
    process.append(begun(finder, finder.url("/owner/tool")))
    assert joined(process[0]) == ExitCode.INTERRUPTED
    finder.web.over.wait(0.5)
    assert gone == [b""]
    assert not stored(finder)


def test_two_at_once(finder: Finder) -> None:
    """Two runs of one event at once, and a page that is never the same: both end well, and one record counts."""
    bodies = iter(PAGE + b"<p>%d" % number for number in range(9))

    def another(handler: Handler) -> None:
        handler.wfile.write(answer(next(bodies)))

    finder.web.routes["/a"] = another
    processes = [begun(finder, finder.url("/a")) for _ in range(2)]

    assert [joined(process) for process in processes] == [0, 0]

    assert len([key for key in stored(finder) if key.endswith("meta.json")]) == 1
    asked = len(finder.web.asked)
    assert finder.put("/a") == 0
    assert len(finder.web.asked) == asked


@pytest.mark.parametrize("number", [2, 3, 4])
def test_lost_answer(finder: Finder, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The store took an object and its answer was lost: the step fails, and the next call stores nothing twice."""
    finder.web.routes["/a"] = answer(PAGE)
    upload, puts = ObjectStore.upload, []

    def lost(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        puts.append(upload(*given, **named))
        if len(puts) == number:
            raise EndpointUnreachable("the connection was lost")
        return puts[-1]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "upload", lost)
        assert finder.put("/a") == 2
    before = stored(finder)

    assert finder.put("/a") == 0

    check(finder, before)


def test_spool_of_a_killed_run(finder: Finder) -> None:
    """What it left on the disk goes a day later, and not what another run has just begun."""
    spool = finder.world.folder / "state/discovery" / finder.world.bucket / "spool"
    for name, age in (("put-old", 90_000), ("put-new", 0)):
        (spool / name).mkdir(parents=True)
        (spool / name / "body").write_bytes(b"x")
        when = (spool / name).stat().st_mtime - age
        os.utime(spool / name, (when, when))
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    assert [path.name for path in spool.iterdir()] == ["put-new"]
