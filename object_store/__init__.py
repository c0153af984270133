"""The object-store adapter: the same operations on AIStor and on AWS; the environment alone selects the server.

    >>> import object_store
    >>> ref = object_store.upload("joelclaw-dev-usw2-media-raw", "2026/11/talk.mp4", body)  # doctest: +SKIP
    >>> object_store.download(ref.bucket, ref.key) == body  # doctest: +SKIP
    True

An event carries the `ObjectRef`, never the body and never a path. `config` lists the variables that the adapter reads,
`errors` its errors, `keys` the rule for keys. Import the package, not its modules, and call `list` as
`object_store.list`. `object_store.parity.parity` compares two sides.
"""

from object_store.arguments import MAX_EXPIRY, BoundUpload
from object_store.async_store import AsyncObjectStore
from object_store.body import MAX_BODY_BYTES, MULTIPART_THRESHOLD, PART_SIZE
from object_store.config import StoreConfig
from object_store.default import (
    default_store,
    delete_object,
    download,
    download_file,
    fetch,
    head,
    list,  # noqa: A004  # the contract's name
    presign,
    stream,
    upload,
)
from object_store.dual_write import DualWrite, DualWriter
from object_store.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    BucketNotFound,
    CertificateNotTrusted,
    CertificateUnusable,
    ClockSkew,
    ConfigurationError,
    CorruptBody,
    DualWriteFailed,
    EndpointUnreachable,
    IncompleteTransfer,
    InvalidArgument,
    InvalidBody,
    InvalidBucketName,
    InvalidContentType,
    InvalidExpiry,
    InvalidKey,
    InvalidMetadata,
    InvalidReference,
    LocalFault,
    LocalFileError,
    NotFound,
    ObjectLocked,
    ObjectStoreError,
    PayloadUnresolved,
    QuotaExceeded,
    RequestRefused,
    StaleReference,
    Unavailable,
    UnexpectedAnswer,
    UnsafePath,
    UnverifiedBody,
    WrongRegion,
)
from object_store.folders import LeftOut, Transfer
from object_store.payload import LocalCopy, identity_of, resolve
from object_store.proxies import Proxies
from object_store.reach import try_connection
from object_store.reference import Download, ObjectInfo, ObjectRef, parse_uri
from object_store.store import ObjectStore
from object_store.stream import AsyncObjectStream, ObjectStream

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_EXPIRY",
    "MULTIPART_THRESHOLD",
    "PART_SIZE",
    "AccessDenied",
    "AlreadyExists",
    "AsyncObjectStore",
    "AsyncObjectStream",
    "BadCredentials",
    "BoundUpload",
    "BucketNotFound",
    "CertificateNotTrusted",
    "CertificateUnusable",
    "ClockSkew",
    "ConfigurationError",
    "CorruptBody",
    "Download",
    "DualWrite",
    "DualWriteFailed",
    "DualWriter",
    "EndpointUnreachable",
    "IncompleteTransfer",
    "InvalidArgument",
    "InvalidBody",
    "InvalidBucketName",
    "InvalidContentType",
    "InvalidExpiry",
    "InvalidKey",
    "InvalidMetadata",
    "InvalidReference",
    "LeftOut",
    "LocalCopy",
    "LocalFault",
    "LocalFileError",
    "NotFound",
    "ObjectInfo",
    "ObjectLocked",
    "ObjectRef",
    "ObjectStore",
    "ObjectStoreError",
    "ObjectStream",
    "PayloadUnresolved",
    "Proxies",
    "QuotaExceeded",
    "RequestRefused",
    "StaleReference",
    "StoreConfig",
    "Transfer",
    "Unavailable",
    "UnexpectedAnswer",
    "UnsafePath",
    "UnverifiedBody",
    "WrongRegion",
    "default_store",
    "delete_object",
    "download",
    "download_file",
    "fetch",
    "head",
    "identity_of",
    "list",
    "parse_uri",
    "presign",
    "resolve",
    "stream",
    "try_connection",
    "upload",
]
