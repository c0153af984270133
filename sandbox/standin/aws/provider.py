"""The aws plugin itself: its configuration, its functions, and the table of its resource types.

The one rule: as in the real plugin, CheckConfig validates credentials and region, and Configure validates the account.
So a wrong account stops a preview before it plans anything. Left out: profiles, assumed roles, custom endpoints in the
configuration (the endpoint comes with the connection).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime.proto import provider_pb2

from sandbox.standin.aws import regions
from sandbox.standin.aws.account import Account, Scope
from sandbox.standin.aws.bucket import Bucket
from sandbox.standin.aws.bucket_protection import BucketObjectLockConfiguration, BucketPolicy, BucketVersioning
from sandbox.standin.aws.bucket_settings import (
    BucketOwnershipControls,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
)
from sandbox.standin.aws.connection import AwsClients, AwsConnection, code_of, described
from sandbox.standin.aws.identities import AccessKey, Policy, User, UserPolicyAttachment
from sandbox.standin.aws.lifecycle import BucketLifecycleConfiguration
from sandbox.standin.aws.roles import Role, RolePolicyAttachment
from sandbox.standin.configuration import decoded_config
from sandbox.standin.properties import Property, Table, block, boolean, integer, string, string_map
from sandbox.standin.resource import ProviderError
from sandbox.standin.rpc import StandIn
from sandbox.standin.values import Bag, from_wire, has_unknown, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.standin.resource import ResourceType

VERSION: Final = "7.51.1"
_GUIDE: Final = "https://www.pulumi.com/registry/packages/aws/installation-configuration/"

CONFIG: Final[Table] = {
    "accessKey": string(optional=True, secret=True),
    "allowedAccountIds": Property("list", optional=True),
    "assumeRoleWithWebIdentity": Property("object", optional=True),
    "assumeRoles": Property("list", optional=True),
    "customCaBundle": string(optional=True),
    "defaultTags": block({"tags": string_map(optional=True)}, optional=True),
    "ec2MetadataServiceEndpoint": string(optional=True),
    "ec2MetadataServiceEndpointMode": string(optional=True),
    "endpoints": Property("list", optional=True),
    "forbiddenAccountIds": Property("list", optional=True),
    "httpProxy": string(optional=True),
    "httpsProxy": string(optional=True),
    "ignoreTags": Property("object", optional=True),
    "insecure": boolean(optional=True),
    "maxRetries": integer(optional=True),
    "noProxy": string(optional=True),
    "profile": string(optional=True),
    "region": string(optional=True),
    "retryMode": string(optional=True),
    "s3UsEast1RegionalEndpoint": string(optional=True),
    "s3UsePathStyle": boolean(optional=True),
    "secretKey": string(optional=True, secret=True),
    "sharedConfigFiles": Property("list", optional=True),
    "sharedCredentialsFiles": Property("list", optional=True),
    "skipCredentialsValidation": boolean(optional=True, default=False),
    "skipMetadataApiCheck": boolean(optional=True),
    "skipRegionValidation": boolean(optional=True, default=True),
    "skipRequestingAccountId": boolean(optional=True),
    "stsRegion": string(optional=True),
    "tagPolicyCompliance": string(optional=True),
    "token": string(optional=True, secret=True),
    "tokenBucketRateLimiterCapacity": integer(optional=True),
    "useDualstackEndpoint": boolean(optional=True),
    "useFipsEndpoint": boolean(optional=True),
    "userAgents": Property("list", optional=True),
}

_REFUSED_CREDENTIALS: Final = frozenset(
    {
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "AccessDenied",
    }
)


class AwsStandIn(StandIn[Account]):
    """The aws plugin on the sandbox's own server."""

    def __init__(self, connection: AwsConnection) -> None:
        """Keep the connection; the plugin contacts nothing before CheckConfig."""
        self._environment = connection
        self._scope = Scope()
        types: list[ResourceType[Account]] = [
            kind(self._scope)
            for kind in (
                AccessKey,
                Bucket,
                BucketLifecycleConfiguration,
                BucketObjectLockConfiguration,
                BucketOwnershipControls,
                BucketPolicy,
                BucketPublicAccessBlock,
                BucketServerSideEncryptionConfiguration,
                BucketVersioning,
                Policy,
                Role,
                RolePolicyAttachment,
                User,
                UserPolicyAttachment,
            )
        ]
        super().__init__(name="aws", version=VERSION, config=CONFIG, types=types, connect=self._configured)
        self._functions: dict[str, Callable[[], Bag]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": self._caller_identity,
            "aws:index/getPartition:getPartition": self._partition,
            "aws:index/getRegion:getRegion": self._region,
        }

    def CheckConfig(  # noqa: N802 - the name in the gRPC service
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Validate credentials and region, then the inputs."""
        news = from_wire(request.news)
        if not has_unknown(news):
            reason = self._why_unusable(decoded_config(CONFIG, news))
            if reason is not None:
                return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=reason)])
        return super().CheckConfig(request, context)

    def Invoke(  # noqa: N802 - the name in the gRPC service
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Answer a function."""
        try:
            return provider_pb2.InvokeResponse(**{"return": to_wire(self.invoke(request.tok))})
        except ProviderError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise AssertionError("abort() always raises") from error

    def invoke(self, token: str) -> Bag:
        """Call a function, in process."""
        function = self._functions.get(token)
        if function is None:
            raise ProviderError(
                f"unrecognized function (Invoke): {token}. The aws stand-in has {', '.join(sorted(self._functions))}"
            )
        return function()

    def _credentials(self, config: Mapping[str, Any]) -> AwsConnection:
        """Return the connection, with the keys of the configuration if it has keys."""
        if not config.get("accessKey"):
            return self._environment
        return replace(
            self._environment,
            access_key_id=str(config["accessKey"]),
            secret_access_key=str(config.get("secretKey") or ""),
        )

    def _why_unusable(self, config: Mapping[str, Any]) -> str | None:
        connection, region = self._credentials(config), self._region_of(config)
        if config.get("skipCredentialsValidation") is True:
            return None
        if config.get("profile"):
            return (
                "unable to validate AWS credentials.\nDetails: loading configuration: failed to get shared config "
                f"profile, {config['profile']}\n"
            )
        if not (connection.access_key_id and connection.secret_access_key):
            return f"No valid credential sources found.\nPlease see {_GUIDE} on how to provide some."
        if not region:
            return (
                "Missing region information\nMake sure you have set your AWS region, e.g. "
                "`pulumi config set aws:region us-west-2`."
            )
        return _why_refused(AwsClients(connection, region))

    def _region_of(self, config: Mapping[str, Any]) -> str:
        return str(config.get("region") or self._environment.region)

    def _configured(self, config: Bag) -> Account:
        region = self._region_of(config)
        if config.get("skipRegionValidation") is False and not regions.is_known(region):
            raise ProviderError(f"invalid AWS Region: {region}")
        connection = self._credentials(config)
        if not (connection.access_key_id and connection.secret_access_key):
            raise ProviderError(f"No valid credential sources found. Please see {_GUIDE} on how to provide some.")
        account = self._identified(connection, region, config)
        _refuse_other_accounts(account.account_id, config)
        self._scope.account = account
        return account

    def _identified(self, connection: AwsConnection, region: str, config: Bag) -> Account:
        try:
            caller = AwsClients(connection, region).sts.get_caller_identity()
        except (ClientError, BotoCoreError) as error:
            raise ProviderError(
                f"validating provider credentials: retrieving caller identity from STS: {described(error, 'STS')}"
            ) from error
        default_tags = (config.get("defaultTags") or {}).get("tags") or {}
        return Account(connection, region, caller["Account"], caller["Arn"], caller["UserId"], dict(default_tags))

    def _caller_identity(self) -> Bag:
        account = self.connection
        return {
            "accountId": account.account_id,
            "arn": account.caller_arn,
            "id": account.account_id,
            "userId": account.caller_id,
        }

    def _partition(self) -> Bag:
        return {"dnsSuffix": "amazonaws.com", "id": "aws", "partition": "aws", "reverseDnsPrefix": "com.amazonaws"}

    def _region(self) -> Bag:
        region = self.connection.region
        return {
            "description": regions.description(region),
            "endpoint": f"ec2.{region}.amazonaws.com",
            "id": region,
            "name": region,
            "region": region,
        }


def aws_stand_in(connection: AwsConnection) -> AwsStandIn:
    """Return the aws plugin for one server and one set of credentials."""
    return AwsStandIn(connection)


def _why_refused(clients: AwsClients) -> str | None:
    try:
        clients.sts.get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and code_of(error) in _REFUSED_CREDENTIALS:
            return f"Invalid credentials configured.\nPlease see {_GUIDE} on how to provide others."
        return f"unable to validate AWS credentials.\nDetails: {described(error, 'STS')}\n"
    return None


def _refuse_other_accounts(account_id: str, config: Mapping[str, Any]) -> None:
    allowed, forbidden = config.get("allowedAccountIds") or [], config.get("forbiddenAccountIds") or []
    if account_id in forbidden or (allowed and account_id not in allowed):
        raise ProviderError(f"AWS account ID not allowed: {account_id}")
