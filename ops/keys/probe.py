"""Tests whether a key pair works, on the live store and as its identity would use it.

The rule: one harmless request, a listing of at most one key. Every identity may make it in its own form, so a refusal
is about the key pair and not about the grant. AWS refuses a new key for some seconds, so a refusal counts only after it
has lasted. No message contains a key. It leaves out the identity's other rights: `verify` proves them.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential_jitter

from model.deployment import Deployment, KeyPair
from model.plan import PROBE_PREFIX, IdentityPlan
from model.policies import Cloud
from ops.read_identity import open_client

#: "Changes that I make are not always immediately visible"; usually some seconds, seldom more than ten:
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
PATIENCE_SECONDS: dict[Cloud, float] = {"aws": 30.0, "aistor": 3.0}
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5.0
#: The error codes for a missing key, a key that is not active yet, and a policy that is not attached yet.
_NOT_YET = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "InvalidClientTokenId", "403"})
_MEANING = {
    "InvalidAccessKeyId": "the store does not know the access key id",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key id",
    "AccessDenied": "the store accepts the key pair but refuses to list the bucket",
}


def works(
    deployment: Deployment,
    identity: str,
    pair: KeyPair,
    *,
    patience_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Try an identity's key pair on the provisioning endpoint.

    Args:
        deployment: The published deployment.
        identity: The identity's name in the taxonomy.
        pair: The key pair to try.
        patience_seconds: How long a refusal may last before it counts; None for the cloud's default.
        sleep: How to wait between attempts.

    Returns:
        None if the store accepts the pair; otherwise the reason, as a clause that can follow "does not work: ".
    """
    planned = next((one for one in deployment.plan.identities if one.name == identity), None)
    if planned is None:
        return f"the deployment has no identity {identity!r}"
    place = _place(deployment, planned)
    if place is None:
        return f"{identity} has no grant on any bucket, so its key pair cannot be tried"
    bucket, prefix = place
    patience = PATIENCE_SECONDS[deployment.cloud] if patience_seconds is None else patience_seconds
    attempts = Retrying(
        retry=retry_if_result(lambda answer: answer is not None and answer[0] in _NOT_YET),
        stop=stop_after_delay(patience),
        wait=wait_exponential_jitter(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
        sleep=sleep,
    )
    answer: tuple[str, str] | None = None

    def attempt() -> tuple[str, str] | None:
        nonlocal answer
        answer = _list_one(deployment, pair, bucket, prefix, of_versions=planned.audits)
        return answer

    with suppress(RetryError):
        attempts(attempt)
    return None if answer is None else answer[1]


def _place(deployment: Deployment, identity: IdentityPlan) -> tuple[str, str] | None:
    """A bucket and a prefix that the identity may list."""
    if identity.verifies or identity.audits:
        prefix = PROBE_PREFIX if identity.verifies else ""
        return next(((bucket.name, prefix) for bucket in deployment.plan.buckets), None)
    return next(((grant.bucket, "") for grant in identity.grants), None)


def _list_one(
    deployment: Deployment, pair: KeyPair, bucket: str, prefix: str, *, of_versions: bool
) -> tuple[str, str] | None:
    """The code and the sentence of a refusal; None if the store accepted the request."""
    at = deployment.provisioning_endpoint or deployment.endpoint or "AWS"
    try:
        with open_client(deployment, pair) as client:
            # The auditor may list versions only.
            ask = client.list_object_versions if of_versions else client.list_objects_v2
            ask(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        return code, f"{at} refuses to list {bucket} ({code}: {_MEANING.get(code, 'see the code')})"
    except (BotoCoreError, ValueError) as error:
        # A message of botocore may quote a header that holds a key, so only the error's type is shown.
        return type(error).__name__, f"cannot list {bucket} at {at} ({type(error).__name__})"
    return None
