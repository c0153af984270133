"""The table of contract cases that no language owns: `cases/*.json`, and how a case is held against a driver.

A case has a `fact` and `steps`. A step says what to do (`do`) with what (`bucket`, `key`, `body`, …) and what that
`gives`: every field that is named there must be equal, and others may be more. `save` names the result, and
`$NAME.FIELD` stands for a field of it. A body is `{"text": …}` or `{"pattern": LENGTH}`, and goes in as bytes, or by
`as` as a stream or a file. Keys and prefixes are below the test's own prefix, except in a `whole` case.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

FOLDER = Path(__file__).parent / "cases"


class Driver(Protocol):
    """One language's adapter on one server."""

    def do(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Do one step, and return its result, or `error` and `message`."""

    def opened(self, url: str, body: bytes | None) -> tuple[int, bytes]:
        """The server's answer to a presigned URL, with a body for a put."""


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        fact: What must hold.
        steps: What is done, in order.
        whole: Whether keys are as they are, without a prefix.
    """

    fact: str
    steps: tuple[dict[str, Any], ...]
    whole: bool


def cases_of(name: str) -> list[Case]:
    """The cases of one file."""
    given = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [Case(one["fact"], tuple(one["steps"]), one.get("whole", False)) for one in given]


def body_of(given: Mapping[str, Any]) -> bytes:
    """The bytes of a body."""
    if "text" in given:
        return str(given["text"]).encode()
    whole, rest = divmod(int(given["pattern"]), 8)
    return b"".join(number.to_bytes(8, "big") for number in range(whole)) + b"\xff" * rest


def check(case: Case, driver: Driver, bucket: str, prefix: str, folder: Path) -> None:
    """Do the steps, and hold each result against what the case says. Raise AssertionError."""
    saved: dict[str, Any] = {}
    before = "" if case.whole else prefix
    for number, step in enumerate(case.steps):
        asked = {**{name: _filled(value, saved) for name, value in step.items()}, "bucket": step.get("bucket", bucket)}
        wanted, name = asked.pop("gives"), asked.pop("save", None)
        for field in ("key", "prefix"):
            if field in asked:
                asked[field] = before + asked[field]
        asked.setdefault("prefix", before)
        if asked.get("body", {}).get("as") == "file":
            path = folder / f"body-{number}"
            path.write_bytes(body_of(asked["body"]))
            asked["body"] = {"path": str(path)}
        if asked["do"] == "downloadFile":
            asked["path"] = str(folder / f"back-{number}")
        result = driver.do({key: value for key, value in asked.items() if key not in {"gives", "text"}})
        if asked["do"] == "downloadFile" and "error" not in result:
            result["body"] = hashlib.sha256(Path(asked["path"]).read_bytes()).hexdigest()
        _held(wanted, result, before, driver, f"{case.fact} step {number}: {result}")
        if "text" in step:
            assert json.dumps(result["ref"], ensure_ascii=False, separators=(",", ":")) == step["text"], case.fact
        if name is not None:
            saved[name] = result


def _held(wanted: Mapping[str, Any], result: dict[str, Any], prefix: str, driver: Driver, where: str) -> None:
    assert ("error" in result) == ("error" in wanted), where
    for field, value in wanted.items():
        match field:
            case "body":
                assert result["body"] == hashlib.sha256(body_of(value)).hexdigest(), where
            case "opens":
                assert driver.opened(result["url"], None) == (200, body_of(value)), where
            case "takes":
                assert driver.opened(result["url"], body_of(value))[0] == 200, where
            case "refs":
                assert len(result["refs"]) == len(value), where
                for each, found in zip(value, result["refs"], strict=True):
                    _ref_held(each, found, prefix, where)
            case "ref":
                _ref_held(value, result["ref"], prefix, where)
            case _:
                assert result.get(field) == value, where


def _ref_held(wanted: Mapping[str, Any], found: Mapping[str, Any], prefix: str, where: str) -> None:
    for field, value in wanted.items():
        is_ours = field == "key" and not str(value).startswith(prefix)
        assert found[field] == (prefix + value if is_ours else value), where


def _filled(value: Any, saved: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what JSON holds
    """A value with its `$NAME.FIELD` replaced."""
    if isinstance(value, dict):
        return {name: _filled(each, saved) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, saved) for each in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    name, *fields = value[1:].split(".")
    found = saved[name]
    for field in fields:
        found = found[field]
    return found
