"""The names of actions, and the kind of resource that each is asked for.

The rule: the lists only give names to witnesses and narrow the resources of a known action; `model.allowed` decides for
every other name, too, because a server may know actions that no list has. AWS: the service reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, as parliament has it; `make
lint` compares). MinIO: `supportedActions`, `supportedObjectActions`, admin-action.go, kms-action.go and sts-action.go
of github.com/minio/pkg v3.1.3, package policy.
"""


def _names(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


#: The action that lists the names of all buckets; it has no bucket.
LIST_BUCKETS = "s3:ListAllMyBuckets"
AWS_OF_OBJECTS = _names(
    "s3",
    """
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
    DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention
    GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes
    GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication
    ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectLegalHold
    PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete
    ReplicateObject ReplicateTags RestoreObject
    """,
)
AWS_OF_BUCKETS = _names(
    "s3",
    """
    CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket DeleteBucketMetadataTableConfiguration
    DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAcl
    GetBucketCORS GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification
    GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
    GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
    GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration
    GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket
    ListBucketMultipartUploads ListBucketVersions PauseReplication PutAccelerateConfiguration
    PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification
    PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock
    PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration
    PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
    PutMetricsConfiguration PutReplicationConfiguration
    """,
)
#: Of access points, jobs and other things with ARNs of their own.
AWS_OF_OTHERS = _names(
    "s3",
    """
    AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation
    CreateAccessPoint CreateAccessPointForObjectLambda CreateJob CreateMultiRegionAccessPoint
    CreateStorageLensGroup DeleteAccessGrant DeleteAccessGrantsInstance DeleteAccessGrantsInstanceResourcePolicy
    DeleteAccessGrantsLocation DeleteAccessPoint DeleteAccessPointForObjectLambda DeleteAccessPointPolicy
    DeleteAccessPointPolicyForObjectLambda DeleteJobTagging DeleteMultiRegionAccessPoint
    DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging DeleteStorageLensGroup DescribeJob
    DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter GetAccessGrant
    GetAccessGrantsInstance GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy
    GetAccessGrantsLocation GetAccessPoint GetAccessPointConfigurationForObjectLambda
    GetAccessPointForObjectLambda GetAccessPointPolicy GetAccessPointPolicyForObjectLambda
    GetAccessPointPolicyStatus GetAccessPointPolicyStatusForObjectLambda GetAccountPublicAccessBlock
    GetDataAccess GetJobTagging GetMultiRegionAccessPoint GetMultiRegionAccessPointPolicy
    GetMultiRegionAccessPointPolicyStatus GetMultiRegionAccessPointRoutes GetStorageLensConfiguration
    GetStorageLensConfigurationTagging GetStorageLensDashboard GetStorageLensGroup ListAccessGrants
    ListAccessGrantsInstances ListAccessGrantsLocations ListAccessPoints ListAccessPointsForObjectLambda
    ListCallerAccessGrants ListJobs ListMultiRegionAccessPoints ListStorageLensConfigurations
    ListStorageLensGroups ListTagsForResource PutAccessGrantsInstanceResourcePolicy
    PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy PutAccessPointPolicyForObjectLambda
    PutAccessPointPublicAccessBlock PutAccountPublicAccessBlock PutJobTagging PutMultiRegionAccessPointPolicy
    PutStorageLensConfiguration PutStorageLensConfigurationTagging SubmitMultiRegionAccessPointRoutes
    TagResource UntagResource UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus
    UpdateStorageLensGroup
    """,
)
#: Some of other services, to name in a finding: each leads to more rights, or to the data behind a bucket.
AWS_OF_OTHER_SERVICES = (
    *_names("iam", "CreateAccessKey PutUserPolicy AttachUserPolicy CreateUser PassRole UpdateAssumeRolePolicy GetUser"),
    *_names("sts", "AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithSAML GetFederationToken TagSession"),
    *_names("kms", "Decrypt GenerateDataKey ScheduleKeyDeletion"),
    *_names("s3-object-lambda", "GetObject"),
    *_names("backup", "StartBackupJob"),
)
MINIO_OF_OBJECTS = _names(
    "s3",
    """
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
    DeleteObjectVersionTagging GetObject GetObjectAttributes GetObjectLegalHold GetObjectRetention
    GetObjectTagging GetObjectVersion GetObjectVersionAttributes GetObjectVersionForReplication
    GetObjectVersionTagging ListMultipartUploadParts PutObject PutObjectFanOut PutObjectLegalHold
    PutObjectRetention PutObjectTagging PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags
    ResetBucketReplicationState RestoreObject
    """,
)
MINIO_OF_BUCKETS = _names(
    "s3",
    """
    CreateBucket DeleteBucket DeleteBucketCors DeleteBucketPolicy ForceDeleteBucket GetBucketCors
    GetBucketLocation GetBucketNotification GetBucketObjectLockConfiguration GetBucketPolicy
    GetBucketPolicyStatus GetBucketTagging GetBucketVersioning GetEncryptionConfiguration
    GetLifecycleConfiguration GetReplicationConfiguration HeadBucket ListBucket ListBucketMultipartUploads
    ListBucketVersions ListenBucketNotification ListenNotification PutBucketCors PutBucketNotification
    PutBucketObjectLockConfiguration PutBucketPolicy PutBucketTagging PutBucketVersioning
    PutEncryptionConfiguration PutLifecycleConfiguration PutReplicationConfiguration
    """,
)
MINIO_OF_ADMINISTRATION = _names(
    "admin",
    """
    AddUserToGroup AttachUserOrGroupPolicy BandwidthMonitor CancelBatchJob ClusterInfo ConfigUpdate ConsoleLog
    CreatePolicy CreateServiceAccount CreateUser DataUsageInfo Decommission DeletePolicy DeleteUser
    DescribeBatchJob DisableGroup DisableUser DriveInfo EnableGroup EnableUser ExportBucketMetadata ExportIAM
    ForceUnlock GenerateBatchJob GetBucketQuota GetBucketTarget GetGroup GetPolicy GetUser Heal
    ImportBucketMetadata ImportIAM InspectData KMSCreateKey KMSKeyStatus LicenseInfo ListBatchJobs ListGroups
    ListServiceAccounts ListTemporaryAccounts ListTier ListUserPolicies ListUsers OBDInfo PoolInfo PoolList
    Profiling Prometheus Rebalance RemoveServiceAccount RemoveUserFromGroup ReplicationDiff ServerInfo
    ServerTrace ServerUpdate ServiceFreeze ServiceRestart ServiceStop SetBucketQuota SetBucketTarget SetInfo
    SetTier SiteReplicationAdd SiteReplicationDisable SiteReplicationInfo SiteReplicationOperation
    SiteReplicationRemove SiteReplicationResync StartBatchJob StorageInfo TopLocksInfo UpdatePolicyAssociation
    UpdateServiceAccount
    """,
)
MINIO_OF_KMS = _names(
    "kms",
    """
    API AssignPolicy AuditLog CreateKey DeleteIdentity DeleteKey DeletePolicy DescribeIdentity DescribePolicy
    DescribeSelfIdentity ErrorLog GetPolicy ImportKey KeyStatus ListIdentities ListKeys ListPolicies Metrics
    SetPolicy Status Version
    """,
)
MINIO_OF_STS = ("sts:AssumeRoleWithWebIdentity",)
