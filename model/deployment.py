"""Deployment: the contract between the program and everything that reads a stack.

The rule: it has a version, holds no secret, and names what the backend cannot do, with the reason. A reader refuses
any other version rather than guess. Its JSON Schema is `schemas/deployment.schema.json`, generated from this module.
Credentials are published separately, as a Pulumi secret (`Credentials`).
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from model.plan import StorePlan
from model.policies import Cloud
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import keep_secret
from model.trust import role_arn

VERSION: Literal[1] = 1


class Unsupported(BaseModel):
    """A feature of the plan that the backend does not support."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: str
    reason: str


class Role(BaseModel):
    """A role that callers assume instead of using a key.

    Attributes:
        arn: The role's ARN, which callers pass to `sts:AssumeRoleWithWebIdentity`.
        issuer: The issuer whose tokens the role accepts.
        audience: The audience that the tokens must name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arn: str
    issuer: str
    audience: str


class Deployment(BaseModel):
    """What a stack publishes, without secrets.

    Attributes:
        version: The version of this contract.
        stack: The stack's name.
        cloud: aistor or aws.
        region: The region that requests are signed for.
        endpoint: The URL that clients use; None on AWS, where SDKs find it.
        provisioning_endpoint: The URL that provisioning used; None on AWS.
        ca_pem: CA certificates that clients must trust; None for the system's certificates.
        encryption: Default encryption of buckets; None if the backend has none without a key service.
        kms_key: The ARN of the key of SSE-KMS; None without one, and in a deployment of before.
        tags: The tags of every bucket; None if the stack was deployed before they were published.
        administrators: Names of users, roles and access keys that may reach everything without being in the plan.
        plan: The plan that the stack implements.
        unsupported: The features of the plan that the backend cannot provide, and why.
        roles: The role of each identity that has one, by identity; these identities are not in the credentials.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = VERSION
    stack: str
    cloud: Cloud
    region: str
    endpoint: str | None
    provisioning_endpoint: str | None
    ca_pem: str | None
    encryption: Literal["SSE-S3", "SSE-KMS"] | None
    plan: StorePlan
    unsupported: tuple[Unsupported, ...]
    kms_key: str | None = None
    tags: dict[str, str] | None = None
    administrators: tuple[str, ...] = ()
    roles: dict[str, Role] = Field(default_factory=dict)

    def cannot(self, feature: str) -> str | None:
        """Why the backend does not support a feature; None if it does."""
        return next((item.reason for item in self.unsupported if item.feature == feature), None)

    @classmethod
    def parse(cls, content: object, where: str) -> Self:
        """Read a published deployment.

        Raises:
            InvalidInputError: It has another version or does not follow the contract.
        """
        version = content.get("version") if isinstance(content, dict) else None
        if version != VERSION:
            raise InvalidInputError(
                [
                    Problem(
                        where,
                        f"the deployment has version {version!r}",
                        f"version {VERSION}",
                        "run pulumi up with this checkout, or use the checkout that wrote the file",
                    )
                ]
            )
        try:
            return cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            raise InvalidInputError(
                [
                    Problem(
                        f"{where}: {'.'.join(map(str, detail['loc']))}",
                        detail["msg"],
                        "schemas/deployment.schema.json",
                        "pulumi up with this checkout, then pulumi stack output deployment --json > FILE",
                    )
                    for detail in error.errors(include_input=False)
                ]
            ) from None


def _kept(secret: SecretStr) -> SecretStr:
    keep_secret(secret.get_secret_value())
    return secret


class KeyPair(BaseModel):
    """One identity's credential, as read from a stack. Once read, it is redacted from all output.

    Attributes:
        access_key_id: The current access key.
        secret_access_key: Its secret key.
        previous: The previous generation's pair, while it is valid (`IdentityPlan.credential` has the generations).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_key_id: Annotated[str, Field(min_length=1)]
    secret_access_key: Annotated[SecretStr, AfterValidator(_kept)]
    previous: "KeyPair | None" = None


Credentials = TypeAdapter(dict[str, KeyPair])

_AISTOR_UNSUPPORTED = (
    Unsupported(
        feature="public_access_block",
        reason="AIStor has no PublicAccessBlock API (GET 501, PUT 400); without a bucket policy nobody is anonymous",
    ),
    Unsupported(
        feature="ownership_controls",
        reason="AIStor has no OwnershipControls API (GET 501, PUT 400); objects always belong to the server's owner",
    ),
    Unsupported(
        feature="abort_multipart",
        reason="AIStor drops abort-multipart rules; it removes stale uploads by itself after 24 hours",
    ),
    Unsupported(
        feature="transition",
        reason="AIStor has no storage classes to move objects to; a transition would need a remote tier",
    ),
    Unsupported(
        feature="encryption",
        reason="AIStor answers 501 to SSE-S3 without a key service; encryption at rest is the volume's",
    ),
    Unsupported(feature="tags", reason="pulumi-minio 0.17.1 has no tags on buckets"),
    # docs/losses.md has the tried requests.
    Unsupported(
        feature="refusal_of_overwrites",
        reason="AIStor's policies cannot ask for If-None-Match: append may put over an object; the old version is kept",
    ),
    Unsupported(
        feature="refusal_of_a_tar_in_place",
        reason="a tar that AIStor unpacks (X-Amz-Meta-Snowball-Auto-Extract) may name versions, and replaces them past "
        "every lock; no policy knows the header",
    ),
    Unsupported(
        feature="refusal_of_force_delete",
        reason="x-minio-force-delete lets write remove all versions unless they are locked; no policy knows the header",
    ),
    Unsupported(
        feature="refusal_of_dated_puts",
        reason="x-minio-source-mtime dates a put: it expires at once, or hides later puts; no policy knows the header",
    ),
    Unsupported(
        feature="refusal_of_lies_to_a_policy",
        reason="AIStor's policies believe the caller's headers Versionid, Authtype and Prefix: append may replace a "
        "version in place, also past every lock by a form, and the verifier may list keys outside .verify/",
    ),
    Unsupported(
        feature="refusal_of_unlocking",
        reason="an empty retention with x-amz-bypass-governance-retention takes a GOVERNANCE lock off for any key of "
        "the server (MinIO of February 2026); COMPLIANCE holds",
    ),
    Unsupported(
        feature="refusal_of_puts_without_a_secret",
        reason="a put in chunks with an unsigned trailer needs an access key id and no secret, and replaces locked "
        "versions (MinIO of February 2026, GHSA-hv4r-mvr4-25vw); upgrade the server, or let a proxy refuse "
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER without Authorization",
    ),
    Unsupported(
        feature="refusal_of_puts_that_stop_listings",
        reason="a put with X-Minio-Replication-Server-Side-Encryption-… makes every listing of the bucket fail until "
        "the object is deleted; no policy knows the header",
    ),
    Unsupported(
        feature="refusal_of_classes_by_parameter",
        reason="AIStor reads a storage class and tags from the query, too, where its policies do not look",
    ),
)


def build_deployment(
    plan: StorePlan,
    *,
    stack: str,
    cloud: Cloud,
    region: str,
    endpoint: str | None = None,
    provisioning_endpoint: str | None = None,
    ca_pem: str | None = None,
    kms_key: str | None = None,
    account: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Deployment:
    """The deployment of a plan on a cloud."""
    return Deployment(
        stack=stack,
        cloud=cloud,
        region=region,
        endpoint=endpoint,
        provisioning_endpoint=provisioning_endpoint,
        ca_pem=ca_pem,
        encryption=None if cloud == "aistor" else ("SSE-KMS" if kms_key else "SSE-S3"),
        plan=plan,
        unsupported=_AISTOR_UNSUPPORTED if cloud == "aistor" else (),
        kms_key=kms_key,
        # AIStor's buckets get no tags (see `_AISTOR_UNSUPPORTED`).
        tags={} if cloud == "aistor" else None if tags is None else dict(tags),
        roles={
            identity.name: Role(
                arn=role_arn(identity.user_name, account),
                issuer=identity.trust.issuer,
                audience=identity.trust.audience,
            )
            for identity in plan.identities
            if identity.trust is not None and account is not None
        },
    )


def json_schema() -> dict[str, Any]:
    """The contract's JSON Schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Deployment.model_json_schema(mode="serialization"),
    }
