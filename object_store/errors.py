"""The errors of the adapter: its own small tree, so that no caller depends on botocore's errors.

A message names bucket and key, says what is wrong and what to do. It never holds a secret, a signed URL, or unchecked
text of a server's answer. `translation` sorts answers into this tree.

    ObjectStoreError
    ├── ConfigurationError (also ValueError)    the store's settings cannot work; nothing was sent
    ├── InvalidArgument (also ValueError)       the call's arguments cannot work; nothing was sent
    │   ├── InvalidBucketName
    │   ├── InvalidKey
    │   ├── InvalidExpiry
    │   ├── InvalidContentType
    │   ├── InvalidMetadata
    │   ├── InvalidReference                    JSON or a URI that is not a reference
    │   ├── UnsafePath                          a key that would lead out of its folder
    │   └── InvalidBody (also TypeError)
    ├── NotFound                                the object does not exist
    │   └── BucketNotFound                      the bucket does not exist
    ├── AlreadyExists                           `if_absent`, and the object exists
    ├── StaleReference                          the object is not the one that the reference was made from
    ├── IncompleteTransfer                      the body is shorter or longer than announced
    ├── CorruptBody                             the body is not the one that the server's own digest names
    ├── UnverifiedBody                          nothing proves the body, and the settings demand a proof
    ├── PayloadUnresolved                       an event that does not lead to bytes
    ├── LocalFault                              this machine failed, not the server: descriptors, memory, the clients
    │   └── LocalFileError                      a file or folder of this machine, or of the NAS
    ├── DualWriteFailed                         not both sides hold the body; it says which does
    ├── AccessDenied                            the server knows the access key, but denies the request
    │   └── ObjectLocked                        an object lock keeps what is there
    ├── BadCredentials                          the server does not know the access key, or the signature is wrong
    ├── ClockSkew                               this machine's clock differs too much from the server's
    ├── WrongRegion                             the bucket or the server is in another region
    ├── EndpointUnreachable                     the name does not resolve, no connection, or the connection was lost
    │   └── CertificateNotTrusted               no trusted CA signed the TLS certificate, or it is for another name
    │       └── CertificateUnusable             no setting makes the certificate usable: the server needs another one
    ├── Unavailable                             the server cannot answer the request now; a later try may succeed
    ├── QuotaExceeded                           no space: a quota, or the disk
    ├── RequestRefused                          any other S3 error; see `code`
    └── UnexpectedAnswer                        an answer that is not S3's
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Self


class ObjectStoreError(Exception):
    """An operation that failed.

    Attributes:
        reason: what is wrong, without bucket and key.
        bucket: the bucket concerned, if any.
        key: the key concerned, if any; the prefix for a listing.
        code: the S3 error code as the server sent it, if it sent one.
        status: the HTTP status of the answer, if there was one.
    """

    remedy: ClassVar[str] = ""

    def __init__(
        self,
        reason: str,
        *,
        bucket: str | None = None,
        key: str | None = None,
        code: str | None = None,
        status: int | None = None,
    ) -> None:
        """Build the message from its parts."""
        self.reason = reason
        self.bucket = bucket
        self.key = key
        self.code = code
        self.status = status
        place = ", ".join(
            f"{name} {value!r}" for name, value in (("bucket", bucket), ("key", key)) if value is not None
        )
        text = f"{place}: {reason}" if place else reason
        if code is not None and code not in text:
            text += f" ({code})"
        text = f"{text.rstrip('.')}. {self.remedy}".rstrip()
        # A key or a field's name may hold what a terminal obeys, or cannot encode.
        super().__init__("".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text))

    def __reduce__(self) -> tuple[partial[Self], tuple[str]]:
        """Allow pickling: a worker process pickles the exception to pass it on."""
        parts = partial(type(self), bucket=self.bucket, key=self.key, code=self.code, status=self.status)
        return parts, (self.reason,)


class ConfigurationError(ObjectStoreError, ValueError):
    """A setting is missing or cannot work; the message names the variable, the legal values and the line to set."""


class InvalidArgument(ObjectStoreError, ValueError):  # noqa: N818  # the tree names states, as S3 does
    """An argument was refused before anything was sent."""


class InvalidBucketName(InvalidArgument):
    """A name that an S3 bucket cannot have."""


class InvalidKey(InvalidArgument):
    """A key that not every S3 server stores as given (`keys` has the rule), or that the server refused."""


class InvalidExpiry(InvalidArgument):
    """A lifetime of a presigned URL that is not between 1 second and 7 days."""


class InvalidContentType(InvalidArgument):
    """Not a media type such as `text/plain`."""


class InvalidMetadata(InvalidArgument):
    """Metadata that not every S3 server returns unchanged."""


class InvalidReference(InvalidArgument):
    """Not the JSON of an `ObjectRef`, or not an `s3://` URI."""


class UnsafePath(InvalidArgument):  # the tree names states, as S3 does
    """A key that does not name a file below its folder."""


class InvalidBody(InvalidArgument, TypeError):  # noqa: N818  # likewise: the tree names states
    """A body from which bytes cannot be read."""


class NotFound(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The object does not exist."""


class BucketNotFound(NotFound):
    """The bucket does not exist."""

    remedy = "Check the name and its environment; the deployment creates buckets, the adapter never does."


class AlreadyExists(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The object exists, and `if_absent` was given; the object is unchanged."""


class StaleReference(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The object is not, or no longer, the one that the reference was made from."""

    remedy = "It was replaced since, or belongs to another event: get a new reference from its writer, or from `head`."


class IncompleteTransfer(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """A body that does not have the announced length; nothing of it was kept."""

    remedy = "Try again."


class CorruptBody(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The body that arrived, or that the server acknowledged, is not the one that its digest names; nothing counts."""

    remedy = "Try again; if it happens again, ask what stands between this machine and the server (a proxy, a cache)."


class UnverifiedBody(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The server names no digest that could be computed again, and `only_verified` demands one."""

    remedy = "Store the object again with this adapter, which gives it a SHA-256, or read it without the demand."


class PayloadUnresolved(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """An event whose `objectRef` or `nasPath` does not lead to bytes here."""


class LocalFault(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """This machine could not do it: no descriptor, memory, port or temporary folder, or a client that broke.

    What the server has is unknown only if an upload had begun; nothing in the message is the server's answer.
    """


class LocalFileError(LocalFault):
    """A file or folder that cannot be read or written."""


class DualWriteFailed(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The NAS and the store do not both hold the body.

    Attributes:
        nas: what the NAS holds: `"holds it"`, `"does not"` or `"unknown"`.
        store: what the store holds, likewise.
    """

    remedy = "Write it again: that completes the write, and changes nothing on a side that holds the body."

    def __init__(
        self,
        reason: str,
        *,
        bucket: str | None = None,
        key: str | None = None,
        code: str | None = None,
        status: int | None = None,
        nas: str = "unknown",
        store: str = "unknown",
    ) -> None:
        """Build the message from its parts."""
        self.nas = nas
        self.store = store
        super().__init__(reason, bucket=bucket, key=key, code=code, status=status)

    def __reduce__(self) -> tuple[partial[Self], tuple[str]]:
        """Allow pickling: a worker process pickles the exception to pass it on."""
        parts = partial(
            type(self),
            bucket=self.bucket,
            key=self.key,
            code=self.code,
            status=self.status,
            nas=self.nas,
            store=self.store,
        )
        return parts, (self.reason,)


class AccessDenied(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The server accepts the credential, but its identity may not do this."""

    remedy = (
        "The identity behind AWS_ACCESS_KEY_ID has no grant for this: use one that has it, or add the grant and deploy."
    )


class ObjectLocked(AccessDenied):
    """The bucket's object lock keeps the object that is there: no grant lets it be replaced or removed."""

    remedy = "Store it under another key, or wait until then; a legal hold lasts until someone lifts it."


class BadCredentials(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The server does not know the access key, or the secret key does not match it."""

    remedy = (
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if the key is a temporary one) "
        "against what the deployment published; they may have been rotated."
    )


class ClockSkew(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """This machine's clock and the server's differ by more than signatures allow (15 minutes)."""

    remedy = "Set this machine's clock (NTP), or the server's."


class WrongRegion(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The request was signed for a region other than that of the server or the bucket."""

    remedy = "Set AWS_REGION to the region that the deployment published."


class EndpointUnreachable(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The endpoint could not be reached, or the connection was lost."""

    remedy = "Check S3_ENDPOINT, and that the server is running and reachable from this machine."


class CertificateNotTrusted(EndpointUnreachable):
    """The endpoint's TLS certificate is not trusted."""

    remedy = (
        "Set S3_CA_BUNDLE to a PEM file with the CA that signed it (AWS_CA_BUNDLE if S3_ENDPOINT is not set), "
        "and check that the certificate holds the host name of S3_ENDPOINT."
    )


class CertificateUnusable(CertificateNotTrusted):
    """The endpoint's certificate cannot be a server's now: it holds no name, is too weak, or its time is over."""

    remedy = (
        "Give the server a certificate of its own, signed by your CA; or, for one server, make one that is its own CA, "
        "with HOST in place of the endpoint's host (IP:… for an address): openssl req -x509 -newkey rsa:2048 -nodes "
        "-days 365 -subj /CN=HOST -addext subjectAltName=DNS:HOST -addext basicConstraints=critical,CA:FALSE "
        "-keyout private.key -out public.crt. Then set S3_CA_BUNDLE to the CA's certificate, or to public.crt."
    )


class Unavailable(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The server answered that it cannot serve the request now, even after the retries."""

    remedy = "Try again later, with fewer requests at the same time."


class QuotaExceeded(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The bucket's quota, or the server's disk, is used up."""

    remedy = "Free space or raise the quota; nothing was stored."


class RequestRefused(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The server refused the request for a reason that has no class here; see `code`."""


class UnexpectedAnswer(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """Something answered, but not as an S3 server does."""

    remedy = "Check that S3_ENDPOINT is the S3 API of the server (not its console, and not a page of a proxy)."
