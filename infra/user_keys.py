"""Reads the access keys that users have on AWS.

The rule: it asks only about the users that get a new key, and for the last use only where there is no room.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html and
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.aws_client import ABSENT, AT_ONCE, chain_session, open_aws
from infra.moves import KEYS_PER_USER
from infra.room_for_keys import UserKey
from infra.settings import Settings
from model.problems import InvalidInputError, Problem

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_NOT_ALLOWED = "AccessDenied"


def keys_of_users(new: Mapping[str, int], settings: Settings) -> dict[str, Sequence[UserKey]]:
    """The access keys of each user; none of a user that does not exist.

    Args:
        new: How many keys each user gets.
        settings: The stack's settings.

    Raises:
        InvalidInputError: AWS does not say.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see `infra.aws_client`

    if not new:
        return {}
    try:
        with open_aws(chain_session(), "iam", settings.region) as iam, ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(new, pool.map(lambda user: _keys(iam, user, new[user]), new), strict=True))
    except (BotoCoreError, ClientError) as error:
        wrong = f"cannot tell whether the stack's users have room for new access keys: AWS answers {error}"
        legal = "an admin that may list access keys (object-store admin-policy)"
        paste = f"object-store preflight --stack {settings.stack}"
        raise InvalidInputError([Problem("the SDK's credential chain", wrong, legal, paste)]) from None


def _keys(iam: "IAMClient", user: str, new: int) -> list[UserKey]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see `infra.aws_client`

    try:
        listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]  # a user has two at most: one page
    except ClientError as error:
        if error.response["Error"].get("Code") == ABSENT:
            return []
        raise
    keys = [UserKey(one["AccessKeyId"], one["CreateDate"]) for one in listed]
    return keys if len(keys) + new <= KEYS_PER_USER else [_with_last_use(iam, key) for key in keys]


def _with_last_use(iam: "IAMClient", key: UserKey) -> UserKey:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see `infra.aws_client`

    try:
        answer = iam.get_access_key_last_used(AccessKeyId=key.access_key_id)["AccessKeyLastUsed"]
    except ClientError as error:
        if error.response["Error"].get("Code") == _NOT_ALLOWED:
            return key
        raise
    return replace(key, used_at=answer.get("LastUsedDate"), use_is_known=True)
