"""The object-store adapter: the same operations on AIStor and on AWS, chosen by the environment alone.

    >>> import object_store
    >>> ref = object_store.upload("joelclaw-dev-usw2-media-raw", "2026/11/talk.mp4", body)  # doctest: +SKIP
    >>> object_store.download(ref.bucket, ref.key) == body  # doctest: +SKIP
    True

An event carries the `ObjectRef`, never the body and never a path. `config` says which variables are read, `errors`
what can go wrong, `keys` which keys are taken. Import the package, not its modules; `list` is best called as
`object_store.list`.
"""

from object_store.config import StoreConfig
from object_store.default import default_store, delete_object, download, fetch, head, list, presign, upload  # noqa: A004  # the contract's name
from object_store.errors import (
    AccessDenied,
    BadCredentials,
    BucketNotFound,
    CertificateNotTrusted,
    ClockSkew,
    ConfigurationError,
    EndpointUnreachable,
    InvalidArgument,
    InvalidBody,
    InvalidBucketName,
    InvalidContentType,
    InvalidExpiry,
    InvalidKey,
    NotFound,
    ObjectStoreError,
    QuotaExceeded,
    RequestRefused,
    Unavailable,
    UnexpectedAnswer,
    WrongRegion,
)
from object_store.reference import Download, ObjectRef
from object_store.store import MAX_EXPIRY, MULTIPART_THRESHOLD, PART_SIZE, ObjectStore

__all__ = [
    "MAX_EXPIRY",
    "MULTIPART_THRESHOLD",
    "PART_SIZE",
    "AccessDenied",
    "BadCredentials",
    "BucketNotFound",
    "CertificateNotTrusted",
    "ClockSkew",
    "ConfigurationError",
    "Download",
    "EndpointUnreachable",
    "InvalidArgument",
    "InvalidBody",
    "InvalidBucketName",
    "InvalidContentType",
    "InvalidExpiry",
    "InvalidKey",
    "NotFound",
    "ObjectRef",
    "ObjectStore",
    "ObjectStoreError",
    "QuotaExceeded",
    "RequestRefused",
    "StoreConfig",
    "Unavailable",
    "UnexpectedAnswer",
    "WrongRegion",
    "default_store",
    "delete_object",
    "download",
    "fetch",
    "head",
    "list",
    "presign",
    "upload",
]
