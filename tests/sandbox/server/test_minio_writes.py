"""sandbox.server.minio_writes: what a real MinIO server did with an object beyond S3 (source of February 2026)."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.server.minio_policy import believed
from sandbox.server.web import Request
from tests.sandbox.serving import refused
from trials.ways_of_loss import naming, post_form, sending, with_parameter

if TYPE_CHECKING:
    from tests.sandbox.serving import Aistor


def locked(aistor: Aistor, mode: str) -> tuple[str, str]:
    """A bucket with object lock, and the id of the version `original` of `key`, locked for an hour."""
    bucket = aistor.bucket(ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(hours=1)
    put = aistor.admin.put_object(
        Bucket=bucket, Key="key", Body=b"original", ObjectLockMode=mode, ObjectLockRetainUntilDate=until
    )
    return bucket, put["VersionId"]


def body(aistor: Aistor, bucket: str, version: str) -> bytes:
    """The version's body."""
    found: bytes = aistor.admin.get_object(Bucket=bucket, Key="key", VersionId=version)["Body"].read()
    return found


def test_put_that_names_a_version_replaces_it_under_governance(aistor: Aistor) -> None:
    """The original is gone, under its own version id."""
    bucket, version = locked(aistor, "GOVERNANCE")
    undo = naming(aistor.admin, "PutObject", version)
    aistor.admin.put_object(Bucket=bucket, Key="key", Body=b"other")
    undo()

    assert body(aistor, bucket, version) == b"other"
    assert len(aistor.admin.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_upload_that_names_a_version_replaces_it(aistor: Aistor) -> None:
    """The start of the upload names it; its end replaces it."""
    bucket, version = locked(aistor, "GOVERNANCE")
    undo = naming(aistor.admin, "CreateMultipartUpload", version)
    upload = aistor.admin.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    undo()
    of = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    part = aistor.admin.upload_part(**of, PartNumber=1, Body=b"other")
    aistor.admin.complete_multipart_upload(**of, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})

    assert body(aistor, bucket, version) == b"other"


def test_compliance_refuses_the_put_but_not_the_tar(aistor: Aistor) -> None:
    """A tar that the server unpacks names the version in a header of its own, and no lock is looked at."""
    bucket, version = locked(aistor, "COMPLIANCE")
    undo = naming(aistor.admin, "PutObject", version)
    answer = refused(aistor.admin.put_object, Bucket=bucket, Key="key", Body=b"other")
    undo()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("key")
        member.size, member.pax_headers = 5, {"minio.versionId": version}
        tar.addfile(member, io.BytesIO(b"other"))

    assert answer == (400, "InvalidRequest")
    assert body(aistor, bucket, version) == b"original"

    aistor.admin.put_object(
        Bucket=bucket, Key="a.tar", Body=packed.getvalue(), Metadata={"snowball-auto-extract": "true"}
    )

    assert body(aistor, bucket, version) == b"other"


def test_folder_has_one_version(aistor: Aistor) -> None:
    """A key that ends with a slash is replaced in place, in a locked bucket, too."""
    bucket, _ = locked(aistor, "GOVERNANCE")
    for content in (b"one", b"two"):
        aistor.admin.put_object(Bucket=bucket, Key="key/", Body=content)
    found = aistor.admin.list_object_versions(Bucket=bucket, Prefix="key/")["Versions"]

    assert [one["VersionId"] for one in found] == ["null"]


def test_newest_date_is_the_current_version(aistor: Aistor) -> None:
    """A put dated 2100 stays current after a later put."""
    bucket = aistor.bucket()
    aistor.admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    undo = sending(aistor.admin, "PutObject", x_minio_source_mtime="2100-01-01T00:00:00Z")
    aistor.admin.put_object(Bucket=bucket, Key="key", Body=b"future")
    undo()
    aistor.admin.put_object(Bucket=bucket, Key="key", Body=b"later")

    assert aistor.admin.get_object(Bucket=bucket, Key="key")["Body"].read() == b"future"
    assert len(aistor.admin.list_object_versions(Bucket=bucket)["Versions"]) == 2


def test_force_delete_removes_all_versions_below(aistor: Aistor) -> None:
    """The key and all keys below it go with their versions, and a neighbour stays; a locked bucket refuses it."""
    bucket = aistor.bucket()
    aistor.admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("key", "key", "key/below", "key-beside"):
        aistor.admin.put_object(Bucket=bucket, Key=key, Body=b"a")
    held, _ = locked(aistor, "GOVERNANCE")
    undo = sending(aistor.admin, "DeleteObject", x_minio_force_delete="true")
    aistor.admin.delete_object(Bucket=bucket, Key="key")
    answer = refused(aistor.admin.delete_object, Bucket=held, Key="key")
    undo()

    found = aistor.admin.list_object_versions(Bucket=bucket)
    assert [one["Key"] for one in found["Versions"]] == ["key-beside"]
    assert "DeleteMarkers" not in found
    assert answer == (400, "XMinioAdminInvalidArgument")


def test_form_gives_no_lock_and_looks_at_none(aistor: Aistor) -> None:
    """A new object of a form has no default retention; one that names a version replaces it under COMPLIANCE."""
    bucket, version = locked(aistor, "COMPLIANCE")
    aistor.admin.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    post_form(aistor.admin, bucket, "new")
    post_form(aistor.admin, bucket, "key", f"?versionId={version}")

    assert "ObjectLockMode" not in aistor.admin.head_object(Bucket=bucket, Key="new")
    assert body(aistor, bucket, version) == b"other"


def test_put_reads_class_and_tags_from_the_query(aistor: Aistor) -> None:
    """In any case: the object has both."""
    bucket = aistor.bucket()
    undo = with_parameter(aistor.admin, "PutObject", "X-amz-storage-class=REDUCED_REDUNDANCY&x-amz-tagging=a%3Db")
    aistor.admin.put_object(Bucket=bucket, Key="key", Body=b"x")
    undo()

    assert aistor.admin.head_object(Bucket=bucket, Key="key")["StorageClass"] == "REDUCED_REDUNDANCY"
    assert aistor.admin.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_object_sealed_by_a_header_stops_listings_with_206(aistor: Aistor) -> None:
    """A listing that meets it is an error with status 206, which boto3 takes for an empty answer; others go on."""
    bucket = aistor.bucket()
    undo = sending(aistor.admin, "PutObject", X_Minio_Replication_Server_Side_Encryption_Iv="AAAA")
    aistor.admin.put_object(Bucket=bucket, Key="b", Body=b"x")
    undo()
    aistor.admin.put_object(Bucket=bucket, Key="c", Body=b"x")
    stopped = aistor.admin.list_objects_v2(Bucket=bucket)

    assert stopped["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "KeyCount" not in stopped
    assert [one["Key"] for one in aistor.admin.list_objects_v2(Bucket=bucket, StartAfter="b")["Contents"]] == ["c"]


def test_policies_see_the_values_that_a_caller_claims() -> None:
    """A header, or a parameter in a header's spelling, hides the real value; a parameter in lower case does not."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/b", "HTTP_PREFIX": ".verify/", "wsgi.input": io.BytesIO()}

    assert believed(Request(environ)) == {"s3:prefix": (".verify/",)}
    assert believed(Request({**environ, "REQUEST_URI": "/b?Versionid=&versionid=x"})) == {
        "s3:prefix": (".verify/",),
        "s3:versionid": ("",),
    }
