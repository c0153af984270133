"""infra.program: what the plan of a stack and its settings must not say together."""

from pathlib import Path

import pytest

from infra.program import plan_for
from infra.settings import settings_from
from model.problems import InvalidInputError

ROOT = Path(__file__).parents[2]


def test_admin_is_none_of_the_plans_users() -> None:
    """The update would give the admin the identity's policy and key, and so lock itself out."""
    values = {"cloud": "aistor", "env": "local", "endpoint": "https://localhost:31000", "adminPassword": "planted-one"}
    settings = settings_from({**values, "adminUser": "joelclaw-local-usw2-worker"}, "local", ROOT, {})

    with pytest.raises(
        InvalidInputError, match="joelclaw-local-usw2-worker is the user of the identity worker"
    ) as caught:
        plan_for(settings, None)

    assert "write: object-store:adminUser: provisioner-local" in str(caught.value)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-gov-west-1", "of the partition aws-us-gov, and this project writes ARNs of aws only"),
        ("cn-north-1", "of the partition aws-cn"),
        ("eusc-de-east-1", "of the partition aws-eusc"),
        ("us-north-2", "'us-north-2' is not an AWS region"),
    ],
)
def test_stack_on_aws_is_in_a_region_that_it_can_have(region: str, expected: str) -> None:
    """Otherwise every policy would name resources that do not exist, or the plugin would find no server."""
    settings = settings_from({"cloud": "aws", "env": "prod", "region": region}, "aws", ROOT, {})

    with pytest.raises(InvalidInputError, match=expected):
        plan_for(settings, None)


def test_server_may_have_any_region() -> None:
    """MinIO takes any name for its region."""
    values = {"cloud": "aistor", "env": "local", "endpoint": "https://localhost:31000", "adminPassword": "planted-one"}

    assert plan_for(
        settings_from({**values, "adminUser": "admin", "region": "garage"}, "local", ROOT, {}), None
    ).buckets
