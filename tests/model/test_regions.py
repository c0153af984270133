"""model.regions: the code of a region."""

import re

import pytest

from model.regions import region_code
from model.user_names import REGION_CODE


@pytest.mark.parametrize(
    ("region", "code"),
    [
        ("us-west-2", "usw2"),
        ("eu-central-1", "euc1"),
        ("ap-southeast-4", "apse4"),
        ("il-central-1", "ilc1"),
        ("sa-east-1", "sae1"),
    ],
)
def test_code_is_the_place_the_direction_and_the_number(region: str, code: str) -> None:
    """The code is legal in a bucket's name."""
    assert region_code(region) == code
    assert re.fullmatch(REGION_CODE, code)


@pytest.mark.parametrize("region", ["", "usw2", "us-gov-west-1", "eusc-de-east-1", "us-west-22", "garage"])
def test_other_names_have_none(region: str) -> None:
    """MinIO takes any name for its region."""
    assert region_code(region) == ""
