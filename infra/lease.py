"""Reads the output of a lease of the owner's secrets CLI (agent-secrets), in both forms that are in use.

The rule: it returns a value only if the lease succeeded, because a failed lease exits 0 and prints its error in place
of the value. No message contains the printed text. Pure: it does not run the CLI.

Forms: v0.4.1 prints `{"success": …, "message": …, "data": {"value": …}}`; from v0.5.0 the value alone is the default
(https://github.com/joelhooks/agent-secrets).
"""

from model.written import WrittenError
from model.written_json import parse_json


class LeaseError(ValueError):
    """The lease failed, or its output is not a value."""


def leased_value(printed: str) -> str:
    """The value of a lease.

    Args:
        printed: The command's complete standard output.

    Raises:
        LeaseError: The CLI reported a failure, or printed nothing or several words.
    """
    text = printed.strip()
    if not text:
        raise LeaseError("the lease printed nothing")
    try:
        answer = parse_json(text, "lease")
    except WrittenError:
        answer = None
    if isinstance(answer, dict) and "success" in answer:
        data = answer.get("data") if answer["success"] is True else None
        value = data.get("value") if isinstance(data, dict) else None
        if not isinstance(value, str) or not value:
            raise LeaseError(f"the lease failed: {answer.get('message') or answer.get('error') or 'no reason given'}")
        return value
    if answer is None and len(text.split()) != 1:
        raise LeaseError("the lease printed several words, not a key; this is probably an error message of the CLI")
    return text
