"""What the owner's secrets CLI (agent-secrets) prints for a lease, in both of the forms that are in use.

The rule: a value comes out only where the lease is known to have succeeded, because a failed one exits 0 and prints its
error where the value would stand. The printed text goes into no message. Pure: who runs the CLI is not decided here.

Forms: v0.4.1 prints `{"success": …, "message": …, "data": {"value": …}}`; from v0.5.0 the value alone is the default
(https://github.com/joelhooks/agent-secrets).
"""

import json


class LeaseError(ValueError):
    """There is no value: the lease failed, or what was printed is none."""


def leased_value(printed: str) -> str:
    """The value of a lease.

    Args:
        printed: All that the command wrote to its standard output.

    Raises:
        LeaseError: The CLI says that it failed, or printed nothing, or several words.
    """
    text = printed.strip()
    if not text:
        raise LeaseError("the lease printed nothing")
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and "success" in answer:
        value = (answer.get("data") or {}).get("value") if answer["success"] is True else None
        if not isinstance(value, str) or not value:
            raise LeaseError(f"the lease failed: {answer.get('message') or answer.get('error') or 'no reason given'}")
        return value
    if answer is None and len(text.split()) != 1:
        raise LeaseError("the lease printed several words, which no key is; most likely an error of the CLI")
    return text
