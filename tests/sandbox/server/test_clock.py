"""A server with a wrong clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from sandbox.server.clock import ahead

if TYPE_CHECKING:
    from tests.sandbox.serving import Stack

HOUR = 3600


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_signature_of_another_time_is_refused(stack: Stack, seconds: float) -> None:
    """Each answer tells the server's time, and the refusal has its own code; a right clock serves again."""
    with (
        ahead(Path(stack.server.ca_bundle).parent, seconds),
        pytest.raises(ClientError, match="RequestTimeTooSkewed") as caught,
    ):
        stack.admin.list_buckets()
    said = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]

    assert abs(parsedate_to_datetime(said) - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(minutes=5)
    stack.admin.list_buckets()


def test_small_difference_is_accepted(stack: Stack) -> None:
    """S3 accepts up to 15 minutes."""
    with ahead(Path(stack.server.ca_bundle).parent, 14 * 60):
        stack.admin.list_buckets()
