"""Asks IAM which users, roles, policies, attachments and access keys of a state exist, and which keys are inactive.

The rule: only `NoSuchEntity` means gone, and only in the state's own account: in another one everything would seem to
be gone.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from model.resources import About
from ops.recover.lost import CannotTellError, Held, Live

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

AT_ONCE = 8
_ABSENT = "NoSuchEntity"
_ACTIVE = "Active"


def live_identities(client: "IAMClient", held: Sequence[Held]) -> dict[Held, Live]:
    """What IAM says of each resource of an identity.

    Raises:
        CannotTellError: IAM refused a question or did not answer it.
    """
    questions: dict[About, Callable[[Held], Live]] = {
        About.USER: lambda one: _there(one, partial(client.get_user, UserName=one.of)),
        About.ROLE: lambda one: _there(one, partial(client.get_role, RoleName=one.of)),
        About.POLICY: lambda one: _there(one, partial(client.get_policy, PolicyArn=one.id)),
        About.ATTACHMENT: lambda one: _attached(
            one, partial(_pages, client, "list_attached_user_policies", UserName=one.of)
        ),
        About.ROLE_ATTACHMENT: lambda one: _attached(
            one, partial(_pages, client, "list_attached_role_policies", RoleName=one.of)
        ),
        About.KEY: lambda one: _key(one, partial(_pages, client, "list_access_keys", UserName=one.of)),
    }
    asked = [one for one in held if one.what in questions]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(asked, pool.map(lambda one: questions[one.what](one), asked), strict=True))


def check_account(account: str, held: Sequence[Held]) -> None:
    """Refuse credentials of another account than the state's, which the ids of its policies name.

    Raises:
        CannotTellError: The account is another one.
    """
    others = sorted({one.id.split(":")[4] for one in held if one.what is About.POLICY} - {account})
    if others:
        raise CannotTellError(
            f"the credentials are of account {account}, but the state's policies are of {', '.join(others)}: set "
            "AWS_PROFILE to a profile of that account (`aws sts get-caller-identity` shows it)"
        )


def _pages(client: "IAMClient", operation: str, **who: str) -> list[dict[str, Any]]:
    return list(client.get_paginator(operation).paginate(**who))  # type: ignore[call-overload]  # one overload each


def _there(one: Held, question: Callable[[], Any]) -> Live:
    return Live.GONE if _asked(one, question) is None else Live.THERE


def _attached(one: Held, question: Callable[[], Any]) -> Live:
    arns = {policy["PolicyArn"] for page in _asked(one, question) or [] for policy in page["AttachedPolicies"]}
    return Live.THERE if one.policy in arns else Live.GONE


def _key(one: Held, question: Callable[[], Any]) -> Live:
    pages = _asked(one, question) or []
    status = {key["AccessKeyId"]: key["Status"] for page in pages for key in page["AccessKeyMetadata"]}
    if one.id not in status:
        return Live.GONE
    return Live.THERE if status[one.id] == _ACTIVE else Live.OFF


def _asked(one: Held, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - each question's own answer
    try:
        return question()
    except ClientError as error:
        said = error.response["Error"]
        if said["Code"] == _ABSENT:
            return None
        reason = f"IAM answered {said['Code']} to {error.operation_name}"
    except BotoCoreError as error:
        reason = str(error)
    raise CannotTellError(f"cannot tell whether the {one.what.value} of {one.of} is there: {reason}") from None
