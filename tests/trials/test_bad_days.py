"""Bad days: the table agrees with the docs. tests/e2e/test_bad_days.py rehearses."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.resources import By
from sandbox.child import signals_held
from trials.bad_days import __main__ as rehearsals
from trials.bad_days.__main__ import REMOVED
from trials.bad_days.days import DAYS, BadDay
from trials.bad_days.lines import DOCS, Section, lines_of
from trials.bad_days.places import in_sandbox
from trials.bad_days.rehearsal import Outcome
from trials.bad_days.stack import BadDayError, Stack
from trials.checkout import Checkout

BLOCK = "<!-- not run: `make bad-days` runs it -->\n```sh\npulumi up\n```\n"


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_every_day_has_lines(day: BadDay) -> None:
    """The page that a person follows gives the lines of each day, and they end with a proof of the store."""
    lines = lines_of(day.section)

    assert lines.rstrip().endswith("object-store verify --stack local")


def test_every_block_for_a_bad_day_is_rehearsed() -> None:
    """No section of the page promises a rehearsal that no day runs."""
    text = (DOCS / "operations.md").read_text(encoding="utf-8")

    rehearsed_ones = {day.section for day in DAYS if day.section.page == "operations.md"}

    assert text.count("`make bad-days`") >= len(rehearsed_ones)
    assert sum(text.count(f"### {section.heading}\n") for section in rehearsed_ones) == len(rehearsed_ones)


def test_names_are_different() -> None:
    """A name on the command line chooses one day."""
    assert len({day.name for day in DAYS}) == len(DAYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Page\n", "has no section"),
        ("### Lost\n\n```sh\npulumi up\n```\n", "no block"),
        (f"### Lost\n\n{BLOCK}\n{BLOCK}", "2 blocks"),
    ],
)
def test_page_without_lines_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """A section that is gone, or has no block or two for the rehearsal, is named."""
    (tmp_path / "page.md").write_text(text, encoding="utf-8")

    with pytest.raises(LookupError, match=message):
        lines_of(Section("page.md", "Lost"), tmp_path)


@pytest.mark.parametrize(
    "error", [BadDayError("the server does not answer"), TimeoutError("240 s"), KeyError("no such user")]
)
@pytest.mark.parametrize(
    ("fails", "wrong"),
    [
        ({"deployed"}, [DAYS[0].name]),
        ({"rehearsed"}, [DAYS[0].name]),
        ({"removed"}, [REMOVED]),
        ({"rehearsed", "removed"}, [DAYS[0].name, REMOVED]),
    ],
    ids=lambda value: "-".join(sorted(value)),
)
def test_error_anywhere_is_a_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: set[str], wrong: list[str], error: Exception
) -> None:
    """An error while a stack is made, damaged or removed is a bad result, and the other days are still rehearsed."""
    steps: list[str] = []

    def step(name: str) -> Outcome:
        steps.append(name)
        if name in fails and steps.count(name) == 1:
            raise error
        return Outcome(())

    @contextmanager
    def place(folder: Path, by: By) -> Iterator[Stack]:
        step("deployed")
        try:
            yield Stack(Checkout(folder), by)
        finally:
            step("removed")

    monkeypatch.setattr(rehearsals, "rehearse", lambda *_: step("rehearsed"))

    found = list(rehearsals.rehearsed("v4", DAYS[:2], tmp_path, place))

    assert [name for name, _, outcome in found if outcome.wrong] == wrong
    assert all(error.args[0] in text for _, _, outcome in found for text in outcome.wrong)
    assert {day.name for day in DAYS[:2]} <= {name for name, _, _ in found}
    assert steps.count("removed") == steps.count("deployed") - ("deployed" in fails)
    assert steps[-1] == "removed"


@pytest.mark.parametrize("moment", ["deployed", "rehearsed"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signal_ends_the_rehearsal_and_the_stack_is_removed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: str,
    number: signal.Signals,
    status: int,
) -> None:
    """The day ends, its stack and its folder are removed, also if a second signal comes meanwhile."""
    steps: list[str] = []

    def step(name: str) -> Outcome:
        steps.append(name)
        if name in (moment, "removing"):
            signal.raise_signal(number)
        return Outcome(())

    @contextmanager
    def place(folder: Path, by: By, domains: Sequence[str] | None) -> Iterator[Stack]:
        folder.mkdir(parents=True)
        steps.append(str(folder))
        assert domains is None
        try:
            step("deployed")
            yield Stack(Checkout(folder), by)
        finally:
            with signals_held():
                step("removing")
                step("removed")

    monkeypatch.setattr(rehearsals, "rehearse", lambda *_: step("rehearsed"))
    monkeypatch.setattr(rehearsals, "in_sandbox", place)

    assert rehearsals.main(["--by", "v4"]) == status

    folder, *done = steps
    assert done == ["deployed", *(["rehearsed"] if moment == "rehearsed" else []), "removing", "removed"]
    assert not Path(folder).exists()
    assert capsys.readouterr().err == "interrupted\n"


def test_removal_from_the_sandbox_is_not_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A signal waits until the server is down."""
    done: list[str] = []

    def run(_checkout: Checkout, *arguments: str) -> str:
        if arguments[1] == "down":
            signal.raise_signal(signal.SIGINT)
        done.append(arguments[1])
        return ""

    monkeypatch.setattr(Checkout, "must", run)
    monkeypatch.setattr(Stack, "set_config", lambda *_, **__: None)
    monkeypatch.setattr(Stack, "must", lambda *_: "")

    with pytest.raises(KeyboardInterrupt), in_sandbox(tmp_path / "new", "v4"):
        pass

    assert done == ["up", "down"]
