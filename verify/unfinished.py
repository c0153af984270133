"""Why a run could not finish, in one sentence, and the facts that say so in every report.

The rule: the sentence says what happened and where. It has one line and no secret.
"""

import traceback
from datetime import UTC, datetime
from pathlib import Path

from model.problems import InvalidInputError
from model.secrecy.redaction import redacted
from object_store import ObjectStoreError
from stack.runner import EngineError
from verify.facts import NOT_TRIED, Answer, DoorFacts, Facts
from verify.probe.answers import LocalFaultError, local_fault
from verify.probe.seeds import new_run_id
from verify.target import CannotRunError

_ROOT = Path(__file__).parents[1]
_SAID = (CannotRunError, EngineError, InvalidInputError, LocalFaultError, ObjectStoreError)
_LONGEST_CHARACTERS = 300


def reason_of(error: BaseException) -> str:
    """The sentence for an error. The errors that `verify` raises itself speak for themselves."""
    if isinstance(error, _SAID):
        text = str(error)
    else:
        fault = local_fault(error)
        text = str(fault) if fault is not None else _fault_of_ours(error)
    if isinstance(error, LocalFaultError) or local_fault(error) is not None:
        text = f"this machine, not the server, stopped it: {text}"
    return redacted(" ".join(text.split()))


def _fault_of_ours(error: BaseException) -> str:
    """The kind of the error, its text, and the last line of this project that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    place = f" at {Path(frames[-1].filename).relative_to(_ROOT)}:{frames[-1].lineno}" if frames else ""
    told = str(error)[:_LONGEST_CHARACTERS]
    return f"{type(error).__name__}{place}{f': {told}' if told else ''}"


def _is_ours(file: str) -> bool:
    path = Path(file)
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts


def unfinished_facts(endpoint: str, reason: str) -> Facts:
    """The facts of a run that ended before it had any."""
    door = DoorFacts(endpoint, Answer(code=NOT_TRIED, said=reason), None)
    return Facts(new_run_id(), datetime.now(UTC).isoformat(timespec="seconds"), door, gave_up=reason)
