"""Regions of AWS: the one partition that this project writes ARNs of, and the code of a region in bucket names.

The rule: an ARN names its partition, and every policy, trust and import of this project writes `arn:aws:`, so a region
of another partition is refused. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re

PARTITION = "aws"
_REGION = re.compile(r"([a-z]{2})-(central|(?:north|south)(?:east|west)?|east|west)-([0-9])")
_DIRECTIONS = re.compile("central|north|south|east|west")


def region_code(region: str) -> str:
    """The code that stands for a region in the names of buckets, such as `usw2` for us-west-2.

    Returns:
        The code; empty for a region whose name has another form.
    """
    found = _REGION.fullmatch(region)
    if found is None:
        return ""
    place, direction, number = found.groups()
    return place + "".join(one[0] for one in _DIRECTIONS.findall(direction)) + number
