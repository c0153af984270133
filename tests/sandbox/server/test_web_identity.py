"""A caller assumes a role of the AWS sandbox only with a token that the role trusts."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from model.policies import as_json, trust_policy
from model.trust import OidcTrust, provider_arn
from sandbox.server import signatures
from sandbox.server.answers import ApiError
from sandbox.server.web import Request
from tests.sandbox.serving import REGION, Aws, allow, fetch, refused
from tests.sandbox.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://token.actions.githubusercontent.com"
ACCOUNT = "123456789012"
MAIN = "repo:joelhooks/joelclaw:ref:refs/heads/main"


@pytest.fixture(scope="module", name="provider", autouse=True)
def _provider(aws: Aws) -> Iterator[str]:
    iam = aws.client(service="iam")
    arn = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])[
        "OpenIDConnectProviderArn"
    ]
    yield arn
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def role(aws: Aws, *statements: dict[str, Any], subject: str = MAIN) -> str:
    """The ARN of a new role that trusts a subject of the issuer and has these statements for a policy."""
    iam, name = aws.client(service="iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = OidcTrust(issuer=ISSUER, subject=(subject,))
    document = as_json(trust_policy(trust, provider_arn(trust, ACCOUNT)))
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = iam.create_policy(
        PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def asking(aws: Aws) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """A client of STS without any key."""
    made = boto3.client(
        "sts",
        endpoint_url=aws.server.endpoint,
        verify=aws.server.ca_bundle,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}),
    )
    aws.cleanup.callback(made.close)
    return made


def s3_with(aws: Aws, key: str, secret: str, token: str | None) -> Any:  # noqa: ANN401 - as above
    """A client of S3 with a temporary key."""
    made = boto3.client(
        "s3",
        endpoint_url=aws.server.endpoint,
        verify=aws.server.ca_bundle,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    aws.cleanup.callback(made.close)
    return made


def assume(aws: Aws, arn: str, **claims: Any) -> dict[str, str]:  # noqa: ANN401 - claims of any kind
    """The session of a token."""
    found: dict[str, str] = asking(aws).assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="test", WebIdentityToken=token_of(**{"iss": ISSUER, "sub": MAIN, **claims})
    )["Credentials"]
    return found


def test_a_session_may_do_what_the_role_may(aws: Aws) -> None:
    """A session works by header and by presigned URL, within the role's policies."""
    bucket = aws.bucket()
    session = assume(aws, role(aws, allow("PutObject", "GetObject", on=f"{bucket}/*")))
    s3 = s3_with(aws, session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    s3.put_object(Bucket=bucket, Key="key", Body=b"content")

    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"content"
    assert refused(s3.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")
    assert refused(s3.delete_object, Bucket=bucket, Key="key") == (403, "AccessDenied")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})
    assert fetch(aws, "GET", url) == (200, b"content")


def test_a_temporary_key_is_good_with_its_token_alone(aws: Aws) -> None:
    """A temporary key without its token, or with another token, is refused in AWS's words."""
    bucket = aws.bucket()
    arn = role(aws, allow("ListBucket", on=bucket))
    session, other = assume(aws, arn), assume(aws, arn)
    key, secret = session["AccessKeyId"], session["SecretAccessKey"]

    assert refused(s3_with(aws, key, secret, None).list_objects_v2, Bucket=bucket) == (403, "InvalidAccessKeyId")
    with_other = s3_with(aws, key, secret, other["SessionToken"])
    assert refused(with_other.list_objects_v2, Bucket=bucket) == (400, "InvalidToken")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "repo:joelhooks/joelclaw:ref:refs/heads/other"}, (403, "AccessDenied")),
        ({"aud": "https://github.com/joelhooks"}, (400, "InvalidIdentityToken")),
        ({"iss": "https://token.example.com"}, (400, "InvalidIdentityToken")),
        ({"exp": 1}, (400, "ExpiredTokenException")),
    ],
)
def test_a_token_that_the_role_does_not_trust_opens_nothing(
    aws: Aws, claims: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Subject, audience, issuer and lifetime are each checked."""
    token = token_of(**{"iss": ISSUER, "sub": MAIN, **claims})

    found = refused(
        asking(aws).assume_role_with_web_identity,
        RoleArn=role(aws, allow("GetObject", on="x/*")),
        RoleSessionName="test",
        WebIdentityToken=token,
    )

    assert found == expected


def test_a_wildcard_subject_matches_as_one(aws: Aws) -> None:
    """The role accepts every branch of the repository, and no other repository."""
    arn = role(aws, allow("GetObject", on="x/*"), subject="repo:joelhooks/joelclaw:*")

    assert assume(aws, arn, sub="repo:joelhooks/joelclaw:ref:refs/heads/other")["AccessKeyId"].startswith("ASIA")
    token = token_of(iss=ISSUER, sub="repo:joelhooks/other:ref:refs/heads/main")
    asked = {"RoleArn": arn, "RoleSessionName": "test", "WebIdentityToken": token}
    assert refused(asking(aws).assume_role_with_web_identity, **asked) == (403, "AccessDenied")


@pytest.mark.parametrize("token", ["not-a-token", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token_is_refused(aws: Aws, token: str) -> None:
    """A malformed token is refused."""
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none-such", "RoleSessionName": "test", "WebIdentityToken": token}

    assert refused(asking(aws).assume_role_with_web_identity, **asked) == (400, "InvalidIdentityToken")


def test_a_role_that_is_not_there_tells_nothing_of_it(aws: Aws) -> None:
    """A missing role gives the same answer as a role that does not trust the token."""
    asked = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none-such",
        "RoleSessionName": "test",
        "WebIdentityToken": token_of(iss=ISSUER, sub=MAIN),
    }

    assert refused(asking(aws).assume_role_with_web_identity, **asked) == (403, "AccessDenied")


def test_a_session_ends() -> None:
    """After one hour, a signature with the right token is refused as expired."""
    signed = AWSRequest("GET", "https://sandbox/bucket")
    S3SigV4Auth(Credentials("ASIAKEY", "secret", "token"), "s3", REGION).add_auth(signed)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed.headers.items()}
    request = Request(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/bucket", "HTTP_HOST": "sandbox", "wsgi.input": io.BytesIO(), **headers}
    )
    signature = signatures.read_signature(request)
    assert signature is not None
    ends = datetime.now(UTC) + timedelta(minutes=5)
    session = signatures.Session("token", ends)

    signatures.verify(request, signature, "secret", session=session)
    with pytest.raises(ApiError) as caught:
        signatures.verify(request, signature, "secret", lambda: ends, session)

    assert (caught.value.status, caught.value.code) == (400, "ExpiredToken")
    assert "token" not in repr(session)
