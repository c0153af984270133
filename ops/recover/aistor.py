"""Asks AIStor's admin API which users, policies, attachments and keys of a state exist, and which are switched off.

The rule: only the server's "no such user, policy or account" means gone. An answer without the field that decides is
a `CannotTellError`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.admin_api import AdminApi, AdminApiError, CannotShowError, NotFoundError
from infra.identity.service_account import ON
from infra.identity.user import ENABLED
from model.resources import About
from ops.recover.lost import CannotTellError, Held, Live

AT_ONCE = 8
_USER_STATUS = (ENABLED, "disabled")
_ACCOUNT_STATUS = (ON, "off")


def live_identities(api: AdminApi, held: Sequence[Held]) -> dict[Held, Live]:
    """What the server says of each resource of an identity; keys of a missing user need no question.

    Raises:
        CannotTellError: The server refused a question, did not answer it, or answered without what decides.
    """
    names = sorted({one.of for one in held if one.what in (About.USER, About.ATTACHMENT, About.KEY)})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        users = dict(zip(names, pool.map(lambda name: _user(api, name), names), strict=True))
        policies = [one for one in held if one.what is About.POLICY]
        keys = [one for one in held if one.what is About.KEY and users[one.of] is not None]
        found = dict(zip(policies, pool.map(lambda one: _policy(api, one), policies), strict=True))
        found |= zip(keys, pool.map(lambda one: _key(api, one), keys), strict=True)
    for one in held:
        if one.what in (About.USER, About.ATTACHMENT, About.KEY) and one not in found:
            found[one] = _of_user(users[one.of], one)
    return found


def _user(api: AdminApi, name: str) -> dict[str, Any] | None:
    user = _found(f"user {name}", api.user, name)
    if user is not None:
        _decided(f"user {name}", user, "status", _USER_STATUS)
    return user


def _of_user(user: dict[str, Any] | None, one: Held) -> Live:
    if user is None:
        return Live.GONE
    if one.what is About.ATTACHMENT:
        return Live.THERE if one.policy in str(user.get("policyName", "")).split(",") else Live.GONE
    return Live.THERE if user.get("status") == ENABLED else Live.OFF


def _policy(api: AdminApi, one: Held) -> Live:
    try:
        policy = _found(f"policy {one.id}", api.policy, one.id)
    except CannotShowError:
        return Live.THERE  # it differs from the plan; `model.remedies` has the line
    if policy is None:
        return Live.GONE
    _decided(f"policy {one.id}", policy, "Statement")
    return Live.THERE


def _key(api: AdminApi, one: Held) -> Live:
    what = f"key {one.id} of user {one.of}"
    account = _found(what, api.service_account, one.id)
    if account is None:
        return Live.GONE
    owner = _decided(what, account, "parentUser")
    if owner != one.of:
        raise CannotTellError(f"cannot tell whether {what} is there: it is a key of user {owner}")
    return Live.THERE if _decided(what, account, "accountStatus", _ACCOUNT_STATUS) == ON else Live.OFF


def _decided(what: str, answer: dict[str, Any], field: str, legal: Sequence[str] = ()) -> Any:  # noqa: ANN401 - JSON
    """The field of an answer that decides.

    Raises:
        CannotTellError: The answer does not have it, or has another value than the legal ones.
    """
    value = answer.get(field)
    is_there = value not in (None, "")
    if is_there and (not legal or value in legal):
        return value
    said = f"{field} {value!r}, not {' or '.join(legal)}" if is_there else f"no {field}"
    raise CannotTellError(f"cannot tell whether {what} is there: the server's answer has {said}")


def _found(what: str, question: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any] | None:
    try:
        return question(name)
    except NotFoundError:
        return None
    except CannotShowError:
        raise
    except AdminApiError as error:
        raise CannotTellError(f"cannot tell whether {what} is there: {error}") from None
