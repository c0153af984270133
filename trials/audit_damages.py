"""Damages that no trial can find, and the checks of the audit that find each: nothing that governs the store is unseen.

The rule: a damage is done to a running store by its administrator, makes exactly the named checks fail, and the finding
names what the damage did. Its remedy is then run as it is printed (`trials.remedy_lines`). `docs/verification.md` shows
this table.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model.policies import Cloud
from trials.stores import AwsIdentities, Store

BOTH: tuple[Cloud, ...] = ("aistor", "aws")
AISTOR: tuple[Cloud, ...] = ("aistor",)
AWS: tuple[Cloud, ...] = ("aws",)
SETTINGS, VERSIONS = "settings_audited", "held_versions_audited"
GRANTS, OTHERS, KEYS = "grants_audited", "others_audited", "keys_audited"
_BY_HAND = "by-hand"
_PASSWORD = "Planted-password-1"  # noqa: S105 - of a user that exists for one test
_ACCOUNT = "arn:aws:iam::123456789012"

Do = Callable[[Store, str], object]


@dataclass(frozen=True)
class AuditDamage:
    """A damage and the checks of the audit that must detect it.

    Attributes:
        name: The damage in words.
        do: Does it; gets the store and the name of the damaged bucket.
        fails: The checks that must fail; no others of the audit may.
        told: What the finding must name.
        clouds: The clouds where the damage is possible.
        domain: The damaged bucket.
        undo: Takes away what the remedy does not, such as an object.
    """

    name: str
    do: Do
    fails: str
    told: str
    clouds: tuple[Cloud, ...] = BOTH
    domain: str = "replay"
    undo: Do = lambda _store, _bucket: None

    @property
    def of_bucket(self) -> bool:
        """Whether it is about a bucket, and not about an identity."""
        return self.fails in (SETTINGS, VERSIONS)


def _iam(store: Store) -> Any:  # noqa: ANN401 - boto3's client on AWS, the sandbox's on AIStor
    return store.identities.iam  # type: ignore[attr-defined]  # each of the two has one


def _user(store: Store, identity: str) -> str:
    return next(one.user_name for one in store.plan.identities if one.name == identity)


def _statement(actions: Sequence[str], resources: Sequence[str] = (), **more: object) -> dict[str, Any]:
    on = {"Resource": list(resources)} if resources else {}
    return {"Sid": "Planted", "Effect": "Allow", "Action": list(actions), **on, **more}


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _arn(bucket: str, keys: str = "") -> str:
    return f"arn:aws:s3:::{bucket}" + (f"/{keys}" if keys else "")


def _widened(identity: str, make: Callable[[Store, str], Mapping[str, Any]]) -> Do:
    """One more statement in an identity's policy, and on AIStor in its key's own policy."""

    def do(store: Store, bucket: str) -> None:
        planned = [dict(statement) for statement in store.planned_policy(identity)["Statement"]]
        store.set_user_policy(identity, [*planned, make(store, bucket)])

    return do


def _without(identity: str, sid: str) -> Do:
    """An identity's policy without a statement."""

    def do(store: Store, _: str) -> None:
        planned = store.planned_policy(identity)["Statement"]
        store.set_user_policy(identity, [dict(one) for one in planned if one["Sid"] != sid])

    return do


def _bypass(store: Store, bucket: str) -> None:
    """A grant, and the planned Deny without it."""
    action = "s3:BypassGovernanceRetention"
    planned = [
        {**one, "Action": [name for name in one["Action"] if name != action]} if one["Effect"] == "Deny" else dict(one)
        for one in store.planned_policy("worker")["Statement"]
    ]
    store.set_user_policy("worker", [*planned, _statement([action], [_arn(bucket, "2026/*")])])


def _may(identity: str, *actions: str, keys: str = "", told: str, clouds: tuple[Cloud, ...] = BOTH) -> AuditDamage:
    where = f" under `{keys}`" if keys else ""
    return AuditDamage(
        f"{' and '.join(actions)} granted to {identity}{where}",
        _widened(identity, lambda _, bucket: _statement(actions, [_arn(bucket, keys)])),
        GRANTS,
        told,
        clouds,
        domain="archive",
    )


def _admin(identity: str, *actions: str, clouds: tuple[Cloud, ...]) -> AuditDamage:
    on = ["*"] if clouds == AWS else []
    return AuditDamage(
        f"{' and '.join(actions)} granted to {identity}",
        _widened(identity, lambda _store, _bucket: _statement(actions, on)),
        GRANTS,
        actions[0].rstrip("*"),
        clouds,
    )


def _call(name: str, **arguments: Any) -> Do:  # noqa: ANN401 - boto3's own arguments
    return lambda store, bucket: getattr(store.client, name)(Bucket=bucket, **arguments)


def _setting(name: str, do: Do, told: str, clouds: tuple[Cloud, ...] = AWS, domain: str = "replay") -> AuditDamage:
    return AuditDamage(name, do, SETTINGS, told, clouds, domain)


def _raw(query: str, body: str) -> Do:
    """A setting whose XML no SDK can write."""

    def do(store: Store, bucket: str) -> None:
        store.put_raw(bucket, query, body)

    return do


def _rules(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Do:
    def do(store: Store, bucket: str) -> object:
        planned = next(one for one in store.plan.buckets if one.name == bucket)
        rules = change([store.live_rule(rule) for rule in planned.rules])
        return store.client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    return do


def _rule_xml(extra: str) -> str:
    return (
        "<LifecycleConfiguration><Rule><ID>verify-probes</ID><Status>Enabled</Status><Filter><Prefix>.verify/</Prefix>"
        "</Filter><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1"
        "</NoncurrentDays></NoncurrentVersionExpiration></Rule><Rule><ID>planted</ID><Status>Enabled</Status><Filter>"
        f"<Prefix>x/</Prefix></Filter>{extra}</Rule></LifecycleConfiguration>"
    )


def _bucket_policy(**statement: Any) -> Do:  # noqa: ANN401 - fields of a statement
    def do(store: Store, bucket: str) -> object:
        planted = {"Sid": "Planted", "Effect": "Allow", "Resource": [_arn(bucket, "*")], **statement}
        return store.client.put_bucket_policy(Bucket=bucket, Policy=_document(planted))

    return do


def _locked(**held: Any) -> Do:  # noqa: ANN401 - boto3's own arguments
    """An object that is locked otherwise than the bucket's default retention says."""

    def do(store: Store, bucket: str) -> object:
        return store.client.put_object(Bucket=bucket, Key="kept/original", Body=b"x", **held)

    return do


def _shortened(store: Store, bucket: str) -> None:
    version = store.client.put_object(Bucket=bucket, Key="kept/original", Body=b"x")["VersionId"]
    store.client.put_object_retention(
        Bucket=bucket,
        Key="kept/original",
        VersionId=version,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=30)},
        BypassGovernanceRetention=True,
    )


def _held(store: Store, bucket: str) -> None:
    version = store.client.put_object(Bucket=bucket, Key="kept/held", Body=b"x")["VersionId"]
    store.client.put_object_legal_hold(Bucket=bucket, Key="kept/held", VersionId=version, LegalHold={"Status": "ON"})


def _empty_kept(store: Store, bucket: str) -> None:
    for entry in store.client.list_object_versions(Bucket=bucket, Prefix="kept/").get("Versions", []):
        store.client.put_object_legal_hold(
            Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"], LegalHold={"Status": "OFF"}
        )
        store.client.delete_object(
            Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"], BypassGovernanceRetention=True
        )


def _foreign(policy: Callable[[Store, str], str], *, canned: str = "") -> Do:
    """A user by hand with a policy: a canned one of the server, or an own one."""

    def do(store: Store, bucket: str) -> object:
        iam = _iam(store)
        if isinstance(store.identities, AwsIdentities):
            iam.create_user(UserName=_BY_HAND)
            return iam.put_user_policy(UserName=_BY_HAND, PolicyName="planted", PolicyDocument=policy(store, bucket))
        iam.add_user(_BY_HAND, _PASSWORD)
        if not canned:
            iam.add_canned_policy("planted", policy(store, bucket))
        return iam.attach_policy(_BY_HAND, [canned or "planted"])

    return do


def _foreign_gone(store: Store, _: str) -> None:
    if isinstance(store.identities, AwsIdentities):
        _iam(store).delete_user(UserName=_BY_HAND)


def _other(name: str, policy: Callable[[Store, str], str], told: str, clouds: tuple[Cloud, ...] = BOTH) -> AuditDamage:
    return AuditDamage(name, _foreign(policy), OTHERS, told, clouds, undo=_foreign_gone)


def _in_group(store: Store, bucket: str) -> None:
    """A group that holds a policy, with an identity in it."""
    iam, user = _iam(store), _user(store, "reader")
    document = _document(_statement(["s3:PutObject"], [_arn(bucket, "*")]))
    if isinstance(store.identities, AwsIdentities):
        iam.create_group(GroupName="planted")
        iam.put_group_policy(GroupName="planted", PolicyName="planted", PolicyDocument=document)
        iam.add_user_to_group(GroupName="planted", UserName=user)
        return
    iam.add_canned_policy("planted", document)
    iam.call("update-group-members", group="planted", members=[user], isRemove=False)
    iam.call("attach-policy", group="planted", policies=["planted"])


def _group_gone(store: Store, _: str) -> None:
    iam = _iam(store)
    if isinstance(store.identities, AwsIdentities):
        iam.delete_group_policy(GroupName="planted", PolicyName="planted")
        iam.delete_group(GroupName="planted")


def _second_policy(store: Store, bucket: str) -> None:
    iam, user = _iam(store), _user(store, "reader")
    document = _document(_statement(["s3:DeleteObject"], [_arn(bucket, "*")]))
    if isinstance(store.identities, AwsIdentities):
        made = iam.create_policy(PolicyName="planted", PolicyDocument=document)["Policy"]
        iam.attach_user_policy(UserName=user, PolicyArn=made["Arn"])
        return
    iam.add_canned_policy("planted", document)
    iam.attach_policy(user, ["planted"])


def _not_action(store: Store, bucket: str) -> None:
    """A statement with NotAction in reader's policy: MinIO applies it, and can show neither it nor the list of all."""
    own = {"Effect": "Allow", "NotAction": ["s3:GetObject"], "Resource": [_arn(bucket, "*")]}
    document = _document(*store.planned_policy("reader")["Statement"], own)
    _iam(store).add_canned_policy(_user(store, "reader"), document)


def _in_odd_group(store: Store, bucket: str) -> None:
    """A group whose name a shell would split."""
    iam = _iam(store)
    iam.add_canned_policy("planted", _document(_statement(["s3:PutObject"], [_arn(bucket, "*")])))
    iam.call("update-group-members", group="o'p é", members=[_user(store, "reader")], isRemove=False)
    iam.call("attach-policy", group="o'p é", policies=["planted"])


def _planted_policy_gone(store: Store, _: str) -> None:
    if isinstance(store.identities, AwsIdentities):
        _iam(store).delete_policy(PolicyArn=f"{_ACCOUNT}:policy/planted")


def _inline(statement: Mapping[str, Any]) -> Do:
    def do(store: Store, _: str) -> object:
        document = _document({"Sid": "Planted", "Effect": "Allow", **statement})
        return _iam(store).put_user_policy(
            UserName=_user(store, "reader"), PolicyName="planted", PolicyDocument=document
        )

    return do


def _bounded(store: Store, bucket: str) -> None:
    document = _document(_statement(["s3:GetObject"], [_arn(bucket, "*")]))
    made = _iam(store).create_policy(PolicyName="planted", PolicyDocument=document)["Policy"]
    _iam(store).put_user_permissions_boundary(UserName=_user(store, "worker"), PermissionsBoundary=made["Arn"])


def _other_version(store: Store, bucket: str) -> None:
    """The policy that is attached as planned, with another default version."""
    (attached,) = _iam(store).list_attached_user_policies(UserName=_user(store, "reader"))["AttachedPolicies"]
    document = _document(
        *store.planned_policy("reader")["Statement"], _statement(["s3:PutObject"], [_arn(bucket, "*")])
    )
    _iam(store).create_policy_version(PolicyArn=attached["PolicyArn"], PolicyDocument=document, SetAsDefault=True)


def _role(store: Store, bucket: str) -> None:
    trust = _document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    iam = _iam(store)
    iam.create_role(RoleName=_BY_HAND, AssumeRolePolicyDocument=trust)
    document = _document(_statement(["s3:Get*", "s3:List*"], [_arn(bucket), _arn(bucket, "*")]))
    iam.put_role_policy(RoleName=_BY_HAND, PolicyName="planted", PolicyDocument=document)


def _role_gone(store: Store, _: str) -> None:
    _iam(store).delete_role(RoleName=_BY_HAND)


def _second_key(store: Store, _: str) -> None:
    user = _user(store, "worker")
    if isinstance(store.identities, AwsIdentities):
        _iam(store).create_access_key(UserName=user)
        return
    _iam(store).add_service_account(user)


def _key_of(store: Store, identity: str) -> str:
    return store.target.credentials[identity].access_key_id


def _key_off(store: Store, _: str) -> None:
    user, key = _user(store, "reader"), _key_of(store, "reader")
    if isinstance(store.identities, AwsIdentities):
        _iam(store).update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")
        return
    policy = _iam(store).info_service_account(key)["policy"]
    _iam(store).update_service_account(key, new_policy=policy, new_status="off")


def _key_on(store: Store, _: str) -> None:
    user, key = _user(store, "reader"), _key_of(store, "reader")
    if isinstance(store.identities, AwsIdentities):
        _iam(store).update_access_key(UserName=user, AccessKeyId=key, Status="Active")
        return
    policy = _iam(store).info_service_account(key)["policy"]
    _iam(store).update_service_account(key, new_policy=policy, new_status="on")


def _expiring(store: Store, _: str) -> None:
    key = _key_of(store, "reader")
    policy = _iam(store).info_service_account(key)["policy"]
    until = (datetime.now(UTC) + timedelta(minutes=20)).isoformat(timespec="seconds")
    _iam(store).call("update-service-account", accessKey=key, newPolicy=policy, newExpiration=until)


def _never_expiring(store: Store, _: str) -> None:
    key = _key_of(store, "reader")
    policy = _iam(store).info_service_account(key)["policy"]
    _iam(store).call("update-service-account", accessKey=key, newPolicy=policy, newExpiration="1970-01-01T00:00:00Z")


def _narrowed_key(store: Store, bucket: str) -> None:
    document = _document(_statement(["s3:GetObject"], [_arn(bucket, "*")]))
    _iam(store).update_service_account(_key_of(store, "worker"), new_policy=document)


def _root_key(store: Store, _: str) -> None:
    _iam(store).add_service_account(store.server.admin.user)


def _user_off(store: Store, _: str) -> None:
    _iam(store).set_user_status(_user(store, "reader"), "disabled")


def _user_on(store: Store, _: str) -> None:
    _iam(store).set_user_status(_user(store, "reader"), "enabled")


def _login(store: Store, _: str) -> None:
    _iam(store).create_login_profile(UserName=_user(store, "worker"), Password=_PASSWORD)


def _quota(store: Store, bucket: str) -> None:
    _iam(store).call("set-bucket-quota", bucket=bucket, size=64 * 2**20, quotatype="hard")


_TOPIC = "arn:aws:sns:us-west-2:123456789012:planted"
_OTHER_BUCKET = "arn:aws:s3:::another-account"
_INVENTORY = (
    "<InventoryConfiguration><Id>planted</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination><Bucket>"
    f"{_OTHER_BUCKET}</Bucket><Format>CSV</Format></S3BucketDestination></Destination><Schedule><Frequency>Daily"
    "</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>"
)
_REPLICATION: Mapping[str, Any] = {
    "Role": f"{_ACCOUNT}:role/planted",
    "Rules": [
        {
            "ID": "planted",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": _OTHER_BUCKET},
        }
    ],
}
_EVENTS: Mapping[str, Any] = {"TopicConfigurations": [{"TopicArn": _TOPIC, "Events": ["s3:ObjectCreated:*"]}]}


def _sse(key: str, *, bucket_key: bool = False) -> Mapping[str, Any]:
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": bucket_key}]}


_BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": False}

AUDIT_DAMAGES: tuple[AuditDamage, ...] = (
    _setting(
        "a tag on the bucket",
        _call("put_bucket_tagging", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
        "tags: a b",
        BOTH,
    ),
    _setting(
        "replication to another account",
        _call("put_bucket_replication", ReplicationConfiguration=_REPLICATION),
        "another-account",
        BOTH,
    ),
    _setting(
        "events of the bucket sent elsewhere",
        _call("put_bucket_notification_configuration", NotificationConfiguration=_EVENTS),
        _TOPIC,
    ),
    _setting(
        "website hosting",
        _call("put_bucket_website", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}),
        "website: ",
    ),
    _setting(
        "a redirect of all requests",
        _call("put_bucket_website", WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "example.org"}}),
        "example.org",
    ),
    _setting(
        "CORS for every origin",
        _call(
            "put_bucket_cors",
            CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"]}]},
        ),
        "CORS: ",
    ),
    _setting("inventory to another account", _raw("inventory&id=planted", _INVENTORY), "another-account"),
    _setting(
        "request metrics",
        _raw("metrics&id=planted", "<MetricsConfiguration><Id>planted</Id></MetricsConfiguration>"),
        "metrics: ",
    ),
    _setting(
        "storage class analysis",
        _raw(
            "analytics&id=planted",
            "<AnalyticsConfiguration><Id>planted</Id><StorageClassAnalysis/></AnalyticsConfiguration>",
        ),
        "analytics: ",
    ),
    _setting(
        "intelligent tiering to the archive",
        _raw(
            "intelligent-tiering&id=planted",
            "<IntelligentTieringConfiguration><Id>planted</Id><Status>Enabled</Status><Tiering><AccessTier>DEEP_ARCHIVE_ACCESS</AccessTier><Days>180</Days></Tiering></IntelligentTieringConfiguration>",
        ),
        "DEEP_ARCHIVE_ACCESS",
    ),
    _setting(
        "acceleration",
        _call("put_bucket_accelerate_configuration", AccelerateConfiguration={"Status": "Enabled"}),
        "acceleration: Status Enabled",
    ),
    _setting(
        "requesters pay",
        _raw("requestPayment", "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"),
        "Payer Requester",
    ),
    _setting(
        "default encryption with another account's key",
        _call(
            "put_bucket_encryption", ServerSideEncryptionConfiguration=_sse("arn:aws:kms:us-west-2:999999999999:key/x")
        ),
        "999999999999",
    ),
    _setting(
        "bucket key switched on",
        _call("put_bucket_encryption", ServerSideEncryptionConfiguration=_sse("", bucket_key=True)),
        "BucketKeyEnabled true",
    ),
    _setting(
        "a part of the public access block off",
        _call("put_public_access_block", PublicAccessBlockConfiguration=_BLOCK),
        "RestrictPublicBuckets false",
    ),
    _setting(
        "ownership given to the bucket owner only by preference",
        _call(
            "put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        ),
        "BucketOwnerPreferred",
    ),
    _setting("an ACL for everybody", _call("put_bucket_acl", ACL="public-read"), "AllUsers"),
    _setting("an ACL for all accounts of AWS", _call("put_bucket_acl", ACL="authenticated-read"), "AuthenticatedUsers"),
    _setting("quota of 64 MiB", _quota, "quota: size", AISTOR),
    _setting(
        "versioning without some prefixes",
        _raw(
            "versioning",
            "<VersioningConfiguration><Status>Enabled</Status><ExcludedPrefixes><Prefix>2026/</Prefix></ExcludedPrefixes></VersioningConfiguration>",
        ),
        "ExcludedPrefixes/Prefix 2026/",
        AISTOR,
    ),
    _setting(
        "versioning without folders",
        _raw(
            "versioning",
            "<VersioningConfiguration><Status>Enabled</Status><ExcludeFolders>true</ExcludeFolders></VersioningConfiguration>",
        ),
        "ExcludeFolders true",
        AISTOR,
    ),
    _setting(
        "lifecycle: all versions expire with the current one",
        _raw(
            "lifecycle",
            _rule_xml(
                "<Expiration><Days>1</Days><ExpiredObjectAllVersions>true</ExpiredObjectAllVersions></Expiration>"
            ),
        ),
        "rule planted",
        AISTOR,
    ),
    _setting(
        "lifecycle: delete markers end all versions",
        _raw("lifecycle", _rule_xml("<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>")),
        "rule planted",
        AISTOR,
    ),
    _setting(
        "lifecycle: only one noncurrent version is kept",
        _rules(
            lambda rules: [
                rules[0],
                {**rules[1], "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 1}},
            ]
        ),
        "NewerNoncurrentVersions 1",
        BOTH,
    ),
    _setting(
        "lifecycle: the band's rule for objects with a tag alone",
        _rules(lambda rules: [rules[0], {**rules[1], "Filter": {"Tag": {"Key": "a", "Value": "b"}}}]),
        "Filter/Tag/Key a",
        BOTH,
    ),
    _setting(
        "lifecycle: the band's rule for large objects alone",
        _rules(lambda rules: [rules[0], {**rules[1], "Filter": {"ObjectSizeGreaterThan": 1024}}]),
        "ObjectSizeGreaterThan",
        BOTH,
    ),
    _setting(
        "lifecycle: a rule for a prefix",
        _rules(lambda rules: [*rules, {**rules[0], "ID": "planted", "Filter": {"Prefix": "x/"}}]),
        "rule planted",
        BOTH,
    ),
    _setting(
        "lifecycle removed", lambda store, bucket: store.client.delete_bucket_lifecycle(Bucket=bucket), "without", BOTH
    ),
    _setting(
        "versioning suspended",
        _call("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}),
        "without Status Enabled",
        BOTH,
    ),
    _setting(
        "default retention shortened",
        _call(
            "put_object_lock_configuration",
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        ),
        "Days 1",
        BOTH,
        "archive",
    ),
    _setting(
        "default retention in years",
        _call(
            "put_object_lock_configuration",
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 2}},
            },
        ),
        "Years 2",
        BOTH,
        "archive",
    ),
    AuditDamage(
        "an original locked for a month only", _shortened, VERSIONS, "less than planned", BOTH, "archive", _empty_kept
    ),
    AuditDamage("a legal hold on an original", _held, VERSIONS, "legal hold", BOTH, "archive", _empty_kept),
    AuditDamage("governance bypass for worker under `2026/*`", _bypass, GRANTS, "bypass", domain="archive"),
    _may("reader", "s3:PutObject", keys="2026/*", told="may put under `2026/*`"),
    _may("reader", "s3:DeleteObject", keys="invoices/*", told="may delete"),
    _may("reader", "s3:PutObject", keys="*.sig", told="put"),
    _may("verifier", "s3:GetObject", keys="2026/*", told="may read under `2026/*`"),
    _may("verifier", "s3:DeleteObjectVersion", keys="2026/*", told="delete"),
    _may("worker", "s3:PutReplicationConfiguration", told="PutReplicationConfiguration"),
    _may("worker", "s3:DeleteBucketPolicy", told="DeleteBucketPolicy"),
    _may("reader", "s3:PutBucketPolicy", told="policy"),
    _may("reader", "s3:DeleteBucket", told="DeleteBucket"),
    _may("reader", "s3:PutLifecycleConfiguration", told="lifecycle"),
    _may("reader", "s3:PutBucketAcl", told="PutBucketAcl", clouds=AWS),
    _may("worker", "s3:PutBucketVersioning", told="versioning"),
    _may("worker", "s3:PutBucketObjectLockConfiguration", told="PutBucketObjectLockConfiguration"),
    _may("worker", "s3:PutBucketNotification", told="PutBucketNotification"),
    _may("worker", "s3:PutEncryptionConfiguration", told="PutEncryptionConfiguration"),
    _may("auditor", "s3:GetObject", keys="*", told="may read"),
    _may("auditor", "s3:PutBucketPolicy", told="policy"),
    _admin("reader", "admin:CreateUser", "admin:CreatePolicy", clouds=AISTOR),
    _admin("reader", "admin:ConfigUpdate", clouds=AISTOR),
    _admin("reader", "admin:SetBucketQuota", clouds=AISTOR),
    _admin("worker", "admin:*", clouds=AISTOR),
    _admin("worker", "iam:CreateAccessKey", "iam:PutUserPolicy", clouds=AWS),
    _admin("worker", "iam:AttachUserPolicy", clouds=AWS),
    _admin("reader", "sts:AssumeRole", clouds=AWS),
    AuditDamage(
        "everything outside the probe prefix granted to worker",
        _widened(
            "worker",
            lambda _, bucket: {
                "Sid": "Planted",
                "Effect": "Allow",
                "Action": ["s3:*"],
                "NotResource": [_arn(bucket, ".verify/*")],
            },
        ),
        GRANTS,
        "`",
        domain="orphan",
    ),
    AuditDamage(
        "a grant on another stack's bucket",
        _widened(
            "worker", lambda _store, _bucket: _statement(["s3:ListBucket"], ["arn:aws:s3:::joelclaw-test-euw1-replay"])
        ),
        GRANTS,
        "joelclaw-test-euw1-replay",
    ),
    AuditDamage(
        "puts of worker denied outside the probe prefix",
        _widened(
            "worker",
            lambda _, bucket: {
                "Sid": "Planted",
                "Effect": "Deny",
                "Action": ["s3:PutObject"],
                "NotResource": [_arn(bucket, ".verify/*")],
            },
        ),
        GRANTS,
        "no longer so",
    ),
    AuditDamage(
        "listing of reader denied outside the probe prefix",
        _widened(
            "reader",
            lambda _, bucket: _statement(
                ["s3:ListBucket"],
                [_arn(bucket)],
                Effect="Deny",
                Condition={"StringNotLike": {"s3:prefix": [".verify/*"]}},
            ),
        ),
        GRANTS,
        "no longer so",
    ),
    AuditDamage(
        "reads of reader from one address only",
        _widened(
            "reader",
            lambda _, bucket: _statement(
                ["s3:GetObject"],
                [_arn(bucket, "*")],
                Effect="Deny",
                Condition={"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}},
            ),
        ),
        GRANTS,
        "no longer so",
    ),
    AuditDamage(
        "puts of reader until a date",
        _widened(
            "reader",
            lambda _, bucket: _statement(
                ["s3:PutObject"],
                [_arn(bucket, "*")],
                Condition={"DateLessThan": {"aws:CurrentTime": ["2099-01-01T00:00:00Z"]}},
            ),
        ),
        GRANTS,
        "put",
    ),
    AuditDamage(
        "the Deny of version deletes removed from worker",
        _without("worker", "KeepVersions"),
        GRANTS,
        "delete versions",
        AISTOR,
    ),
    AuditDamage(
        "the Deny of plain http removed from reader",
        _without("reader", "TlsOnly"),
        GRANTS,
        "aws:SecureTransport",
        AISTOR,
    ),
    AuditDamage("the reads of reader removed", _without("reader", "Read"), GRANTS, "no longer so"),
    AuditDamage("the auditor's reads of identities removed", _without("auditor", "AuditLocks"), GRANTS, "no longer so"),
    AuditDamage("a second policy on reader", _second_policy, GRANTS, "may delete", undo=_planted_policy_gone),
    AuditDamage("reader in a group that may put", _in_group, GRANTS, "group planted", undo=_group_gone),
    AuditDamage("reader in a group with an odd name", _in_odd_group, GRANTS, "group o'p é", AISTOR),
    AuditDamage("NotAction in the policy of reader", _not_action, GRANTS, "cannot show", AISTOR),
    AuditDamage(
        "an inline policy with NotAction on reader",
        _inline({"NotAction": ["iam:*"], "Resource": ["*"]}),
        GRANTS,
        "inline policy planted",
        AWS,
    ),
    AuditDamage(
        "an inline policy with NotResource on reader",
        _inline({"Action": ["s3:PutObject"], "NotResource": ["arn:aws:s3:::none/*"]}),
        GRANTS,
        "inline policy planted",
        AWS,
    ),
    AuditDamage(
        "a permissions boundary on worker", _bounded, GRANTS, "permissions boundary", AWS, undo=_planted_policy_gone
    ),
    AuditDamage(
        "another version of reader's policy in force",
        _other_version,
        GRANTS,
        "may put",
        AWS,
    ),
    AuditDamage("the own policy of worker's key narrowed", _narrowed_key, GRANTS, "own policy of key", AISTOR),
    AuditDamage("reader switched off", _user_off, GRANTS, "switched off", AISTOR, undo=_user_on),
    AuditDamage("a second key of worker", _second_key, KEYS, "another key"),
    AuditDamage("the key of reader switched off", _key_off, KEYS, "is switched off", undo=_key_on),
    AuditDamage("the key of reader expires in 20 minutes", _expiring, KEYS, "expires", AISTOR, undo=_never_expiring),
    AuditDamage("a password for the console", _login, KEYS, "password", AWS),
    AuditDamage(
        "a user by hand with readwrite", _foreign(lambda *_: "", canned="readwrite"), OTHERS, "policy readwrite", AISTOR
    ),
    AuditDamage(
        "a user by hand with consoleAdmin",
        _foreign(lambda *_: "", canned="consoleAdmin"),
        OTHERS,
        "policy consoleAdmin",
        AISTOR,
    ),
    AuditDamage(
        "a user by hand with readonly", _foreign(lambda *_: "", canned="readonly"), OTHERS, "policy readonly", AISTOR
    ),
    _other("a user by hand with s3:*", lambda *_: _document(_statement(["s3:*"], ["arn:aws:s3:::*"])), "by-hand"),
    _other(
        "a user by hand who may read one key",
        lambda _, bucket: _document(_statement(["s3:GetObject"], [_arn(bucket, "plans.txt")])),
        "plans.txt",
    ),
    _other(
        "a user by hand who may everything but name buckets",
        lambda *_: _document({"Effect": "Allow", "NotAction": ["s3:ListAllMyBuckets"], "Resource": ["arn:aws:s3:::*"]}),
        "by-hand",
    ),
    _other(
        "a user by hand who may give itself policies",
        lambda *_: _document(_statement(["admin:AttachUserOrGroupPolicy"])),
        "by-hand",
        AISTOR,
    ),
    _other(
        "a user by hand who may make keys of worker",
        lambda store, _: _document(_statement(["iam:CreateAccessKey"], [f"{_ACCOUNT}:user/{_user(store, 'worker')}"])),
        "CreateAccessKey",
        AWS,
    ),
    _other(
        "a user by hand who may change any policy",
        lambda *_: _document(_statement(["iam:PutUserPolicy"], ["*"])),
        "PutUserPolicy",
        AWS,
    ),
    AuditDamage("a role by hand that every account may assume", _role, OTHERS, "role by-hand", AWS, undo=_role_gone),
    AuditDamage("a key of root", _root_key, OTHERS, "everything, as ", AISTOR),
)
