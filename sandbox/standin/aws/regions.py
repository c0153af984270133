"""Facts of AWS regions that are built into the provider.

The one rule: facts only; the provider's configuration decides whether a region may be used. Left out: the China,
government and isolated partitions, which the project does not use.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from infra.s3_client import new_session

# https://docs.aws.amazon.com/general/latest/gr/s3.html#s3_website_region_endpoints
_WEBSITE_ZONES: Final = {
    "ap-northeast-1": "Z2M4EHUR26P7ZW",
    "ap-northeast-2": "Z3W03O7B5YMIYP",
    "ap-south-1": "Z11RGJOFQNVJUP",
    "ap-southeast-1": "Z3O0J2DXBE1FTB",
    "ap-southeast-2": "Z1WCIGYICN2BYD",
    "ca-central-1": "Z1QDHH18159H29",
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-north-1": "Z3BAZG2TWCNX0D",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-west-2": "Z3GKZC51ZF0DB4",
    "eu-west-3": "Z3R1K369G5AVDG",
    "sa-east-1": "Z7KQH4QJS55SO",
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M",
}


def website_zone(region: str) -> str | None:
    """Return the hosted zone of the region's bucket websites, or None if the provider would only warn."""
    return _WEBSITE_ZONES.get(region)


def is_known(region: str) -> bool:
    """Return whether AWS has the region, by the SDK's list."""
    return region in _described()


def description(region: str) -> str:
    """Return the region's name as AWS writes it, `US West (Oregon)`, or the region itself if it is unknown."""
    return _described().get(region, region)


@cache
def _described() -> dict[str, str]:
    partitions = new_session(own_keys=True).get_data("endpoints")["partitions"]
    return {region: facts["description"] for partition in partitions for region, facts in partition["regions"].items()}
