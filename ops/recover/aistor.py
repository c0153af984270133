"""Asks AIStor's admin API which users, policies, attachments and keys of a state exist, and which are switched off.

The rule: only the server's "no such user, policy or account" means gone.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.identity.service_account import ON
from infra.identity.user import ENABLED
from model.resources import About
from ops.recover.lost import CannotTellError, Held, Live

AT_ONCE = 8


def live_identities(api: AdminApi, held: Sequence[Held]) -> dict[Held, Live]:
    """What the server says of each resource of an identity; keys of a missing user need no question.

    Raises:
        CannotTellError: The server refused a question or did not answer it.
    """
    names = sorted({one.of for one in held if one.what in (About.USER, About.ATTACHMENT, About.KEY)})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        users = dict(zip(names, pool.map(lambda name: _found(f"user {name}", api.user, name), names), strict=True))
        policies = [one for one in held if one.what is About.POLICY]
        keys = [one for one in held if one.what is About.KEY and users[one.of] is not None]
        found = dict(zip(policies, pool.map(lambda one: _policy(api, one), policies), strict=True))
        found |= zip(keys, pool.map(lambda one: _key(api, one), keys), strict=True)
    for one in held:
        if one.what in (About.USER, About.ATTACHMENT, About.KEY) and one not in found:
            found[one] = _of_user(users[one.of], one)
    return found


def _of_user(user: dict[str, Any] | None, one: Held) -> Live:
    if user is None:
        return Live.GONE
    if one.what is About.ATTACHMENT:
        return Live.THERE if one.policy in str(user.get("policyName", "")).split(",") else Live.GONE
    return Live.THERE if user.get("status") == ENABLED else Live.OFF


def _policy(api: AdminApi, one: Held) -> Live:
    return Live.GONE if _found(f"policy {one.id}", api.policy, one.id) is None else Live.THERE


def _key(api: AdminApi, one: Held) -> Live:
    account = _found(f"key {one.id} of user {one.of}", api.service_account, one.id)
    if account is None:
        return Live.GONE
    return Live.THERE if account.get("accountStatus") == ON else Live.OFF


def _found(what: str, question: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any] | None:
    try:
        return question(name)
    except NotFoundError:
        return None
    except AdminApiError as error:
        raise CannotTellError(f"cannot tell whether {what} is there: {error}") from None
