"""A command in its own group ends with the block, even if a signal arrives while the command starts."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import child

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupted(subprocess.Popen[str]):
    """A process whose starter gets a signal before it has recorded the process."""

    number = signal.SIGINT
    pids: list[int]

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as of Popen
        """Start, and interrupt the starter at once."""
        super().__init__(*arguments, **options)
        self.pids.append(self.pid)
        signal.raise_signal(self.number)


@pytest.fixture(name="ended_by_term")
def _ended_by_term() -> Iterator[None]:
    """SIGTERM ends a block, as it ends the sandbox's commands."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("ended_by_term")
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_while_it_starts_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, raised: type[BaseException]
) -> None:
    """The signal waits until the process is recorded, then ends the block and the process."""
    pids: list[int] = []
    monkeypatch.setattr(Interrupted, "number", number)
    monkeypatch.setattr(Interrupted, "pids", pids, raising=False)
    monkeypatch.setattr("sandbox.child.subprocess.Popen", Interrupted)
    handler = signal.getsignal(number)

    with pytest.raises(raised), child.process_group(["sleep", "60"], environ=os.environ):
        pytest.fail("the block was entered")

    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert signal.getsignal(number) is handler
