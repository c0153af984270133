"""The committed table of differences matches the answers of the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from trials.differences_page import HEAD, PAGE, column, tables, titles
from trials.observations import OBSERVATIONS, observe
from trials.servers import GIVEN, made_bucket, remove_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from trials.servers import Server


def test_table_is_what_the_server_answers(server: Server) -> None:
    """Each cell of the server's column is its current answer."""
    if server.name == GIVEN:
        pytest.skip("a given server has no column; `python -m docs.differences --endpoint URL` shows its answers")
    written = column(PAGE.read_text("utf-8"), server.title)

    assert written == observe(server), "run `python -m docs.differences` and commit what it writes"


def test_page_is_as_the_command_writes_it() -> None:
    """Head, questions and layout are those of the code, and each of the three servers has a column."""
    page = PAGE.read_text("utf-8")
    columns = {title: column(page, title) for title in titles(page)}

    assert len(columns) == 3
    assert [set(answers) for answers in columns.values()] == [set(OBSERVATIONS)] * 3
    assert page == HEAD + tables(columns)


@pytest.mark.parametrize("locked", [False, True])
def test_bucket_of_a_failing_test_is_removed(server: Server, client: S3Client, *, locked: bool) -> None:
    """Versions, delete markers, a lock and an unfinished upload go with the bucket, also where the test fails."""
    made: list[str] = []

    def fail() -> None:
        with made_bucket(server, client, locked=locked) as name:
            made.append(name)
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            for _ in range(2):
                client.put_object(Bucket=name, Key="k", Body=b"x", ChecksumAlgorithm="SHA256")
            client.delete_object(Bucket=name, Key="k")
            client.create_multipart_upload(Bucket=name, Key="parts")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fail()

    assert getattr(caught.value, "__notes__", []) == []
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.list_objects_v2(Bucket=made[0])
    remove_bucket(client, made[0])
