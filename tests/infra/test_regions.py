"""infra.regions: the regions that a stack on AWS may have."""

import pytest
from botocore.loaders import Loader

from infra.regions import check_region
from model.problems import InvalidInputError
from model.regions import region_code

WHERE = "Pulumi.aws.yaml: object-store:"
PARTITIONS = {one["id"]: one["regions"] for one in Loader().load_data("partitions")["partitions"]}


@pytest.mark.parametrize("region", [name for name in PARTITIONS["aws"] if name != "aws-global"])
def test_region_of_our_partition_is_accepted_and_has_a_code(region: str) -> None:
    """Every region that botocore knows, so a new form of a name is seen here."""
    check_region(region, WHERE)
    assert region_code(region)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-gov-west-1", "of the partition aws-us-gov, and this project writes ARNs of aws only"),
        ("cn-north-1", "of the partition aws-cn"),
        ("eusc-de-east-1", "of the partition aws-eusc"),
        ("us-iso-east-1", "of the partition aws-iso"),
        ("us-north-2", "'us-north-2' is not an AWS region"),
        ("us-west-22", "write: object-store:region: us-west-2"),
        ("aws-global", "is not an AWS region"),
        ("US-WEST-2", "is not an AWS region"),
        ("us-west-2\n", "is not an AWS region"),
    ],
)
def test_other_region_is_refused_with_the_reason(region: str, expected: str) -> None:
    """The message lists the legal regions."""
    with pytest.raises(InvalidInputError) as caught:
        check_region(region, WHERE)

    assert expected in str(caught.value)
    assert "legal: af-south-1, " in str(caught.value)
