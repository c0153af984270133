"""Implements the plan on AIStor: buckets with pulumi-minio 0.17.1, identities with it (v3) or `infra.identity` (v4).

The rule: all writes to one bucket are chained. If the plugin writes versioning and lifecycle at the same time, a real
server silently loses one of the two (measured: a green `up` whose rules were gone at the next refresh).
It leaves out abort-multipart, transitions, public-access block, ownership controls, SSE-S3 and tags: the backend
supports none of them, and the deployment says so.
"""

from collections.abc import Sequence

import pulumi
import pulumi_minio as minio

from infra.bucket_policy import NoBucketPolicy
from infra.retention import DefaultRetention
from infra.settings import AistorSettings, Settings
from infra.store import Credential, bucket_options, declare_attached, policy_steps
from model.plan import BucketPlan, IdentityPlan, LifecycleRule, StorePlan
from model.policies import as_json, identity_policies, service_account_policy
from model.policy_order import FormerPolicies, Number, Step
from model.resources import About, logical_name, numbered
from model.taxonomy import BandName


class AistorStore(pulumi.ComponentResource):
    """**Pulumi type:** `object-store:storage:AistorStore`. All buckets and identities of a plan on AIStor.

    Declares for each bucket `S3Bucket`, `S3BucketVersioning` (warm), `DefaultRetention` (cold), `IlmPolicy`,
    `NoBucketPolicy`; for each
    identity the resources of `infra.identity`, or in a stack of the admin API v3 `IamUser`, `IamPolicy` and
    `IamUserPolicyAttachment` (as many as the size limit needs), `IamServiceAccount`.

    Attributes:
        buckets: The bucket resources, by domain.
        credentials: The keys of each identity's service accounts, one for each valid generation, by identity.
    """

    def __init__(
        self,
        name: str,
        plan: StorePlan,
        settings: Settings,
        former: FormerPolicies,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare everything in the plan; requires `settings.aistor`, with its `admin_api` decided."""
        if settings.aistor is None or settings.aistor.admin_api is None:
            raise ValueError("AistorStore needs the settings of an aistor stack, and its admin API")
        provider = aistor_provider(settings.aistor, settings.region)
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[provider]))
        super().__init__("object-store:storage:AistorStore", name, None, opts)
        self.buckets = {bucket.domain: self._bucket(bucket, settings, settings.aistor) for bucket in plan.buckets}
        self.credentials = self._identities(plan, settings.aistor, settings.region, former)
        self.register_outputs({"bucket_names": [bucket.name for bucket in plan.buckets]})

    def _bucket(self, plan: BucketPlan, settings: Settings, own: AistorSettings) -> minio.S3Bucket:
        bucket = minio.S3Bucket(
            plan.domain,
            bucket=plan.name,
            acl="private",
            object_locking=plan.locked,
            force_destroy=settings.empty_on_destroy and plan.band is not BandName.COLD,
            opts=bucket_options(self, plan, protect=settings.protect),
        )
        last: pulumi.Resource = bucket
        if plan.retention is not None:
            last = DefaultRetention(
                logical_name(plan.domain, About.RETENTION),
                bucket=bucket.bucket,
                retention=plan.retention,
                endpoint=own.endpoint.url,
                region=settings.region,
                ca_pem=own.ca_pem,
                opts=bucket_options(self, plan, About.RETENTION, after=last),
            )
        elif plan.versioned:
            # Not on locked buckets: object lock implies versioning, and the resource could never be deleted there.
            last = minio.S3BucketVersioning(
                logical_name(plan.domain, About.VERSIONING),
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=bucket_options(self, plan, About.VERSIONING, after=last),
            )
        last = minio.IlmPolicy(
            logical_name(plan.domain, About.LIFECYCLE),
            bucket=bucket.bucket,
            rules=[lifecycle_rule(rule) for rule in plan.rules],
            opts=bucket_options(self, plan, About.LIFECYCLE, after=last, keep=settings.protect),
        )
        NoBucketPolicy(
            logical_name(plan.domain, About.BUCKET_POLICY),
            bucket=bucket.bucket,
            endpoint=own.endpoint.url,
            region=settings.region,
            ca_pem=own.ca_pem,
            opts=bucket_options(self, plan, About.BUCKET_POLICY, after=last),
        )
        return bucket

    def _identities(
        self, plan: StorePlan, settings: AistorSettings, region: str, former: FormerPolicies
    ) -> dict[str, Credential]:
        if settings.admin_api == "v3":
            return {identity.name: self._identity(plan, identity, former) for identity in plan.identities}
        # Imported only if chosen: a stack that uses the plugin needs no admin API client.
        from infra.identity.declared import declare_identities  # noqa: PLC0415

        return declare_identities(self, plan, settings, region, former)

    def _identity(self, plan: StorePlan, identity: IdentityPlan, former: FormerPolicies) -> Credential:
        child = pulumi.ResourceOptions(parent=self)
        user = minio.IamUser(logical_name(identity.name, About.USER), name=identity.user_name, opts=child)

        def policy(step: Step, after: Sequence[pulumi.Resource]) -> minio.IamPolicy:
            return minio.IamPolicy(
                logical_name(identity.name, About.POLICY, step.number),
                name=numbered(identity.user_name, step.number),
                policy=as_json(step.document),
                opts=pulumi.ResourceOptions(parent=self, depends_on=after),
            )

        def attached(number: Number, policy: minio.IamPolicy) -> pulumi.Resource:
            return minio.IamUserPolicyAttachment(
                logical_name(identity.name, About.ATTACHMENT, number),
                user_name=user.name,
                policy_name=policy.name,
                opts=child,
            )

        steps = policy_steps(identity, identity_policies(plan, identity, "aistor"), former)
        attachments = declare_attached(steps, policy, attached)

        def key(generation: int) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
            account = minio.IamServiceAccount(
                logical_name(identity.name, About.KEY, generation),
                target_user=user.name,
                policy=as_json(service_account_policy(plan, identity)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=attachments),
            )
            return account.access_key, account.secret_key

        return Credential.of_generations(identity.credential, key)


def aistor_provider(settings: AistorSettings, region: str) -> minio.Provider:
    """The explicit provider; the plugin expects `host:port` and refuses a scheme."""
    return minio.Provider(
        "aistor",
        minio_server=settings.endpoint.host_port,
        minio_ssl=settings.endpoint.tls,
        minio_cacert_file=settings.ca_file,
        minio_region=region,
        minio_user=settings.admin_user,
        minio_password=pulumi.Output.secret(settings.admin_password),
    )


def lifecycle_rule(rule: LifecycleRule) -> minio.IlmPolicyRuleArgs:
    """A rule in the plugin's form, without the parts that AIStor does not support (see the deployment)."""
    return minio.IlmPolicyRuleArgs(
        id=rule.id,
        filter=rule.prefix or None,
        expiration=None if rule.expire_after_days is None else f"{rule.expire_after_days}d",
        noncurrent_version_expiration_days=rule.expire_noncurrent_after_days,
    )
