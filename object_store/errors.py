"""The errors of the adapter: a small tree of its own, so that no caller depends on obstore's or botocore's.

A message names bucket and key, says what is wrong and what to do; it never holds a secret, a signed URL or the text
of a server's answer unread. How an answer is sorted into this tree is in `translation`, not here.

    ObjectStoreError
    ├── ConfigurationError (also ValueError)    what the store was given cannot work; nothing was sent
    ├── InvalidArgument (also ValueError)       what the call was given cannot work; nothing was sent
    │   ├── InvalidBucketName
    │   ├── InvalidKey
    │   ├── InvalidExpiry
    │   ├── InvalidContentType
    │   ├── InvalidMetadata
    │   ├── InvalidReference                    JSON or a URI that is no reference
    │   ├── UnsafePath                          a key that would lead out of its folder
    │   └── InvalidBody (also TypeError)
    ├── NotFound                                no such object
    │   └── BucketNotFound                      no such bucket
    ├── AlreadyExists                           `if_absent`, and there is one
    ├── StaleReference                          the object is not the one that the reference was made of
    ├── IncompleteTransfer                      the body ended before, or after, its length
    ├── PayloadUnresolved                       an event that leads to no bytes
    ├── LocalFileError                          a file or folder of this machine, or of the NAS
    ├── DualWriteFailed                         not both sides hold it; it says which does
    ├── AccessDenied                            known to the server, but not allowed
    ├── BadCredentials                          not known to the server, or the signature does not match
    ├── ClockSkew                               this machine's clock is too far from the server's
    ├── WrongRegion                             the bucket or the server is in another region
    ├── EndpointUnreachable                     no conversation at all: name, connection, or lost midway
    │   └── CertificateNotTrusted               a TLS certificate that no trusted CA signed, or for another name
    ├── Unavailable                             the server says that it cannot just now; later may help
    ├── QuotaExceeded                           no room: a quota, or the disk
    ├── RequestRefused                          any other S3 error; `code` has it
    └── UnexpectedAnswer                        an answer that is not S3's
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Self


class ObjectStoreError(Exception):
    """An operation that failed.

    Attributes:
        reason: what is wrong, without the place.
        bucket: the bucket it was about, if any.
        key: the key it was about, if any; the prefix for a listing.
        code: the S3 error code as the server gave it, if it gave one.
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
        """Make the message from its parts."""
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
        super().__init__(f"{text.rstrip('.')}. {self.remedy}".rstrip())

    def __reduce__(self) -> tuple[partial[Self], tuple[str]]:
        """Survive the way out of a worker process, which pickles the exception."""
        parts = partial(type(self), bucket=self.bucket, key=self.key, code=self.code, status=self.status)
        return parts, (self.reason,)


class ConfigurationError(ObjectStoreError, ValueError):
    """A setting is missing or cannot work; the message names the variable, the legal values and the line to set."""


class InvalidArgument(ObjectStoreError, ValueError):  # noqa: N818  # the tree names states, as S3 does
    """An argument was refused before anything was sent."""


class InvalidBucketName(InvalidArgument):
    """Not a name that an S3 bucket can have."""


class InvalidKey(InvalidArgument):
    """Not a key that every S3 server stores as it is given (`keys` has the rule), or one that the server refused."""


class InvalidExpiry(InvalidArgument):
    """A presigned URL lives between 1 second and 7 days."""


class InvalidContentType(InvalidArgument):
    """Not a media type such as `text/plain`."""


class InvalidMetadata(InvalidArgument):
    """Not metadata that every S3 server gives back as it got it."""


class InvalidReference(InvalidArgument):
    """Not the JSON of an `ObjectRef`, or not an `s3://` URI."""


class UnsafePath(InvalidArgument):  # the tree names states, as S3 does
    """A key that is no file below the folder it is for."""


class InvalidBody(InvalidArgument, TypeError):  # noqa: N818  # likewise: the tree names states
    """The body is nothing that bytes can be read from."""


class NotFound(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """There is no such object."""


class BucketNotFound(NotFound):
    """There is no such bucket."""

    remedy = "Check the name and the environment it is for; buckets are made by the deployment, never by the adapter."


class AlreadyExists(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """There is an object already, and it was to be stored only if there is none; it was left as it is."""


class StaleReference(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The object is not, or no longer, the one that the reference was made of."""

    remedy = "It was stored anew since, or belongs to another event: get a new reference from who wrote it, or `head`."


class IncompleteTransfer(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """A body that is not as long as it was said to be; nothing of it was kept."""

    remedy = "Try again."


class PayloadUnresolved(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """An event whose `objectRef` or `nasPath` leads to no bytes here."""


class LocalFileError(ObjectStoreError):
    """A file or folder that cannot be read or written."""


class DualWriteFailed(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """What was to be on the NAS and in the store is not on both.

    Attributes:
        nas: what the NAS holds: `"holds it"`, `"does not"` or `"unknown"`.
        store: what the store holds, likewise.
    """

    remedy = "Write it again: that completes it, and changes nothing on a side that holds it."

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
        """Make the message from its parts."""
        self.nas = nas
        self.store = store
        super().__init__(reason, bucket=bucket, key=key, code=code, status=status)

    def __reduce__(self) -> tuple[partial[Self], tuple[str]]:
        """Survive the way out of a worker process, which pickles the exception."""
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
    """The credential is good, and its identity may not do this."""

    remedy = (
        "The identity behind AWS_ACCESS_KEY_ID holds no grant for it: use one that does, or add the grant and deploy."
    )


class BadCredentials(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The server does not know the access key, or the secret key does not fit it."""

    remedy = (
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if the key is a temporary one) "
        "against what the deployment published; they may have been rotated."
    )


class ClockSkew(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """This machine's clock and the server's differ by more than signatures allow (15 minutes)."""

    remedy = "Set this machine's clock (NTP), or the server's."


class WrongRegion(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The request was signed for another region than the server or the bucket is in."""

    remedy = "Set AWS_REGION to the region that the deployment published."


class EndpointUnreachable(ObjectStoreError):  # noqa: N818  # the name is part of the published contract
    """The endpoint could not be talked to, or the conversation broke off."""

    remedy = "Check S3_ENDPOINT, and that the server is up and can be reached from here."


class CertificateNotTrusted(EndpointUnreachable):
    """The endpoint's TLS certificate is not trusted."""

    remedy = (
        "Set S3_CA_BUNDLE to a PEM file with the CA that signed it (AWS_CA_BUNDLE where S3_ENDPOINT is not set), "
        "and check that S3_ENDPOINT has a name that the certificate holds."
    )


class Unavailable(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The server answered that it cannot serve this now, also after the retries."""

    remedy = "Try again later, with fewer requests at a time."


class QuotaExceeded(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The bucket's quota, or the server's disk, is used up."""

    remedy = "Make room or raise the quota; nothing was stored."


class RequestRefused(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """The server refused the request for a reason that has no class of its own; see `code`."""


class UnexpectedAnswer(ObjectStoreError):  # noqa: N818  # the tree names states, as S3 does
    """Something answered, but not as an S3 server does."""

    remedy = "Check that S3_ENDPOINT is the S3 API of the server (not its console, and not a proxy's own page)."
