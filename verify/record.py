"""Facts in a file: an audit record that can be judged again later, without a store and without credentials.

The rule: the file holds the deployment, the selection and the facts, and no secret. A file of another version is
refused. The JSON report, which holds the findings for programs, is here too.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from model.deployment import Deployment
from model.problems import on_screen
from model.secrecy.redaction import redacted
from model.whole_file import write_whole
from model.written import WrittenError
from model.written_json import read_json_file
from verify.checks import Finding
from verify.facts import Answer, Facts
from verify.report.truth import truth_lines
from verify.selection import Part, Selection
from verify.target import CannotRunError

VERSION: Literal[1] = 1
_FIELD = {
    Part.SMOKE: "probe",
    Part.OBJECTS: "objects",
    Part.LINKS: "links",
    Part.LOCK: "lock",
    Part.STRANGERS: "strangers",
    Part.AUDIT: "audit",
}
# A listing without the object, and a HEAD without the header.
_MAY_BE_NULL = (".probe.listed", ".probe.expiry")


@dataclass(frozen=True)
class Record:
    """What a run found, and everything that is needed to judge it.

    Attributes:
        version: The version of this format.
        deployment: What the store should be.
        selection: Which facts were gathered.
        facts: What the store is.
    """

    version: Literal[1]
    deployment: Deployment
    selection: Annotated[Selection, Field(alias="wish")]  # as version 1 of the file has it
    facts: Facts


_RECORD = TypeAdapter(Record)


def save_record(path: Path, deployment: Deployment, selection: Selection, facts: Facts) -> None:
    """Write the record.

    Raises:
        CannotRunError: The file cannot be written.
    """
    content = _RECORD.dump_python(Record(VERSION, deployment, selection, facts), mode="json", by_alias=True)
    # Sets have no order, and the same record must give the same file.
    content["wish"] = {key: sorted(v) if isinstance(v, list) else v for key, v in content["wish"].items()}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_record(path: Path) -> Record:
    """Read a record.

    Raises:
        CannotRunError: The file is missing, of another version, or malformed.
    """
    try:
        content = read_json_file(path)
    except WrittenError as error:
        raise CannotRunError(str(error)) from None
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise CannotRunError(
            f"{path}: facts of version {version!r}, but this checkout reads version {VERSION}; "
            "`python -m verify --save-facts FILE` writes it"
        )
    try:
        record = _RECORD.validate_json(json.dumps(content))
    except ValidationError as error:
        places = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)[:3])
        raise CannotRunError(on_screen(f"{path}: malformed facts at {places}")) from None
    if empty := [*_without_facts(record), *_without_answers(record.facts, "facts")]:
        shown = ", ".join(empty[:3])
        raise CannotRunError(on_screen(f"{path}: no facts at {shown}, which its selection says were gathered"))
    return record


def _without_facts(record: Record) -> Iterator[str]:
    """The places of parts that are selected and have no facts: to pass over them would be to prove nothing."""
    facts, selection, plan = record.facts, record.selection, record.deployment.plan
    if not facts.door.open:
        return
    if Part.STORE in selection.parts and facts.store is None:
        yield "facts.store"
    if Part.AUDIT in selection.parts and facts.audit is None:
        yield "facts.audit"
    for bucket in selection.chosen(plan):
        found = facts.buckets.get(bucket.name)
        for part, name in _FIELD.items():
            is_tried = part in selection.parts and (part is not Part.LOCK or bucket.locked)
            if is_tried and found is not None and getattr(found, name) is None:
                yield f"facts.buckets.{bucket.name}.{name}"


def _without_answers(value: object, place: str) -> Iterator[str]:
    """The places of answers with neither a value nor an error, where a value of null means nothing."""
    if isinstance(value, Answer):
        if value.value is None and value.code is None and not place.endswith(_MAY_BE_NULL):
            yield place
    elif is_dataclass(value):
        for one in fields(value):
            yield from _without_answers(getattr(value, one.name), f"{place}.{one.name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _without_answers(one, f"{place}.{key}")


def json_report(deployment: Deployment, selection: Selection, facts: Facts, findings: Sequence[Finding]) -> str:
    """The findings as JSON, with the stack, the endpoint and the time."""
    counts = Counter(finding.status.value for finding in findings)
    report: dict[str, Any] = {
        "version": VERSION,
        "stack": deployment.stack,
        "cloud": deployment.cloud,
        "endpoint": facts.door.endpoint,
        "run_id": facts.run_id,
        "taken_at": facts.taken_at,
        "requests": facts.requests,
        "gave_up": facts.gave_up,
        "untried_cells": selection.untried(deployment.plan),
        "counts": dict(sorted(counts.items())),
        "unsupported": [item.model_dump() for item in deployment.unsupported],
        "by_plan_and_in_truth": [
            {
                "who": line.who,
                "planned": line.planned,
                "truth": line.truth,
                "status": line.status,
                "areas": [asdict(area) for area in line.areas],
            }
            for line in truth_lines(deployment, facts)
        ],
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a report.

    Raises:
        CannotRunError: The file cannot be written; an old report is unchanged.
    """
    try:
        # The text holds answers of the server, which may repeat a secret.
        write_whole(path, redacted(text))
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be written: {error.strerror}") from None
