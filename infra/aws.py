"""Implements the plan on AWS with pulumi-aws 7.x.

The rule: all settings of one bucket are chained (public access, ownership, encryption, versioning or lock, lifecycle,
policy), because S3 answers 409 OperationAborted to two changes at once. Each bucket has exactly one lifecycle
resource, because a second one silently empties the first (pulumi-aws issue 5187).
"""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.aws_role import declare_role, managed_policy
from infra.settings import AwsSettings, Settings
from infra.store import Credential, bucket_options, declare_attached, policy_steps
from model.plan import BucketPlan, IdentityPlan, LifecycleRule, StorePlan
from model.policies import as_json, bucket_policy, identity_policies
from model.policy_order import FormerPolicies, Number, Step
from model.resources import About, logical_name
from model.taxonomy import BandName
from model.trust import the_account


class AwsStore(pulumi.ComponentResource):
    """**Pulumi type:** `object-store:storage:AwsStore`. All buckets and identities of a plan on AWS.

    Declares for each bucket `Bucket`, `BucketPublicAccessBlock`, `BucketOwnershipControls`,
    `BucketServerSideEncryptionConfiguration`, `BucketVersioning` (warm) or `BucketObjectLockConfiguration` (cold),
    `BucketLifecycleConfiguration`, `BucketPolicy`; for each identity `User`, `Policy` (as many as the size limit
    needs), `UserPolicyAttachment`, `AccessKey`; for an identity with a trust those of `infra.aws_role` instead.

    Attributes:
        buckets: The bucket resources, by domain.
        credentials: The access keys of each identity without a role, one for each valid generation, by identity.
    """

    def __init__(
        self,
        name: str,
        plan: StorePlan,
        settings: Settings,
        former: FormerPolicies,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare everything in the plan; requires `settings.aws`."""
        if settings.aws is None:
            raise ValueError("AwsStore needs the settings of an aws stack")
        steps = {
            identity.name: policy_steps(identity, identity_policies(plan, identity, "aws"), former)
            for identity in plan.identities
        }
        provider = aws_provider(settings.aws, settings)
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[provider]))
        super().__init__("object-store:storage:AwsStore", name, None, opts)
        self.buckets = {bucket.domain: self._bucket(bucket, settings, settings.aws) for bucket in plan.buckets}
        self.credentials = {
            identity.name: self._identity(identity, steps[identity.name])
            for identity in plan.identities
            if identity.trust is None
        }
        account = the_account(settings.aws.allowed_account_ids)
        for identity in plan.identities:
            if identity.trust is not None and account is not None:  # `infra.program` has checked that
                declare_role(identity, identity.trust, steps[identity.name], account, self)
        self.register_outputs({"bucket_names": [bucket.name for bucket in plan.buckets]})

    def _bucket(self, plan: BucketPlan, settings: Settings, own: AwsSettings) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket(
            plan.domain,
            bucket=plan.name,
            # Only at creation: enabling it later replaces, and so destroys, the bucket.
            object_lock_enabled=plan.locked,
            force_destroy=settings.empty_on_destroy and plan.band is not BandName.COLD,
            opts=bucket_options(self, plan, protect=settings.protect),
        )

        last: pulumi.Resource = aws.s3.BucketPublicAccessBlock(
            logical_name(plan.domain, About.PUBLIC_ACCESS),
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=bucket_options(self, plan, About.PUBLIC_ACCESS, after=bucket, keep=settings.protect),
        )
        last = aws.s3.BucketOwnershipControls(
            logical_name(plan.domain, About.OWNERSHIP),
            bucket=bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=bucket_options(self, plan, About.OWNERSHIP, after=last, keep=settings.protect),
        )
        last = aws.s3.BucketServerSideEncryptionConfiguration(
            logical_name(plan.domain, About.ENCRYPTION),
            bucket=bucket.bucket,
            rules=[_encryption_rule(own)],
            opts=bucket_options(self, plan, About.ENCRYPTION, after=last, keep=settings.protect),
        )
        if plan.retention is not None:
            last = aws.s3.BucketObjectLockConfiguration(
                logical_name(plan.domain, About.RETENTION),
                bucket=bucket.bucket,
                rule={"default_retention": {"mode": plan.retention.mode.value, "days": plan.retention.days}},
                # Deleting it waits two minutes and then fails (terraform-provider-aws issue 33943). It would also
                # weaken a bucket that may survive. It disappears with the bucket.
                opts=bucket_options(self, plan, About.RETENTION, after=last, keep=True),
            )
        elif plan.versioned:
            last = aws.s3.BucketVersioning(
                logical_name(plan.domain, About.VERSIONING),
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=bucket_options(self, plan, About.VERSIONING, after=last),
            )
        last = aws.s3.BucketLifecycleConfiguration(
            logical_name(plan.domain, About.LIFECYCLE),
            bucket=bucket.bucket,
            rules=[lifecycle_rule(rule) for rule in plan.rules],
            opts=bucket_options(self, plan, About.LIFECYCLE, after=last, keep=settings.protect),
        )
        aws.s3.BucketPolicy(
            logical_name(plan.domain, About.BUCKET_POLICY),
            bucket=bucket.bucket,
            policy=as_json(bucket_policy(plan.name)),
            opts=bucket_options(self, plan, About.BUCKET_POLICY, after=last, keep=settings.protect),
        )
        return bucket

    def _identity(self, identity: IdentityPlan, steps: Sequence[Step]) -> Credential:
        child = pulumi.ResourceOptions(parent=self)
        user = aws.iam.User(logical_name(identity.name, About.USER), name=identity.user_name, opts=child)

        def attached(number: Number, policy: aws.iam.Policy) -> pulumi.Resource:
            return aws.iam.UserPolicyAttachment(
                logical_name(identity.name, About.ATTACHMENT, number),
                user=user.name,
                policy_arn=policy.arn,
                opts=child,
            )

        attachments = declare_attached(steps, managed_policy(identity, self), attached)

        def key(generation: int) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
            made = aws.iam.AccessKey(
                logical_name(identity.name, About.KEY, generation),
                user=user.name,
                opts=pulumi.ResourceOptions(parent=self, depends_on=attachments),
            )
            return made.id, made.secret

        return Credential.of_generations(identity.credential, key)


def aws_provider(own: AwsSettings, settings: Settings) -> aws.Provider:
    """The explicit provider, which refuses accounts that are not allowed; keys come from the SDK's credential chain."""
    return aws.Provider(
        "aws",
        region=settings.region,
        allowed_account_ids=list(own.allowed_account_ids) or None,
        default_tags={"tags": dict(settings.tags)},
    )


def lifecycle_rule(rule: LifecycleRule) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    """A rule in the provider's form."""
    expiration = rule.expire_after_days
    noncurrent = rule.expire_noncurrent_after_days
    abort = rule.abort_multipart_after_days
    transition = rule.transition
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id=rule.id,
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=rule.prefix),
        expiration=None
        if expiration is None
        else aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=expiration),
        noncurrent_version_expiration=None
        if noncurrent is None
        else aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(noncurrent_days=noncurrent),
        abort_incomplete_multipart_upload=None
        if abort is None
        else aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(days_after_initiation=abort),
        transitions=None
        if transition is None
        else [
            aws.s3.BucketLifecycleConfigurationRuleTransitionArgs(
                days=transition.after_days, storage_class=transition.storage_class
            )
        ],
    )


def _encryption_rule(own: AwsSettings) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    by_default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms" if own.kms_key_arn else "AES256", kms_master_key_id=own.kms_key_arn
    )
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=by_default, bucket_key_enabled=bool(own.kms_key_arn) or None
    )
