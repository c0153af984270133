"""The plan on AIStor, by pulumi-minio 0.17.1, and identities by the admin API v4 where the settings say so.

The rule: everything that writes to one bucket is chained. The plugin's writes of versioning and lifecycle at the same
time lose one of the two on a real server, silently (measured: a green `up` whose rules were gone at the next refresh).
It leaves out abort-multipart, transitions, public-access block, ownership controls, SSE-S3 and tags: the backend has
none of them, and the deployment says so.
"""

import pulumi
import pulumi_minio as minio

from infra.retention import DefaultRetention
from infra.settings import AistorSettings, Settings
from infra.store import Credential, bucket_options
from model.plan import BucketPlan, IdentityPlan, LifecycleRule, StorePlan
from model.policies import as_json, identity_policy, service_account_policy
from model.resources import About, logical_name
from model.taxonomy import BandName


class AistorStore(pulumi.ComponentResource):
    """**Pulumi type:** `object-store:storage:AistorStore`. All buckets and identities of a plan on AIStor.

    Produces for each bucket `S3Bucket`, `S3BucketVersioning` (warm), `DefaultRetention` (cold), `IlmPolicy`; for each
    identity `IamUser`, `IamPolicy`, `IamUserPolicyAttachment`, `IamServiceAccount`, or with `adminApi: v4` those of
    `infra.identity`.

    Attributes:
        buckets: By domain, the bucket resources.
        credentials: By identity, the keys of its service accounts, one for each live generation.
    """

    def __init__(
        self,
        name: str,
        plan: StorePlan,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare everything in the plan; `settings.aistor` must be there."""
        if settings.aistor is None:
            raise ValueError("AistorStore needs the settings of an aistor stack")
        provider = aistor_provider(settings.aistor, settings.region)
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[provider]))
        super().__init__("object-store:storage:AistorStore", name, None, opts)
        self.buckets = {bucket.domain: self._bucket(bucket, settings) for bucket in plan.buckets}
        self.credentials = self._identities(plan, settings.aistor, settings.region)
        self.register_outputs({"bucket_names": [bucket.name for bucket in plan.buckets]})

    def _bucket(self, plan: BucketPlan, settings: Settings) -> minio.S3Bucket:
        bucket = minio.S3Bucket(
            plan.domain,
            bucket=plan.name,
            acl="private",
            object_locking=plan.locked,
            force_destroy=settings.empty_on_destroy and plan.band is not BandName.COLD,
            opts=bucket_options(self, plan, protect=settings.protect),
        )
        last: pulumi.Resource = bucket
        if plan.retention is not None and settings.aistor is not None:
            last = DefaultRetention(
                logical_name(plan.domain, About.RETENTION),
                bucket=bucket.bucket,
                retention=plan.retention,
                endpoint=settings.aistor.endpoint.url,
                region=settings.region,
                ca_pem=settings.aistor.ca_pem,
                opts=bucket_options(self, plan, About.RETENTION, after=last),
            )
        elif plan.versioned:
            # Not on locked buckets: lock implies versioning, and there the resource could never be deleted.
            last = minio.S3BucketVersioning(
                logical_name(plan.domain, About.VERSIONING),
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=bucket_options(self, plan, About.VERSIONING, after=last),
            )
        minio.IlmPolicy(
            logical_name(plan.domain, About.LIFECYCLE),
            bucket=bucket.bucket,
            rules=[lifecycle_rule(rule) for rule in plan.rules],
            opts=bucket_options(self, plan, About.LIFECYCLE, after=last),
        )
        return bucket

    def _identities(self, plan: StorePlan, settings: AistorSettings, region: str) -> dict[str, Credential]:
        if settings.admin_api == "v3":
            return {identity.name: self._identity(plan, identity) for identity in plan.identities}
        # Imported where chosen: a stack of the plugin's needs no client of the admin API.
        from infra.identity.declared import declare_identities  # noqa: PLC0415

        return declare_identities(self, plan, settings, region)

    def _identity(self, plan: StorePlan, identity: IdentityPlan) -> Credential:
        child = pulumi.ResourceOptions(parent=self)
        user = minio.IamUser(logical_name(identity.name, About.USER), name=identity.user_name, opts=child)
        policy = minio.IamPolicy(
            logical_name(identity.name, About.POLICY),
            name=identity.user_name,
            policy=as_json(identity_policy(plan, identity, "aistor")),
            opts=child,
        )
        attachment = minio.IamUserPolicyAttachment(
            logical_name(identity.name, About.ATTACHMENT), user_name=user.name, policy_name=policy.name, opts=child
        )

        def key(generation: int) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
            account = minio.IamServiceAccount(
                logical_name(identity.name, About.KEY, generation),
                target_user=user.name,
                policy=as_json(service_account_policy(plan, identity)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
            )
            return account.access_key, account.secret_key

        return Credential.of_generations(identity.credential, key)


def aistor_provider(settings: AistorSettings, region: str) -> minio.Provider:
    """The explicit provider; the plugin takes `host:port` and refuses a scheme."""
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
    """A rule in the plugin's form; what AIStor has no field for is left out, as the deployment says."""
    return minio.IlmPolicyRuleArgs(
        id=rule.id,
        filter=rule.prefix or None,
        expiration=None if rule.expire_after_days is None else f"{rule.expire_after_days}d",
        noncurrent_version_expiration_days=rule.expire_noncurrent_after_days,
    )
