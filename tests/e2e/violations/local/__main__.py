"""A program that breaks each policy once on AIStor's types; the breaking resource has the policy's name."""

import json

import pulumi
import pulumi_minio as minio

from infra.retention import DefaultRetention
from model.plan import Retention
from model.taxonomy import RetentionMode

WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
NARROW = WIDE.replace("s3:*", "s3:GetObject")

provider = minio.Provider("aistor", minio_server="127.0.0.1:1", minio_user="nobody", minio_password="planted-password")
own = pulumi.ResourceOptions(provider=provider)


def bucket(
    name: str,
    *,
    called: str | None = None,
    protect: bool = True,
    emptied: bool = False,
    acl: str = "private",
    locked: bool = False,
) -> pulumi.Output[str]:
    """A bucket that breaks only the policies that its arguments break."""
    made = minio.S3Bucket(
        name,
        bucket=called or f"joelclaw-test-usw2-{name}",
        acl=acl,
        object_locking=locked,
        force_destroy=emptied,
        opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(protect=protect)),
    )
    return made.bucket


def lifecycle(name: str, on: pulumi.Output[str], band: str = "hot", days: int | None = 14) -> None:
    """A band's lifecycle."""
    rule = minio.IlmPolicyRuleArgs(id=f"band-{band}", expiration=f"{days}d" if days else None)
    minio.IlmPolicy(name, bucket=on, rules=[rule], opts=own)


lifecycle("sound-lifecycle", bucket("sound"))
lifecycle("bucket-name-lifecycle", bucket("bucket-name", called="not-by-the-convention"))
lifecycle("bucket-protect-lifecycle", bucket("bucket-protect", protect=False))
lifecycle("bucket-force-destroy-lifecycle", bucket("bucket-force-destroy", emptied=True))
lifecycle("bucket-acl-lifecycle", bucket("bucket-acl", acl="public-read"))
lifecycle("lifecycle-limits", bucket("limits"), days=31)
bucket("bucket-lifecycle")
lifecycle("band-versioning-lifecycle", bucket("band-versioning"), "warm", 180)

cold = bucket("cold-retention", locked=True)
lifecycle("cold-lifecycle", cold, "cold", None)
DefaultRetention(
    "cold-default",
    bucket=cold,
    retention=Retention(mode=RetentionMode.GOVERNANCE, days=364),
    endpoint="https://127.0.0.1:1",
    region="us-east-1",
    ca_pem=None,
)

minio.IamPolicy("wildcard-grants", name="wide", policy=WIDE, opts=own)
user = minio.IamUser("user-force-destroy", name="somebody", force_destroy=True, opts=own)


class Store(pulumi.ComponentResource):
    """A substitute for the program's own store, which may create keys."""

    def __init__(self) -> None:
        """Declare one key without a policy."""
        super().__init__(
            "object-store:storage:AistorStore", "store", None, pulumi.ResourceOptions(providers=[provider])
        )
        self.key = minio.IamServiceAccount(
            "service-account-policy", target_user=user.name, opts=pulumi.ResourceOptions(parent=self)
        )


key = Store().key
minio.IamServiceAccount("key-maker", target_user=user.name, policy=NARROW, opts=own)
pulumi.export("credentials", pulumi.Output.secret({"somebody": key.secret_key}))
pulumi.export("secretKey", key.secret_key)
