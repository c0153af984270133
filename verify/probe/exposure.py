"""Access that must be closed: without a signature, over plain http, with well-known keys, to the IAM or admin API.

The rule: each attempt gives the code that the server answers, and none does harm if the server allows it: an anonymous
put carries `If-None-Match: *` for an object that exists. The first look at the endpoint is here too: whether a server
answers, and with which certificate.
"""

import re
import socket
import ssl
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model.plan import PROBE_PREFIX, BucketPlan
from model.secrecy.vendor_defaults import VENDOR_PAIR
from model.user_names import stack_prefix
from object_store import CertificateNotTrusted, ConfigurationError, EndpointUnreachable, LocalFault, try_connection
from verify.facts import (
    DONE,
    SKEWED,
    Answer,
    Certificate,
    DoorFacts,
    StoreFacts,
    StrangerFacts,
    Tried,
    skew_in_words,
)
from verify.probe.actions import LINK_SECONDS, outside
from verify.probe.answers import UNEXPECTED, LocalFaultError, as_tried, done
from verify.probe.seeds import MD5_OF_NOTHING
from verify.probe.session import ANONYMOUS, CONNECT_TIMEOUT_SECONDS, StoreSession, body_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UNTRUSTED = "CertificateNotTrusted"
# So many other stacks are tried, so that a run's time is bounded.
_OTHER_STACKS = 4
# By how much the clocks of a signed request and of its server may differ, on MinIO (globalMaxSkewTime) and on AWS:
# https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
MOST_SKEW = timedelta(minutes=15)
# What a browser would show; S3 answers XML, or nothing.
_PAGE = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)


def look_at_door(session: StoreSession) -> DoorFacts:
    """Connect once, with TLS if the endpoint is https, read the certificate, and ask once without a signature."""
    endpoint = session.client(ANONYMOUS).meta.endpoint_url
    parts = urlsplit(endpoint)
    host, tls = parts.hostname or "", parts.scheme == "https"
    address = (host, parts.port or (443 if tls else 80))
    certificate: Answer[Certificate] | None = None
    try:
        # Through a proxy only the adapter's own connection, below, can judge the certificate.
        with (
            socket.create_connection(address, CONNECT_TIMEOUT_SECONDS) if not session.proxy else nullcontext() as plain
        ):
            certificate = _certificate(plain, host, session.tls()) if plain and tls else None
    except OSError as error:
        said = f"no server answers at {endpoint}: {error.strerror or error}"
        return DoorFacts(endpoint, Answer(code=type(error).__name__, said=said), None)
    if certificate is None or certificate.ok:
        refusal = _refused_by_the_adapter(endpoint, session.ca_file)
        if refusal is not None and certificate is not None and refusal.code == UNTRUSTED:
            return DoorFacts(endpoint, Answer(DONE), Answer(code=refusal.code, said=refusal.said))
        if refusal is not None:
            return DoorFacts(endpoint, refusal, certificate)
        dated: list[timedelta] = []
        page = session.send("GET", endpoint, dated=dated)
        session.ahead = dated[-1] if dated else timedelta()
        if abs(session.ahead) > MOST_SKEW:
            said = f"{skew_in_words(session.ahead)}, so the server refuses every signed request"
            return DoorFacts(endpoint, Answer(code=SKEWED, said=said), certificate, session.ahead.total_seconds())
        if page.ok and _PAGE.match(page.value or b""):
            said = f"what answers at {endpoint} is a web page, not an S3 server: a login page, a console or a proxy"
            return DoorFacts(endpoint, Answer(code=UNEXPECTED, said=said), certificate)
    return DoorFacts(endpoint, Answer(DONE), certificate, session.ahead.total_seconds())


def _refused_by_the_adapter(endpoint: str, ca_file: str | None) -> Tried | None:
    """Why the adapter cannot connect although this module could: it has its own TLS, and it heeds proxies."""
    try:
        try_connection(endpoint, ca_file, connect_timeout=timedelta(seconds=CONNECT_TIMEOUT_SECONDS))
    except CertificateNotTrusted as error:
        return Answer(code=UNTRUSTED, said=str(error))
    except EndpointUnreachable as error:
        return Answer(code=type(error).__name__, said=str(error))
    except (ConfigurationError, LocalFault) as error:
        raise LocalFaultError(str(error)) from error
    return None


def _certificate(plain: socket.socket, host: str, context: ssl.SSLContext) -> Answer[Certificate]:
    try:
        with context.wrap_socket(plain, server_hostname=host) as wrapped:
            held: Any = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Answer(code=UNTRUSTED, said=error.verify_message)
    except OSError as error:
        return Answer(code=type(error).__name__, said=f"TLS failed: {error}")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(held["notAfter"]), UTC)
    return Answer(Certificate(tuple(str(value) for _, value in held.get("subjectAltName", ())), ends.isoformat()))


def try_strangers(session: StoreSession, verifier: str, bucket: BucketPlan, prefix: str) -> StrangerFacts:
    """Try a bucket without a signature, over plain http, and as the verifier outside the probe prefix."""
    name, seed = bucket.name, f"{prefix}seed"
    nobody, own = session.client(ANONYMOUS), session.client(verifier)
    key = outside(prefix)
    beyond = {
        "list": session.ask(done(lambda: own.list_objects_v2(Bucket=name, Prefix=key, MaxKeys=1))),
        # For a version that does not exist: it creates no delete marker and removes nothing.
        "delete_version": session.ask(done(lambda: own.delete_object(Bucket=name, Key=key, VersionId="null"))),
    }
    if session.target.deployment.cloud == "aistor":
        # AWS answers AccessDenied for a missing object if the caller may not list, so a refusal there proves nothing.
        beyond["get"] = session.ask(done(lambda: body_of(own, name, key)))
    return StrangerFacts(
        anonymous={
            "list": session.ask(done(lambda: nobody.list_objects_v2(Bucket=name, Prefix=prefix, MaxKeys=1))),
            "get": session.ask(done(lambda: body_of(nobody, name, seed))),
            "put": session.ask(
                done(lambda: nobody.put_object(Bucket=name, Key=seed, Body=b"anonymous", IfNoneMatch="*"))
            ),
        },
        plain_http=_plain_http(session, verifier, bucket, seed),
        outside=beyond,
    )


def _plain_http(session: StoreSession, verifier: str, bucket: BucketPlan, seed: str) -> Tried | None:
    if not session.target.deployment.plan.tls_only:
        return None
    endpoint = session.client(verifier).meta.endpoint_url
    client: S3Client = session.client(verifier, endpoint.replace("https:", "http:", 1))
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket.name, "Key": seed}, ExpiresIn=LINK_SECONDS
    )
    # Once: a server that does not speak plain http closes the connection each time.
    return as_tried(session.send("GET", url, once=True))


def try_store(session: StoreSession, verifier: str, identities: tuple[str, ...]) -> StoreFacts:
    """Gather the facts about the store as a whole; `verify.probe.admin` tries each identity, one by one.

    Args:
        session: Of the run.
        verifier: The identity that lists the buckets.
        identities: The identities that must be refused in other stacks' buckets.
    """
    client = session.client(verifier)
    names = session.ask(lambda: tuple(bucket["Name"] for bucket in client.list_buckets().get("Buckets", [])))
    aistor = session.target.deployment.cloud == "aistor"
    return StoreFacts(
        bucket_names=names,
        default_keys=_default_keys(session) if aistor else None,
        admin={},
        beside=_beside(session, names.value or (), identities),
    )


def _beside(session: StoreSession, names: tuple[str, ...], identities: tuple[str, ...]) -> dict[str, dict[str, Tried]]:
    """What each identity may do in one bucket of each other stack on the server; nothing is stored or removed."""
    own = session.target.deployment.plan.bucket_prefix
    others = {prefix: name for name in sorted(names, reverse=True) if (prefix := stack_prefix(name)) not in ("", own)}
    asked = sorted(others.values())[:_OTHER_STACKS]

    def tried(identity: str, name: str) -> dict[str, Tried]:
        def listing(client: "S3Client") -> object:
            return client.list_objects_v2(Bucket=name, Prefix=PROBE_PREFIX, MaxKeys=1)

        def put(client: "S3Client") -> object:
            # The digest is wrong, so a put that is let in is refused afterwards.
            return client.put_object(Bucket=name, Key=f"{PROBE_PREFIX}none", Body=b"x", ContentMD5=MD5_OF_NOTHING)

        return {
            f"list in {name}": session.ask_as(identity, listing),
            f"put in {name}": session.ask_as(identity, put),
        }

    return {
        identity: {what: answer for name in asked for what, answer in tried(identity, name).items()}
        for identity in identities
        if asked
    }


def _default_keys(session: StoreSession) -> Tried:
    client = session.client_with(*VENDOR_PAIR)
    try:
        return session.ask(done(client.list_buckets))
    finally:
        client.close()
