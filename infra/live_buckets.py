"""Which buckets exist on the server, asked with the key pair that the engine would hand to the plugin.

The rule: one listing tells whether the server accepts the pair and which buckets exist; a bucket that it does not show
gets a request of its own, because a listing may leave out what the admin may not list. What cannot be told is an error,
never "it does not exist". On AIStor one bucket is asked for in any case: MinIO lists buckets for a request that is
signed for any region, and checks the region at a bucket (cmd/auth-handler.go, `checkRequestAuthTypeCredential`).
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from infra.namespace import NAMESPACE
from infra.settings import Settings
from model.problems import InvalidInputError, Problem

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

JOBS = 16
_NOT_ALLOWED = "AccessDenied"
#: The codes that refuse a key pair, and what each means.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
WRONG_PAIR = {
    "InvalidAccessKeyId": "it does not know this access key",
    "SignatureDoesNotMatch": "the secret key does not belong to this access key",
    "ExpiredToken": "the credentials have expired",
    "InvalidToken": "the session token is malformed",
}


def existing_buckets(names: Iterable[str], settings: Settings, ours: Collection[str] = ()) -> set[str]:
    """The names that belong to existing buckets of the admin; the server must accept the admin.

    Args:
        names: The names.
        settings: The stack's settings.
        ours: The names of the stack's own buckets. On AWS, "forbidden" tells nothing about one of these; any other
            name is another account's bucket, or free, and creating it will show.

    Raises:
        InvalidInputError: The server does not answer, refuses the key pair or a bucket, or is in another region.
    """
    wanted = set(names)

    def free(name: str) -> bool:
        return settings.aistor is None and name not in ours

    with admin_client(settings) as client:
        listed = _listed(client, settings)
        one = set() if settings.aistor is None else set(sorted(wanted)[:1])
        asked = sorted((wanted - listed) | one)
        with ThreadPoolExecutor(JOBS) as pool:
            found = pool.map(lambda name: _exists(client, name, settings, free_if_forbidden=free(name)), asked)
            return (wanted & listed) | {name for name, exists in zip(asked, found, strict=True) if exists}


@contextmanager
def admin_client(settings: Settings) -> Iterator["S3Client"]:
    """An S3 client with the provisioning admin's key pair; on AWS with the SDK's credential chain.

    Raises:
        InvalidInputError: A request of the context got no answer, or the chain has no credentials.
    """
    # Imported here: botocore is slow to import, and `object-store preview --offline` needs none of it.
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - see above

    from infra.s3_client import open_client  # noqa: PLC0415 - see above

    aistor = settings.aistor
    try:
        with open_client(
            endpoint=aistor.endpoint.url if aistor else None,
            region=settings.region,
            ca_pem=aistor.ca_pem if aistor else None,
            access_key_id=aistor.admin_user if aistor else None,
            secret_access_key=aistor.admin_password if aistor else None,
        ) as client:
            yield client
    except BotoCoreError as error:
        raise InvalidInputError([_refused(str(error), settings)]) from None


def _listed(client: "S3Client", settings: Settings) -> set[str]:
    """The buckets that a listing shows; none if the server accepts the admin, who may not list."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see `admin_client`

    try:
        return {bucket["Name"] for bucket in client.list_buckets().get("Buckets", [])}
    except ClientError as error:
        if error.response["Error"].get("Code") == _NOT_ALLOWED:
            return set()
        raise InvalidInputError([_refusal(error, settings)]) from None


def _exists(client: "S3Client", name: str, settings: Settings, *, free_if_forbidden: bool) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see `admin_client`

    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == HTTPStatus.NOT_FOUND:
            return False
        if status == HTTPStatus.MOVED_PERMANENTLY:
            return True  # this account's bucket, in another region
        if status == HTTPStatus.FORBIDDEN and free_if_forbidden:
            return False
        if status == HTTPStatus.BAD_REQUEST and settings.aistor is not None:
            raise InvalidInputError([_other_region(error, settings)]) from None
        raise InvalidInputError([_refused(f"HTTP {status} for {name}", settings)]) from None
    return True


def _other_region(error: "ClientError", settings: Settings) -> Problem:
    theirs = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
    wrong = f"the server is not in {settings.region}, the region that requests are signed for"
    return Problem(
        f"{settings.where}region", wrong, theirs or "the server's region", f"{NAMESPACE}:region: {theirs or 'REGION'}"
    )


def _refusal(error: "ClientError", settings: Settings) -> Problem:
    """The problem of a refused listing."""
    given = error.response["Error"]
    code, own = given.get("Code", ""), settings.aistor
    if code in WRONG_PAIR and own is not None:
        return Problem(
            f"{settings.where}adminUser, adminPassword",
            f"{own.endpoint.url} refuses {own.admin_user}: {WRONG_PAIR[code]} ({code})",
            "the key pair of an admin of this server",
            f"pulumi config set {NAMESPACE}:adminUser NAME && "
            f"pulumi config set --secret {NAMESPACE}:adminPassword (or the environment or command that holds the pair)",
        )
    message = WRONG_PAIR.get(code) or given.get("Message") or ""
    return _refused(": ".join(filter(None, (code or "no code", message))), settings)


def _refused(answer: str, settings: Settings) -> Problem:
    own = settings.aistor
    if own is None:
        where, asked, legal = "the SDK's credential chain", "AWS", "AWS credentials that may list the buckets"
    else:
        where, asked = f"{settings.where}adminUser, adminPassword, region", own.endpoint.url
        legal = "the provisioning admin's keys, the server's region"
    return Problem(
        where,
        f"cannot tell which buckets exist: {asked} answers {answer}",
        legal,
        f"object-store preflight --stack {settings.stack}",
    )
