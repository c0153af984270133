"""`events resolve` that is killed or ended at each stage, and two at once: whole or not there, and counted."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from tests.workloads.events.conftest import EXPORTED, REQUESTED
from tests.workloads.events.ending import POINTS, begun, joined

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.events.conftest import Consumer

BODY = bytes(range(256)) * 20_000
FORMS = ("reference", "path")


def data_of(consumer: Consumer, form: str) -> dict[str, Any]:
    """The data of an event of one form, with the same bytes."""
    if form == "reference":
        return {"objectRef": consumer.store(BODY)}
    (consumer.nas / "a.pdf").write_bytes(BODY)
    return {"nasPath": f"{EXPORTED}/a.pdf"}


def written(consumer: Consumer, data: dict[str, Any]) -> Path:
    """The file of an event."""
    file = consumer.world.home / "killed.json"
    file.write_text(json.dumps({"name": REQUESTED, "data": data}))
    return file


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_at_a_point(consumer: Consumer, form: str, point: tuple[str, int]) -> None:
    """SIGKILL: the file has all bytes or is not there, the use counts from its beginning, and a retry completes it."""
    data = data_of(consumer, form)
    assert joined(begun(consumer.config(), written(consumer, data), consumer.to, *point)) == -signal.SIGKILL

    named = point in POINTS[POINTS.index(("unlinked", 1)) :] or point == ("kept", 2)
    assert consumer.to.exists() == named
    assert consumer.to.exists() is False or consumer.to.read_bytes() == BODY
    assert consumer.shims() == ExitCode.WRONG
    assert sum(consumer.counts()[:3]) == (point != ("kept", 1))

    assert consumer.resolve(data, replace=True) == ExitCode.DONE, consumer.errors
    assert consumer.to.read_bytes() == BODY
    assert consumer.left() == ["file"]
    assert consumer.shims() == ExitCode.WRONG
    assert sum(consumer.counts()[:3]) == 1 + (point != ("kept", 1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended_by_a_signal(consumer: Consumer, form: str, number: signal.Signals) -> None:
    """In the middle of the bytes: no part of them stays, and the use counts as failed."""
    event = written(consumer, data_of(consumer, form))
    process = begun(consumer.config(), event, consumer.to, "written", 3, number)

    assert joined(process) == ExitCode.INTERRUPTED
    assert not consumer.left()
    assert consumer.shims() == ExitCode.WRONG
    assert consumer.counts()[3] == 1
    (left,) = consumer.unsent()
    assert json.loads(left.read_text())["error"] == "KeyboardInterrupt"


@pytest.mark.parametrize("form", FORMS)
def test_two_at_once(consumer: Consumer, form: str) -> None:
    """To one file: one gives the bytes, the other finds the file; to two files both do. Each is counted."""
    event = written(consumer, data_of(consumer, form))
    config = consumer.config()
    processes = [begun(config, event, consumer.to) for _ in range(2)]
    processes += [begun(config, event, consumer.to.with_name(name)) for name in ("x", "y")]
    first, second, *others = [joined(process) for process in processes]

    assert sorted((first, second)) == [ExitCode.DONE, ExitCode.CANNOT]
    assert others == [ExitCode.DONE, ExitCode.DONE]
    assert consumer.left() == ["file", "x", "y"]
    assert {path.read_bytes() for path in consumer.to.parent.iterdir()} == {BODY}
    assert not consumer.unsent()
    assert consumer.shims() == ExitCode.WRONG
    assert sum(consumer.counts()[:3]) in (3, 4)
