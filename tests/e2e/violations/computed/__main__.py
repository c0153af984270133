"""A program that breaks two policies with values that only an update knows."""

import json

import pulumi
import pulumi_aws as aws

own = pulumi.ResourceOptions(provider=aws.Provider("aws", region="us-west-2"))
bucket = aws.s3.Bucket(
    "bucket",
    bucket="joelclaw-test-usw2-computed",
    object_lock_enabled=False,
    opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(protect=True)),
)
block = aws.s3.BucketPublicAccessBlock(
    "block",
    bucket=bucket.bucket,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
    opts=own,
)
lifecycle = aws.s3.BucketLifecycleConfiguration(
    "lifecycle",
    bucket=bucket.bucket,
    rules=[
        {
            "id": "band-hot",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "expiration": {"days": 14},
        }
    ],
    opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[block])),
)
statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
aws.s3.BucketPolicy(
    "policy",
    bucket=bucket.bucket,
    policy=bucket.arn.apply(
        lambda arn: json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": f"{arn}/*"}]})
    ),
    opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[lifecycle])),
)
