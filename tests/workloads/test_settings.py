"""`workloads.yaml`: every mistake is named with its place, the legal values and the line to paste."""

from pathlib import Path
from typing import Any

import pytest

from model.problems import InvalidInputError
from workloads import settings
from workloads.settings import SOURCES, Workloads, load, parse

WINDOW = {"nas": "/n/o", "since": "2026-11-30", "reason": "both"}
HOME = {"claude-projects": "/one", "codex-sessions": "/two"}


def test_defaults_are_the_owners() -> None:
    """Without a file the sources are those of the owner's own backup, and nothing is removed."""
    found = Workloads()

    assert set(found.sessions.roots()) == set(SOURCES)
    assert found.sessions.roots()["claude-projects"] == Path.home() / ".claude/projects"
    assert found.sessions.prune is None


@pytest.mark.parametrize(
    ("content", "place", "wrong", "legal"),
    [
        ([], "w.yaml", "not a mapping", "sessions"),
        ({"machin": "x"}, "w.yaml: machin", "unknown key 'machin'", "machine"),
        ({"machine": "My Mac"}, "w.yaml: machine", "'My Mac'", "lower case"),
        ({"version": 2}, "w.yaml: version", "2 is not allowed", "1"),
        ({"sessions": {"source": {}}}, "w.yaml: sessions.source", "unknown key", "sources"),
        ({"sessions": {"renew_after_days": 180}}, "w.yaml: sessions.renew_after_days", "180", "179"),
        ({"sessions": {"alarm_after_days": 30}}, "w.yaml: sessions.alarm_after_days", "30", "29"),
        ({"sessions": {"prune": {"after_days": 6, "sources": ["codex-sessions"]}}}, "prune.after_days", "6", "7"),
        (
            {"sessions": {"prune": {"after_days": 7, "sources": ["codex"]}}},
            "prune.sources",
            "'codex'",
            "codex-sessions",
        ),
        ({"sessions": {"sources": dict.fromkeys(SOURCES)}}, "sessions.sources", "every source is off", "one source"),
        ({"store": {"deployment": "/d"}}, "w.yaml: store", "without the other", "both"),
        ({"store": {"deployment": "/d", "credentials": "/c", "variables": "/v"}}, "store", "two places", "one of them"),
        ({"machine": "a" * 64}, "w.yaml: machine", "is not allowed", "at most 63"),
        ({"state": "state"}, "w.yaml: state", "'state'", "an absolute path"),
        ({"receipts": "~nobody-has-this-name/x"}, "w.yaml: receipts", "'~nobody", "an absolute path"),
        ({"store": {"variables": "archiver.env"}}, "w.yaml: store.variables", "'archiver.env'", "an absolute path"),
        ({"sessions": {"sources": {"a": ""}}}, "w.yaml: sessions.sources.a", "''", "an absolute path"),
        ({"sessions": {"sources": {"a": "/x\0y"}}}, "w.yaml: sessions.sources.a", "x00y", "an absolute path"),
        ({"window": {"session": None}}, "w.yaml: window.session", "unknown key", "sessions, vault, otel"),
        ({"window": {"vault": {"nas": "/n", "since": "2026-11-30"}}}, "window.vault.reason", "is missing", "a value"),
        ({"window": {"vault": WINDOW | {"nas": "n"}}}, "window.vault.nas", "'n'", "an absolute path"),
        ({"window": {"vault": WINDOW | {"since": "soon"}}}, "window.vault.since", "'soon'", "a date, or a time"),
        (
            {"window": {"vault": WINDOW | {"since": "2026-11-30T04:00:00"}}},
            "window.vault.since",
            "T04",
            "with its zone",
        ),
        ({"window": {"vault": WINDOW | {"reason": ""}}}, "window.vault.reason", "''", "at least 1 character"),
        ({"window": {"vault": WINDOW, "sessions": WINDOW}}, "window.vault.nas", "window.sessions.nas", "of its own"),
        ({"window": {"vault": WINDOW}, "vault": {"path": "/n"}}, "window.vault.nas", "vault.path", "of its own"),
        ({"sessions": []}, "w.yaml: sessions", "[] is not allowed", "the keys sources, renew_after_days"),
        ({"events": {"mounts": {"volume1": "/n"}}}, "w.yaml: events.mounts.volume1", "'volume1'", "by its own name"),
        ({"events": {"mounts": {"/v/../x": "/n"}}}, "events.mounts./v/../x", "is not allowed", "by its own name"),
        ({"events": {"mounts": {"/volume1": "/"}}}, "events.mounts./volume1", "'/'", "and not the root"),
        ({"events": {"folders": ["/"]}}, "w.yaml: events.folders.0", "'/'", "a folder, and not the root"),
        ({"events": {"folders": ["//"]}}, "w.yaml: events.folders.0", "'//'", "a folder, and not the root"),
        ({"events": {"folders": ["/x/.."]}}, "w.yaml: events.folders.0", "'/x/..'", "a folder, and not the root"),
        ({"events": {"folders": ["tmp"]}}, "w.yaml: events.folders.0", "'tmp'", "an absolute path"),
        ({"events": {"folder": []}}, "w.yaml: events.folder", "unknown key", "mounts, folders, store"),
        ({"events": {"store": {"deployment": "/d"}}}, "w.yaml: events.store", "without the other", "both"),
        ({"encryption": {"recipient": "x"}}, "w.yaml: encryption.recipient", "unknown key", "recipients_file"),
        ({"encryption": ["x"]}, "w.yaml: encryption", "the entry is not allowed", "none, or the keys recipients"),
    ],
)
def test_mistake_is_named(content: Any, place: str, wrong: str, legal: str) -> None:  # noqa: ANN401 - YAML holds anything
    """The message has the file, the key, what is wrong, and what is legal."""
    with pytest.raises(InvalidInputError) as caught:
        parse(content, "w.yaml")

    said = str(caught.value)
    assert place in said
    assert wrong in said
    assert legal in said
    assert "write:" in said
    assert "1 problem" in said


def test_every_mistake_is_named_at_once() -> None:
    """Two mistakes are two problems."""
    with pytest.raises(InvalidInputError) as caught:
        parse({"machin": "x", "sessions": {"every_days": 0}}, "w.yaml")

    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(("one", "two"), [("a", "a/b"), ("a/b", "a"), ("a", "a"), ("link", "a")])
def test_roots_that_overlap_are_refused(tmp_path: Path, one: str, two: str) -> None:
    """Also through a link."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    sources = {"claude-projects": str(tmp_path / one), "codex-sessions": str(tmp_path / two)}

    with pytest.raises(InvalidInputError, match="overlaps with"):
        parse({"sessions": {"sources": sources}}, "w.yaml")


@pytest.mark.parametrize("key", ["state", "receipts"])
def test_state_that_would_be_archived_is_refused(key: str) -> None:
    """Each run would change what it reads; the vault and the sessions alike."""
    for archived in ({"vault": {"path": "~/Vault"}}, {"sessions": {"sources": {"codex-sessions": "~/Vault"}}}):
        with pytest.raises(InvalidInputError, match=rf"{key}: ~/Vault/\.own is in .*, which is|is in (vault|sessions)"):
            parse({**archived, key: "~/Vault/.own"}, "w.yaml")


def test_file_is_chosen_by_option_variable_and_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option wins over the variable, the variable over the default, and none of them is needed."""
    for name in ("option", "variable", "default"):
        (tmp_path / name).write_text(f"machine: {name}\n")
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "default")
    environ = {settings.VARIABLE: str(tmp_path / "variable")}

    assert load(tmp_path / "option", environ)[0].machine == "option"
    assert load(None, environ)[0].machine == "variable"
    assert load(None, {})[0].machine == "default"
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "nothing")
    assert load(None, {})[0] == Workloads()
