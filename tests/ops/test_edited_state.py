"""States that a hand has edited: each reader refuses one with a message, or does what it says.

What the engine exports has the types of its own form, unless somebody else wrote it; `stack.state` checks them.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.settings import settings_from
from model.resources import About, By
from ops.adopt.adoptable import held
from ops.identities_in_state import Place, StateError, moved
from ops.keys.standing_keys import being_made, standing_keys, written_at
from ops.preflight.stack import state_facts
from ops.provider_in_state import names_another_server, with_access
from ops.recover.interrupted import taken_up
from ops.recover.lost import Cause, Live, causes, held_in
from ops.recover.surgery import operated
from stack import state as states
from stack.runner import EngineError
from tests.ops.recover.states import ACCOUNT, exported
from tests.sizes import sized

SEEDS = sized(150, 5000)
CONFIG = {
    "cloud": "aistor",
    "env": "local",
    "endpoint": "https://127.0.0.1:9000",
    "adminUser": "provisioner",
    "adminPassword": "planted-admin-password",
}
SETTINGS = settings_from(CONFIG, "local", Path(), {})
PLACE = Place("local", "object-store", {"endpoint": "x"}, {})
VALUES: tuple[object, ...] = (None, "planted", 7, True, [], {}, [None], {"planted": None})
READERS: tuple[Callable[[dict[str, Any]], object], ...] = (
    held,
    lambda state: operated(state, causes(found := held_in(state), dict.fromkeys(found, Live.GONE))),
    lambda state: operated(state, [Cause(one, Live.OFF) for one in held_in(state) if one.what is About.KEY]),
    lambda state: taken_up(state, ACCOUNT),
    lambda state: moved(state, "v3", PLACE),
    lambda state: moved(state, "v4", PLACE),
    lambda state: with_access(state, SETTINGS, {}),
    lambda state: names_another_server(state, SETTINGS),
    standing_keys,
    being_made,
    written_at,
    state_facts,
)


def whole(by: By) -> dict[str, Any]:
    """A state with a manifest and a pending operation."""
    state = exported(by)
    state["deployment"]["manifest"] = {"time": "2026-11-25T04:46:27Z"}
    state["deployment"]["pending_operations"] = [
        {"type": "creating", "resource": copy.deepcopy(state["deployment"]["resources"][-1])}
    ]
    return state


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """The way to each part of a document."""
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in named:
        yield (*above, name)
        yield from places(part, (*above, name))


def edited(state: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    """The state with one part removed, doubled, or replaced by a value of another type."""
    *way, last = chosen.choice([way for way in places(state) if way[0] == "deployment"])
    part: Any = state
    for name in way:
        part = part[name]
    how = chosen.choice(("remove", "double", "replace"))
    if how == "remove":
        del part[last]
    elif how == "double" and isinstance(part, list):
        part.append(copy.deepcopy(part[last]))
    else:
        part[last] = chosen.choice(VALUES)
    return state


@pytest.mark.parametrize("by", ["v3", "v4", "aws"])
def test_edited_state_ends_with_a_message(by: By, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a state that is missing or has another type ends a command with a traceback."""
    refused = 0
    for seed in range(SEEDS):
        document = edited(whole(by), random.Random(f"{by} {seed}"))  # noqa: S311 - a seed makes the same edit each time
        monkeypatch.setattr(states, "read_json", lambda *_, stack, found=document: found if stack else None)
        try:
            state = states.read_state("local")
        except EngineError as error:
            refused += 1
            assert "the state of local is malformed: deployment" in str(error), seed
            assert "planted" not in str(error), seed
            continue
        for reader in READERS:
            before = json.dumps(state)
            try:
                reader(state)
            except (EngineError, StateError) as error:
                assert str(error), seed
            assert json.dumps(state) == before, seed

    assert SEEDS / 10 < refused < SEEDS


@pytest.mark.parametrize("by", ["v3", "v4", "aws"])
def test_whole_state_is_accepted(by: By, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an edit nothing is refused, nor are the parts that Pulumi leaves out or writes as null."""
    monkeypatch.setattr(states, "read_json", lambda *_, **__: whole(by))
    assert states.read_state("local") == whole(by)
    for empty in ({}, {"deployment": None}, {"deployment": {"resources": None, "pending_operations": None}}):
        monkeypatch.setattr(states, "read_json", lambda *_, found=empty, **__: found)
        assert states.read_state("local") == empty
