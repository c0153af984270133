"""An event with its data as it came, and what its model says of it.

The rule: what is printed is what came, with what was added; no field of another producer goes or changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from model.problems import InvalidInputError, Problem, nearest
from object_store import ObjectRef
from object_store.written import json_of
from workloads.events.models import BY_NAME, EventData, Place

EVENT_BYTES: Final = 2**20
"""More than any event may have: a step's output and an event end at about 1 MB."""
_PASTE: Final = '{"name": "media/received", "data": {…}}'


class Form(StrEnum):
    """How an event leads to its bytes."""

    REFERENCE = "reference"
    PATH = "path"
    BOTH = "both"
    NEITHER = "neither"


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        name: Its name, as it came.
        given: Its data, as it came.
        data: Its data, by its model.
        envelope: What came beside name and data (`id`, `ts`, `user`).
    """

    name: str
    given: Mapping[str, Any]
    data: EventData
    envelope: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any], envelope: Mapping[str, Any] | None = None) -> Self:
        """Read the data of an event. Raise InvalidInputError."""
        model = _model(name)
        try:
            read = model.model_validate(dict(data))
        except ValidationError as error:
            raise InvalidInputError([_problem(name, fault) for fault in _faults(error)]) from None
        return cls(name, dict(data), read, dict(envelope or {}))

    @staticmethod
    def needs(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields that an event must have and this data lacks. Raise InvalidInputError if what it has is wrong."""
        try:
            _model(name).model_validate(dict(data))
        except ValidationError as error:
            lacking = [fault for fault in _faults(error) if fault["type"] == "missing" and len(fault["loc"]) == 1]
            wrong = [fault for fault in _faults(error) if fault not in lacking]
            if wrong:
                raise InvalidInputError([_problem(name, fault) for fault in wrong]) from None
            return tuple(str(fault["loc"][0]) for fault in lacking)
        return ()

    @classmethod
    def parse(cls, content: str | bytes) -> Self:
        """Read the JSON of an event, with `name` and `data`. Raise InvalidInputError."""
        legal = "a JSON object with name and data"
        if len(content) > EVENT_BYTES:
            raise InvalidInputError([Problem("the event", f"has more than {EVENT_BYTES} bytes", legal, _PASTE)])
        try:
            found = json_of(content)
        except UnicodeError:
            raise InvalidInputError([Problem("the event", "is not UTF-8", legal, _PASTE)]) from None
        except ValueError as fault:
            raise InvalidInputError([Problem("the event", f"is not JSON: {fault}", legal, _PASTE)]) from None
        is_event = isinstance(found, dict) and isinstance(found.get("name"), str)
        if not is_event or not isinstance(found.get("data"), dict):
            raise InvalidInputError([Problem("the event", "has no name and data", legal, _PASTE)])
        envelope = {name: value for name, value in found.items() if name not in ("name", "data")}
        return cls.of(found["name"], found["data"], envelope)

    @property
    def main(self) -> Place:
        """The place of its main reference."""
        return self.data.PLACES[0]

    def place(self, field: str) -> Place:
        """The place of a reference by its field; empty for the main one. Raise InvalidInputError."""
        for one in self.data.PLACES:
            if one.ref == (field or self.main.ref):
                return one
        legal = ", ".join(one.ref for one in self.data.PLACES)
        raise InvalidInputError([Problem("--field", f"{self.data.NAME} has no reference {field!r}", legal, legal)])

    def form(self, field: str = "") -> Form:
        """How it leads to the bytes of a reference: the main one, or another by its field."""
        place = self.place(field)
        by_path = any(self.given.get(name) for name in place.shims)
        if place.ref in self.given:
            return Form.BOTH if by_path else Form.REFERENCE
        return Form.PATH if by_path else Form.NEITHER

    def payload(self, field: str = "") -> dict[str, Any]:
        """What `object_store.resolve` reads: the reference, or the paths by their kind."""
        place = self.place(field)
        found: dict[str, Any] = {kind: self.given[name] for name, kind in place.shims.items() if self.given.get(name)}
        if place.ref in self.given:
            found["objectRef"] = self.given[place.ref]
        return found

    def completed(self, refs: Mapping[str, ObjectRef]) -> Self:
        """The event with further references. Raise InvalidInputError if it has no such field."""
        more = {self.place(name).ref: ref.model_dump(mode="json") for name, ref in refs.items()}
        return self.of(self.name, {**self.given, **more}, self.envelope)

    def to_dict(self) -> dict[str, Any]:
        """Name, data, and what came beside them."""
        return {"name": self.name, "data": dict(self.given), **self.envelope}

    def to_text(self) -> str:
        """Its JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=True)


def _model(name: str) -> type[EventData]:
    """The model of an event's data. Raise InvalidInputError without one."""
    if name in BY_NAME:
        return BY_NAME[name]
    legal = tuple(BY_NAME)
    write = f'"name": "{nearest(name, legal)}"'
    raise InvalidInputError([Problem("name", f"{name[:100]!r} carries no reference", ", ".join(legal), write)])


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_input=False, include_url=False)


def _problem(name: str, fault: Mapping[str, Any]) -> Problem:
    """What is wrong with a field; its value is not shown."""
    where = ".".join(str(part) for part in fault["loc"])[:200] or "data"
    text = str(fault["msg"]).removeprefix("Value error, ")
    file = f"schemas/events/{file_name(BY_NAME[name])}"
    return Problem(f"{name}: {where}", text, file, "the event as the schema says")


def file_name(model: type[EventData]) -> str:
    """The name of the file with its schema."""
    return f"{model.NAME.replace('/', '.')}.schema.json"
