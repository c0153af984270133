"""The keys that a user has on the server, read with the provisioning admin's own credentials.

The rule: only a person removes a key that the state does not hold. The one exception is a key that an interrupted
update provably created. This module never requests a secret. It leaves out what a state holds.

Last use: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html. MinIO records neither the
last use of a key nor when it was made.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from infra import room_for_keys
from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.settings import AistorSettings, Settings

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class KeysError(Exception):
    """The server refused a request about a user's keys or did not answer it; the message gives the reason."""


@dataclass(frozen=True)
class LastUse:
    """The last use of a key.

    Attributes:
        at: When; None for a key that was never used.
        of: The service and region, if the server records them.
    """

    at: datetime | None
    of: str = ""


class LiveKeys(Protocol):
    """The operations on a user's keys."""

    def of(self, user_name: str) -> list[str]:
        """The access keys of a user; empty if the user does not exist."""

    def last_use(self, access_key_id: str) -> LastUse | None:
        """The last use of a key; None if the server does not record it."""

    def age(self, user_name: str, access_key_id: str) -> timedelta | None:
        """How long ago the server made a key, by the server's clock, to 1 s; None if the server does not record it."""

    def remove(self, user_name: str, access_key_id: str) -> None:
        """Remove a key; a missing key is not an error."""


def removal_line(settings: Settings, user_name: str, access_key_id: str) -> str:
    """The command with which a person removes a key that the state does not hold."""
    if settings.cloud == "aws":
        return room_for_keys.removal_line(user_name, access_key_id)
    return f"mc admin accesskey rm ALIAS {access_key_id}"


@contextmanager
def live_keys(settings: Settings) -> Iterator[LiveKeys]:
    """The keys of a stack's server, for the duration of the context.

    Raises:
        KeysError: The server refused a request or did not answer.
    """
    own = settings.aistor
    if own is not None:
        with _of_aistor(own, settings.region) as keys:
            yield keys
        return
    with _of_aws(settings.region) as keys:
        yield keys


@contextmanager
def _of_aistor(own: AistorSettings, region: str) -> Iterator[LiveKeys]:
    with AdminApi.of(own, region) as api:
        try:
            yield _AistorKeys(api)
        except AdminApiError as error:
            raise KeysError(f"cannot read a user's keys from {own.endpoint.url}: {error}") from None


@dataclass(frozen=True)
class _AistorKeys:
    api: AdminApi

    def of(self, user_name: str) -> list[str]:
        return [account["accessKey"] for account in self.api.service_accounts(user_name).get("accounts") or []]

    def last_use(self, access_key_id: str) -> LastUse | None:
        del access_key_id
        return None

    def age(self, user_name: str, access_key_id: str) -> timedelta | None:
        del user_name, access_key_id
        return None

    def remove(self, user_name: str, access_key_id: str) -> None:
        del user_name
        try:
            self.api.delete_service_account(access_key_id)
        except NotFoundError:
            return


@contextmanager
def _of_aws(region: str) -> Iterator[LiveKeys]:
    # Imported only here, because importing boto3 takes a second.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        with closing(boto3.session.Session().client("iam", region_name=region)) as client:
            yield _AwsKeys(client)
    except ClientError as error:
        said = error.response.get("Error", {})
        raise KeysError(
            f"IAM refused {error.operation_name} ({said.get('Code')}: {said.get('Message')}); the credentials come "
            "from the SDK's own chain"
        ) from None
    except BotoCoreError as error:
        raise KeysError(f"cannot reach IAM: {error}") from None


@dataclass(frozen=True)
class _AwsKeys:
    client: "IAMClient"

    def of(self, user_name: str) -> list[str]:
        try:
            pages = self.client.get_paginator("list_access_keys").paginate(UserName=user_name)
            return [key["AccessKeyId"] for page in pages for key in page["AccessKeyMetadata"]]
        except self.client.exceptions.NoSuchEntityException:
            return []

    def last_use(self, access_key_id: str) -> LastUse | None:
        found = self.client.get_access_key_last_used(AccessKeyId=access_key_id)["AccessKeyLastUsed"]
        at = found.get("LastUsedDate")
        return LastUse(at, f"{found['ServiceName']} in {found['Region']}" if at else "")

    def age(self, user_name: str, access_key_id: str) -> timedelta | None:
        for page in self.client.get_paginator("list_access_keys").paginate(UserName=user_name):
            answered = page["ResponseMetadata"]["HTTPHeaders"].get("date")
            for key in page["AccessKeyMetadata"]:
                if key["AccessKeyId"] == access_key_id and answered is not None:
                    return parsedate_to_datetime(answered) - key["CreateDate"]
        return None

    def remove(self, user_name: str, access_key_id: str) -> None:
        try:
            self.client.delete_access_key(UserName=user_name, AccessKeyId=access_key_id)
        except self.client.exceptions.NoSuchEntityException:
            return
