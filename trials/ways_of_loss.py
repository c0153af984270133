"""The ways to lose, hide, open or weaken data with a key that was handed out, and what stops each on each cloud.

The rule: each cell of the table is one attempt by a key that holds the access, on a running server; a test makes all of
them. `docs/losses.md` prints the table. A cell on AIStor was tried on a real MinIO server too, where its text says so.
No cell was tried on AWS: those rest on its documents, and on the sandbox.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from urllib3 import encode_multipart_formdata

from model.taxonomy import Access, BandName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model.policies import Cloud

#: What an attempt comes to.
POLICY, LOCK, KEPT, OPEN, SERVER, GRANT, HARMLESS = (
    "refused by policy",
    "refused by lock",
    "kept",
    "not preventable",
    "refused by the server",
    "the grant's own",
    "no effect",
)
CUSTOMER_KEY: Final = b"k" * 32


@dataclass(frozen=True)
class Target:
    """An object of a bucket, as an attempt meets it.

    Attributes:
        client: The S3 client of the key that tries.
        bucket: The bucket.
        key: The key of an object with one version.
        version: That version's id; None in an unversioned bucket.
    """

    client: Any
    bucket: str
    key: str
    version: str | None


@dataclass(frozen=True)
class Cell:
    """What stops an attempt.

    Attributes:
        kind: One of the outcomes above.
        why: What the kind alone does not say: for how long, the reason, what limits the harm.
        by_band: Bands in which it comes to something else.
    """

    kind: str
    why: str = ""
    by_band: Mapping[BandName, Cell] = field(default_factory=dict)

    def of(self, band: BandName) -> Cell:
        """The cell in a band."""
        return self.by_band.get(band, self)


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        name: What is tried, in words.
        attempt: Tries it; raises botocore's ClientError if it is refused.
        cells: The outcome by cloud, then by access.
        bands: The bands in which it can be tried.
    """

    name: str
    attempt: Callable[[Target], object]
    cells: Mapping[Cloud, Mapping[Access, Cell]]
    bands: tuple[BandName, ...] = tuple(BandName)


def sending(client: Any, operation: str, **headers: str) -> Callable[[], None]:  # noqa: ANN401 - boto3's client
    """Add headers (`_` for `-`) to the next requests of an operation; returns what takes them off again."""

    def add(params: dict[str, Any], **_: object) -> None:
        params["headers"].update({name.replace("_", "-"): value for name, value in headers.items()})

    event = f"before-call.s3.{operation}"
    client.meta.events.register(event, add)
    return lambda: client.meta.events.unregister(event, add)


def naming(client: Any, operation: str, version: str | None) -> Callable[[], None]:  # noqa: ANN401 - boto3's client
    """Let the next requests of an operation name a version id; returns what takes it off again."""
    return with_parameter(client, operation, f"versionId={version}")


def with_parameter(client: Any, operation: str, parameter: str) -> Callable[[], None]:  # noqa: ANN401 - boto3's client
    """Add a parameter to the query of the next requests of an operation; returns what takes it off again."""

    def add(params: dict[str, Any], **_: object) -> None:
        params["url"] += f"{'&' if '?' in params['url'] else '?'}{parameter}"

    event = f"before-call.s3.{operation}"
    client.meta.events.register(event, add)
    return lambda: client.meta.events.unregister(event, add)


def _put(target: Target, key: str | None = None, body: bytes = b"other", **more: str) -> None:
    target.client.put_object(Bucket=target.bucket, Key=key or target.key, Body=body, ChecksumAlgorithm="SHA256", **more)


def _with(undo: Callable[[], None], act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        undo()


def _in_place(target: Target) -> None:
    _with(naming(target.client, "PutObject", target.version), lambda: _put(target))


def _in_place_with_a_lie(target: Target) -> None:
    undo = sending(target.client, "PutObject", Versionid="")
    _with(undo, lambda: _in_place(target))


def post_form(client: Any, bucket: str, key: str, query: str = "", **headers: str) -> None:  # noqa: ANN401 - boto3's client
    """Upload `other` by a form that the client's key signs.

    Raises:
        ClientError: It is refused.
    """
    form = client.generate_presigned_post(bucket, key)
    body, kind = encode_multipart_formdata({**form["fields"], "file": ("file", b"other")})
    url = form["url"].rstrip("/") + query
    asked = AWSRequest("POST", url, {"Content-Type": kind, **headers}, body)
    answer = client._endpoint.http_session.send(asked.prepare())  # noqa: SLF001 - the client's own trust and connections
    if answer.status_code not in range(200, 300):
        found = re.search(r"<Code>(.*?)</Code>", answer.text)
        raise ClientError({"Error": {"Code": found[1] if found else str(answer.status_code)}}, "PostObject")


def _form_in_place_with_lies(target: Target) -> None:
    post_form(target.client, target.bucket, target.key, f"?versionId={target.version}", Versionid="", Authtype="")


def _class_by_parameter(target: Target) -> None:
    undo = with_parameter(target.client, "PutObject", "X-amz-storage-class=REDUCED_REDUNDANCY")
    _with(undo, lambda: _put(target, key=f"{target.key}-parameter", IfNoneMatch="*"))


def _unreadable(target: Target) -> None:
    undo = sending(target.client, "PutObject", X_Minio_Replication_Server_Side_Encryption_Iv="AAAA")
    _with(undo, lambda: _put(target, key=f"{target.key}-sealed-by-header", IfNoneMatch="*"))


def _start_in_place(target: Target) -> None:
    undo = naming(target.client, "CreateMultipartUpload", target.version)
    _with(undo, lambda: target.client.create_multipart_upload(Bucket=target.bucket, Key=target.key))


def _copy_in_place(target: Target) -> None:
    undo = naming(target.client, "CopyObject", target.version)
    source = {"Bucket": target.bucket, "Key": target.key}
    _with(
        undo,
        lambda: target.client.copy_object(
            Bucket=target.bucket, Key=target.key, CopySource=source, MetadataDirective="REPLACE"
        ),
    )


def _copy_over(target: Target) -> None:
    target.client.copy_object(
        Bucket=target.bucket,
        Key=target.key,
        CopySource={"Bucket": target.bucket, "Key": target.key},
        MetadataDirective="REPLACE",
    )


def _join_over(target: Target) -> None:
    of = {"Bucket": target.bucket, "Key": target.key}
    upload = target.client.create_multipart_upload(**of)["UploadId"]
    part = target.client.upload_part(**of, UploadId=upload, PartNumber=1, Body=b"other")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    try:
        target.client.complete_multipart_upload(**of, UploadId=upload, MultipartUpload=parts)
    except target.client.exceptions.ClientError:
        target.client.abort_multipart_upload(**of, UploadId=upload)
        raise


def _tar_in_place(target: Target) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(target.key)
        member.size, member.pax_headers = 5, {"minio.versionId": str(target.version)}
        tar.addfile(member, io.BytesIO(b"other"))
    target.client.put_object(
        Bucket=target.bucket,
        Key="any.tar",
        Body=packed.getvalue(),
        # The value itself: MinIO takes no tar in chunks, as boto3 sends a checksum that it computes.
        ChecksumSHA256=base64.b64encode(hashlib.sha256(packed.getvalue()).digest()).decode(),
        Metadata={"snowball-auto-extract": "true"},
    )


def _force_delete(target: Target) -> None:
    undo = sending(target.client, "DeleteObject", x_minio_force_delete="true")
    _with(undo, lambda: target.client.delete_object(Bucket=target.bucket, Key=target.key))


def _dated(target: Target) -> None:
    undo = sending(target.client, "PutObject", x_minio_source_mtime="2100-01-01T00:00:00Z")
    _with(undo, lambda: _put(target, IfNoneMatch="*", key=f"{target.key}-dated"))


def _with_own_key(target: Target) -> None:
    _put(
        target,
        key=f"{target.key}-sealed",
        IfNoneMatch="*",
        SSECustomerAlgorithm="AES256",
        SSECustomerKey=base64.b64encode(CUSTOMER_KEY).decode(),
        SSECustomerKeyMD5=base64.b64encode(hashlib.md5(CUSTOMER_KEY, usedforsecurity=False).digest()).decode(),
    )


def _of(read: Cell, append: Cell, write: Cell) -> dict[Access, Cell]:
    return {Access.READ: read, Access.APPEND: append, Access.WRITE: write}


_POLICY = Cell(POLICY)
_REFUSED = _of(_POLICY, _POLICY, _POLICY)
_KEPT_WRITE = Cell(
    KEPT,
    "cold until the lock ends and 30 d; warm 30 d",
    {BandName.HOT: Cell(GRANT, "hot keeps nothing: `write` is the right to replace and remove")},
)
_KEPT_APPEND = Cell(KEPT, "cold until the lock ends and 30 d; warm as many days as a new object lives", {})
_OVERWRITE: Mapping[Cloud, Mapping[Access, Cell]] = {
    "aistor": _of(_POLICY, _KEPT_APPEND, _KEPT_WRITE),
    "aws": _of(_POLICY, _POLICY, _KEPT_WRITE),
}
_VERSIONED = (BandName.WARM, BandName.COLD)
_ON_AWS = Cell(SERVER, "AWS takes no version id in a put")
_IN_PLACE: Mapping[Cloud, Mapping[Access, Cell]] = {
    "aistor": _REFUSED,
    "aws": dict.fromkeys(Access, _ON_AWS),
}
_EVERY_PUT: Mapping[Cloud, Mapping[Access, Cell]] = {"aistor": _REFUSED, "aws": _REFUSED}
_UNLOCKED = Cell(
    OPEN, "MinIO asks for no permission, so any key of the server can do it (tried); COMPLIANCE refuses it"
)
_NOT_MINIO = Cell(HARMLESS, "AWS does not know the header")
_LISTED_BOTH = Cell(HARMLESS, "AWS lists both")

WAYS: Final = (
    Way(
        "remove an object",
        lambda target: target.client.delete_object(Bucket=target.bucket, Key=target.key),
        {"aistor": _of(_POLICY, _POLICY, _KEPT_WRITE), "aws": _of(_POLICY, _POLICY, _KEPT_WRITE)},
    ),
    Way(
        "remove a version",
        lambda target: target.client.delete_object(Bucket=target.bucket, Key=target.key, VersionId=target.version),
        _EVERY_PUT,
        _VERSIONED,
    ),
    Way(
        "remove a key and all keys below it with all versions (`x-minio-force-delete`)",
        _force_delete,
        {
            "aistor": _of(
                _POLICY,
                _POLICY,
                Cell(
                    OPEN,
                    "MinIO asks only for `s3:DeleteObject`, and no policy knows the header (tried); cold refuses it; "
                    "what needs no removal gets `append`",
                    {BandName.COLD: Cell(SERVER, "a bucket with object lock refuses the header")},
                ),
            ),
            "aws": _of(_POLICY, _POLICY, Cell(KEPT, "as a removal: AWS does not know the header", _KEPT_WRITE.by_band)),
        },
    ),
    Way("put over an object", _put, _OVERWRITE),
    Way("copy over an object", _copy_over, _OVERWRITE),
    Way("join an upload over an object", _join_over, _OVERWRITE),
    Way("put over a version in place (`?versionId=`)", _in_place, _IN_PLACE, _VERSIONED),
    Way(
        "put over a version in place, and hide its id from the policy (a header `Versionid`)",
        _in_place_with_a_lie,
        {
            "aistor": _of(
                _POLICY,
                Cell(
                    OPEN,
                    "MinIO takes the id that its policies see from that header or parameter, in copies and uploads too "
                    "(tried); COMPLIANCE refuses it",
                ),
                Cell(OPEN, "likewise"),
            ),
            "aws": dict.fromkeys(Access, _ON_AWS),
        },
        _VERSIONED,
    ),
    Way("start an upload over a version in place", _start_in_place, _IN_PLACE, _VERSIONED),
    Way("copy over a version in place", _copy_in_place, _IN_PLACE, _VERSIONED),
    Way(
        "put over a version in place, from a tar that the server unpacks (`X-Amz-Meta-Snowball-Auto-Extract`)",
        _tar_in_place,
        {
            "aistor": _of(
                _POLICY,
                Cell(OPEN, "no policy knows the header, and MinIO looks at no lock, not even COMPLIANCE (tried)"),
                Cell(OPEN, "likewise"),
            ),
            "aws": _of(
                _POLICY,
                Cell(POLICY, "it is a put like any other"),
                Cell(HARMLESS, "AWS stores the tar as an object"),
            ),
        },
        _VERSIONED,
    ),
    Way(
        "upload by a form: the object gets no lock on AIStor",
        lambda target: post_form(target.client, target.bucket, target.key),
        _EVERY_PUT,
    ),
    Way(
        "put over a version in place by a form, and hide it from the policy (headers `Authtype`, `Versionid`)",
        _form_in_place_with_lies,
        {
            "aistor": _of(
                _POLICY,
                Cell(OPEN, "MinIO believes the headers, and looks at no lock in a form, not even COMPLIANCE (tried)"),
                Cell(OPEN, "likewise"),
            ),
            "aws": dict.fromkeys(Access, _ON_AWS),
        },
        _VERSIONED,
    ),
    Way(
        "make every listing of the bucket fail (`X-Minio-Replication-Server-Side-Encryption-…` in a put)",
        _unreadable,
        {
            "aistor": _of(
                _POLICY,
                Cell(OPEN, "no policy knows the header (tried); all is listed again once the object is deleted"),
                Cell(OPEN, "likewise"),
            ),
            "aws": _of(_POLICY, _NOT_MINIO, _NOT_MINIO),
        },
    ),
    Way(
        "hide all objects below a key (put an object under the name of their folder)",
        lambda target: _put(target, key=target.key.rpartition("/")[0], IfNoneMatch="*"),
        {
            "aistor": _of(
                _POLICY,
                Cell(
                    OPEN,
                    "MinIO lists nothing below a key that has a version, nor its versions, and no policy knows which "
                    "keys are folders (tried); each is still read by its key, and all is listed again once the admin "
                    "has removed every version of the new key",
                ),
                Cell(OPEN, "likewise"),
            ),
            "aws": _of(_POLICY, _LISTED_BOTH, _LISTED_BOTH),
        },
    ),
    Way(
        "date an object (`x-minio-source-mtime`): one of 2100 hides all later puts, one of 2001 expires at once",
        _dated,
        {
            "aistor": _of(
                _POLICY,
                Cell(
                    OPEN, "no policy knows the header (tried); a lock counts from the server's time, and versions stay"
                ),
                Cell(OPEN, "likewise"),
            ),
            "aws": _of(_POLICY, _NOT_MINIO, _NOT_MINIO),
        },
    ),
    Way(
        "put over a folder (a key that ends with a slash)",
        lambda target: _put(target, key=f"{target.key}/", IfNoneMatch="*"),
        {
            "aistor": _REFUSED,
            "aws": _of(_POLICY, Cell(HARMLESS, "a key like any other"), Cell(HARMLESS, "a key like any other")),
        },
    ),
    Way(
        "put over a folder by MinIO's own spelling of it (`__XLDIR__`)",
        lambda target: _put(target, key=f"{target.key}__XLDIR__", IfNoneMatch="*"),
        {
            "aistor": _REFUSED,
            "aws": _of(_POLICY, Cell(HARMLESS, "a key like any other"), Cell(HARMLESS, "a key like any other")),
        },
    ),
    Way("encrypt an object with a key of one's own (SSE-C)", _with_own_key, _EVERY_PUT),
    Way(
        "encrypt an object with a KMS key of one's choice",
        lambda target: _put(
            target,
            key=f"{target.key}-kms",
            IfNoneMatch="*",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId="arn:aws:kms:us-west-2:999999999999:key/00000000-0000-0000-0000-000000000000",
        ),
        _EVERY_PUT,
    ),
    Way(
        "choose a storage class: one copy fewer, or an archive that must be restored first",
        lambda target: _put(target, key=f"{target.key}-class", IfNoneMatch="*", StorageClass="REDUCED_REDUNDANCY"),
        _EVERY_PUT,
    ),
    Way(
        "choose a storage class by a parameter in another case (`?X-amz-storage-class=`), or tags by one",
        _class_by_parameter,
        {
            "aistor": _of(
                _POLICY,
                Cell(OPEN, "MinIO reads both from the query, its policies do not (tried); the object stays readable"),
                Cell(OPEN, "likewise"),
            ),
            "aws": _REFUSED,
        },
    ),
    Way(
        "tag a new object",
        lambda target: _put(target, key=f"{target.key}-tag", IfNoneMatch="*", Tagging="a=b"),
        _EVERY_PUT,
    ),
    Way(
        "tag an object",
        lambda target: target.client.put_object_tagging(
            Bucket=target.bucket, Key=target.key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
        ),
        _EVERY_PUT,
    ),
    Way(
        "open a new object by an ACL",
        lambda target: _put(target, key=f"{target.key}-acl", IfNoneMatch="*", ACL="public-read"),
        {
            "aistor": _of(_POLICY, Cell(HARMLESS, "MinIO has no ACLs"), Cell(HARMLESS, "MinIO has no ACLs")),
            "aws": _REFUSED,
        },
    ),
    Way(
        "open an object by an ACL",
        lambda target: target.client.put_object_acl(Bucket=target.bucket, Key=target.key, ACL="public-read"),
        _EVERY_PUT,
    ),
    Way(
        "shorten a lock under GOVERNANCE, with bypass",
        lambda target: target.client.put_object_retention(
            Bucket=target.bucket,
            Key=target.key,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(hours=1)},
            BypassGovernanceRetention=True,
        ),
        _EVERY_PUT,
        (BandName.COLD,),
    ),
    Way(
        "take a lock under GOVERNANCE off (an empty retention with bypass), or make it COMPLIANCE for ever",
        lambda target: target.client.put_object_retention(
            Bucket=target.bucket, Key=target.key, Retention={}, BypassGovernanceRetention=True
        ),
        {"aistor": dict.fromkeys(Access, _UNLOCKED), "aws": _REFUSED},
        (BandName.COLD,),
    ),
    Way(
        "hold an object for ever (legal hold)",
        lambda target: target.client.put_object_legal_hold(
            Bucket=target.bucket, Key=target.key, LegalHold={"Status": "ON"}
        ),
        _EVERY_PUT,
        (BandName.COLD,),
    ),
    Way(
        "shorten the life of all objects by a lifecycle rule",
        lambda target: target.client.delete_bucket_lifecycle(Bucket=target.bucket),
        _EVERY_PUT,
    ),
    Way(
        "open a bucket by its policy",
        lambda target: target.client.put_bucket_policy(Bucket=target.bucket, Policy="{}"),
        _EVERY_PUT,
    ),
)


def page() -> str:
    """The table, in Markdown."""
    lines = ["| way | access | AIStor | AWS (not proven on AWS) |", "|---|---|---|---|"]
    for way in WAYS:
        for access in Access:
            told = [_told(way, way.cells[cloud][access]) for cloud in ("aistor", "aws")]
            lines.append(f"| {way.name} | `{access.value}` | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _told(way: Way, cell: Cell) -> str:
    said = f"**{cell.kind}**" if cell.kind == OPEN else cell.kind
    text = said + (f": {cell.why}" if cell.why else "")
    others = [(band, cell.by_band[band]) for band in way.bands if band in cell.by_band]
    return text + "".join(f"; {band.value}: {one.kind}" + (f" ({one.why})" if one.why else "") for band, one in others)
