"""The keys that a user has on the server, asked with the provisioning admin's own credentials.

The rule: a key that the state does not hold is nobody's to remove but a person's, or of an update that was interrupted
while it made that very key. No secret is ever asked for. It leaves out what a state holds.

Last use: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html. MinIO keeps none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.settings import AistorSettings, Settings

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class KeysError(Exception):
    """The server did not tell, or did not do, what was asked of a user's keys; the message says what."""


@dataclass(frozen=True)
class LastUse:
    """When and for what a key was used last.

    Attributes:
        at: When; None for a key that was never used.
        of: For which service and region, where the server tells.
    """

    at: datetime | None
    of: str = ""


class LiveKeys(Protocol):
    """What can be asked of a user's keys."""

    def of(self, user_name: str) -> list[str]:
        """The access keys of a user; none where there is no such user."""

    def last_use(self, access_key_id: str) -> LastUse | None:
        """The last use of a key; None where the server keeps none."""

    def remove(self, user_name: str, access_key_id: str) -> None:
        """Remove a key; one that is gone already is no error."""


@contextmanager
def live_keys(settings: Settings) -> Iterator[LiveKeys]:
    """The keys of a stack's server, as long as the context.

    Raises:
        KeysError: Whatever the server said, as a sentence.
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
    with AdminApi(
        endpoint=own.endpoint.url,
        region=region,
        ca_pem=own.ca_pem,
        access_key_id=own.admin_user,
        secret_access_key=own.admin_password,
    ) as api:
        try:
            yield _AistorKeys(api)
        except AdminApiError as error:
            raise KeysError(f"{own.endpoint.url} does not tell of a user's keys: {error}") from None


@dataclass(frozen=True)
class _AistorKeys:
    api: AdminApi

    def of(self, user_name: str) -> list[str]:
        return [account["accessKey"] for account in self.api.service_accounts(user_name).get("accounts") or []]

    def last_use(self, access_key_id: str) -> LastUse | None:
        del access_key_id
        return None

    def remove(self, user_name: str, access_key_id: str) -> None:
        del user_name
        try:
            self.api.delete_service_account(access_key_id)
        except NotFoundError:
            return


@contextmanager
def _of_aws(region: str) -> Iterator[LiveKeys]:
    # Imported where chosen, as boto3 costs a second.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = boto3.session.Session().client("iam", region_name=region)
    try:
        yield _AwsKeys(client)
    except ClientError as error:
        said = error.response.get("Error", {})
        raise KeysError(
            f"IAM refused {error.operation_name} ({said.get('Code')}: {said.get('Message')}); the credentials are "
            "those of the SDK's own chain"
        ) from None
    except BotoCoreError as error:
        raise KeysError(f"IAM could not be asked: {error}") from None
    finally:
        client.close()


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

    def remove(self, user_name: str, access_key_id: str) -> None:
        try:
            self.client.delete_access_key(UserName=user_name, AccessKeyId=access_key_id)
        except self.client.exceptions.NoSuchEntityException:
            return
