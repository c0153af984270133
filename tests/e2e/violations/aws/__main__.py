"""A program that breaks each policy once on AWS's types; the breaking resource has the policy's name."""

import json

import pulumi
import pulumi_aws as aws

WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}]})
ANYBODY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {
                    "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
                },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
            }
        ],
    }
)

own = pulumi.ResourceOptions(provider=aws.Provider("aws", region="us-west-2"))


def tls_only(name: str) -> str:
    """The policy that every bucket must have."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def bucket(
    name: str,
    *,
    called: str | None = None,
    protect: bool = True,
    emptied: bool = False,
    block: bool = True,
    policy: str | None = None,
) -> pulumi.Output[str]:
    """A bucket that breaks only the policies that its arguments break."""
    called = called or f"joelclaw-test-usw2-{name}"
    made = aws.s3.Bucket(
        name,
        bucket=called,
        object_lock_enabled=False,
        force_destroy=emptied,
        opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(protect=protect)),
    )
    aws.s3.BucketPublicAccessBlock(
        f"{name}-block",
        bucket=made.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=block,
        opts=own,
    )
    aws.s3.BucketPolicy(f"{name}-policy", bucket=made.bucket, policy=policy or tls_only(called), opts=own)
    return made.bucket


def lifecycle(name: str, on: pulumi.Output[str], band: str = "hot", days: int | None = 14) -> None:
    """A band's lifecycle."""
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=on,
        rules=[
            {
                "id": f"band-{band}",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": days} if days else None,
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
            }
        ],
        opts=own,
    )


lifecycle("sound-lifecycle", bucket("sound"))
lifecycle("bucket-name-lifecycle", bucket("bucket-name", called="not-by-the-convention"))
lifecycle("bucket-protect-lifecycle", bucket("bucket-protect", protect=False))
lifecycle("bucket-force-destroy-lifecycle", bucket("bucket-force-destroy", emptied=True))
lifecycle("lifecycle-limits", bucket("limits"), days=6)
twice = bucket("bucket-lifecycle")
lifecycle("first-lifecycle", twice)
lifecycle("second-lifecycle", twice)
lifecycle("band-versioning-lifecycle", bucket("band-versioning"), "warm", 180)
lifecycle("cold-lifecycle", bucket("cold-retention"), "cold", None)
lifecycle("public-access-block-lifecycle", bucket("public-access-block", block=False))
lifecycle("tls-only-lifecycle", bucket("tls-only", policy=tls_only("joelclaw-test-usw2-another")))

aws.iam.Policy("wildcard-grants", name="wide", policy=WIDE, opts=own)
aws.iam.Role("role-trust", name="anybody", assume_role_policy=ANYBODY, opts=own)
user = aws.iam.User("user-force-destroy", name="somebody", force_destroy=True, opts=own)
key = aws.iam.AccessKey("key-maker", user=user.name, opts=own)
pulumi.export("secretKey", key.secret)
