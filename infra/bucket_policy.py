"""An AIStor bucket without a bucket policy, as a dynamic resource; pulumi-minio 0.17.1 neither reads nor removes one.

The rule: the plan has no bucket policies on AIStor, so every one was put by hand and is removed. A refresh reads it
into the state, and the next update deletes it. Deleting the resource does nothing.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html
"""

from typing import Any, ClassVar

import pulumi
from botocore.exceptions import ClientError
from pulumi import dynamic

from infra.bucket_setting import BucketSettingProvider


class NoBucketPolicyProvider(BucketSettingProvider):
    """Deletes and reads the bucket policy with boto3."""

    compared: ClassVar[tuple[str, ...]] = ("policy",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Delete the policy, if there is one."""
        self._delete_policy(props)
        return dynamic.CreateResult(id_=props["bucket"], outs=self.outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the live policy; only NoSuchBucket means that the resource is gone."""
        with self.client(props) as client:
            try:
                found = client.get_bucket_policy(Bucket=id_)["Policy"]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "NoSuchBucket":
                    return dynamic.ReadResult(id_="", outs=dict(props))
                if code != "NoSuchBucketPolicy":
                    raise
                found = ""
        return dynamic.ReadResult(id_=id_, outs={**self.outputs(props), "policy": found})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Delete the policy that a refresh has found."""
        self._delete_policy(_news)
        return dynamic.UpdateResult(outs=self.outputs(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the bucket as it is."""

    def _delete_policy(self, props: dict[str, Any]) -> None:
        with self.client(props) as client:
            try:
                client.delete_bucket_policy(Bucket=props["bucket"])
            except ClientError as error:
                # Amazon's S3 answers 204; not every server does.
                if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                    raise


class NoBucketPolicy(dynamic.Resource, module="storage", name="NoBucketPolicy"):
    """**Pulumi type:** `pulumi-python:dynamic/storage:NoBucketPolicy`. A bucket has no bucket policy.

    Outputs: `bucket`, `policy` (the live policy's text; empty for none), and the connection (`endpoint`, `region`,
    `ca_pem`), none of them secret.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        bucket: pulumi.Input[str],
        endpoint: str,
        region: str,
        ca_pem: str | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `endpoint` is a URL, `ca_pem` the text of a CA bundle, or None for the system's."""
        properties = {"bucket": bucket, "policy": "", "endpoint": endpoint, "region": region, "ca_pem": ca_pem or ""}
        super().__init__(NoBucketPolicyProvider(), resource_name, properties, opts)
