"""The default Object Lock retention of an AIStor bucket, as a dynamic resource; pulumi-minio 0.17.1 has none.

The rule: deleting the resource keeps the bucket's retention, so that its records do not become deletable by accident.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
"""

from typing import TYPE_CHECKING, Any, ClassVar

import pulumi
from botocore.exceptions import ClientError
from pulumi import dynamic

from infra.bucket_setting import BucketSettingProvider

if TYPE_CHECKING:
    from model.plan import Retention


class DefaultRetentionProvider(BucketSettingProvider):
    """Puts and reads `ObjectLockConfiguration.Rule.DefaultRetention` with boto3."""

    compared: ClassVar[tuple[str, ...]] = ("mode", "days")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Set the retention."""
        self._put(props)
        return dynamic.CreateResult(id_=props["bucket"], outs=self.outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the live retention; only NoSuchBucket means that the resource is gone."""
        with self.client(props) as client:
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
        return dynamic.ReadResult(id_=id_, outs={**self.outputs(props), "mode": found.get("Mode", ""), "days": days})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Set the new retention; stored objects keep theirs."""
        self._put(_news)
        return dynamic.UpdateResult(outs=self.outputs(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the bucket's retention alone; it disappears with the bucket."""

    def _put(self, props: dict[str, Any]) -> None:
        with self.client(props) as client:
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
