"""The default Object Lock retention of an AIStor bucket, as a dynamic resource; pulumi-minio 0.17.1 has none.

The rule: the state contains only a pickled reference to `DefaultRetentionProvider` (it has no fields). The admin's keys
are never an input: the provider reads them from the stack's config or the environment when it starts. Deleting the
resource keeps the bucket's retention, so that its records do not become deletable by accident.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
"""

import os
from typing import TYPE_CHECKING, Any

import pulumi
from botocore.exceptions import ClientError
from pulumi import dynamic

from infra.admin_credentials import admin_credentials
from infra.namespace import NAMESPACE
from infra.s3_client import open_client

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

    from model.plan import Retention

_COMPARED = ("mode", "days", "endpoint", "region", "ca_pem")


class DefaultRetentionProvider(dynamic.ResourceProvider):
    """Puts and reads `ObjectLockConfiguration.Rule.DefaultRetention` with boto3."""

    _user: str
    _password: str

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Read the admin's keys from the stack's config or the environment."""
        self._user, self._password = admin_credentials(req.config.get, os.environ, f"{NAMESPACE}:")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Set the retention; the id is the bucket's name."""
        self._put(props)
        return dynamic.CreateResult(id_=props["bucket"], outs=_outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the live retention; only NoSuchBucket means that the resource is gone."""
        with _client(props, self._user, self._password) as client:
            try:
                answer = client.get_object_lock_configuration(Bucket=id_)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "NoSuchBucket":
                    return dynamic.ReadResult(id_="", outs=dict(props))
                if code != "ObjectLockConfigurationNotFoundError":
                    raise
                found: dict[str, Any] = {}
            else:
                found = dict(answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {}))
        days = found.get("Days") or 365 * found.get("Years", 0)
        return dynamic.ReadResult(id_=id_, outs={**_outputs(props), "mode": found.get("Mode", ""), "days": days})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the resource for another bucket; update it in place for other changes."""
        changed = [key for key in _COMPARED if _same_number(_olds.get(key)) != _same_number(_news.get(key))]
        replaces = ["bucket"] if _olds["bucket"] != _news["bucket"] else []
        return dynamic.DiffResult(changes=bool(changed or replaces), replaces=replaces)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Set the new retention; stored objects keep theirs."""
        self._put(_news)
        return dynamic.UpdateResult(outs=_outputs(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the bucket's retention alone; it disappears with the bucket."""

    def _put(self, props: dict[str, Any]) -> None:
        with _client(props, self._user, self._password) as client:
            client.put_object_lock_configuration(
                Bucket=props["bucket"],
                ObjectLockConfiguration={
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Mode": props["mode"], "Days": int(props["days"])}},
                },
            )


class DefaultRetention(dynamic.Resource, module="storage", name="DefaultRetention"):
    """**Pulumi type:** `pulumi-python:dynamic/storage:DefaultRetention`. A locked bucket's default retention.

    Outputs: `bucket`, `mode`, `days`, and the connection (`endpoint`, `region`, `ca_pem`), none of them secret.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        bucket: pulumi.Input[str],
        retention: "Retention",
        endpoint: str,
        region: str,
        ca_pem: str | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the retention; `endpoint` is a URL, `ca_pem` the text of a CA bundle, or None for the system's."""
        properties = {
            "bucket": bucket,
            "mode": retention.mode.value,
            "days": retention.days,
            "endpoint": endpoint,
            "region": region,
            "ca_pem": ca_pem or "",
        }
        super().__init__(DefaultRetentionProvider(), resource_name, properties, opts)


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in ("bucket", *_COMPARED)}


def _same_number(value: object) -> object:
    """Numbers as floats, because Pulumi sends them so."""
    return float(value) if isinstance(value, int | float) else value


def _client(props: dict[str, Any], user: str, password: str) -> "AbstractContextManager[S3Client]":
    return open_client(
        endpoint=props["endpoint"],
        region=props["region"],
        ca_pem=props["ca_pem"] or None,
        access_key_id=user,
        secret_access_key=password,
    )
