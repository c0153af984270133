"""Whether AWS has a region, and whether the `aws` cloud can be deployed to it.

The rule: botocore's own list of partitions decides, so no list of regions is kept here. pulumi-aws has such a list,
too, and refuses a region that is not in it.
"""

from botocore.loaders import Loader

from model.problems import InvalidInputError, Problem, nearest
from model.regions import PARTITION


def check_region(region: str, where: str) -> None:
    """Check the region of a stack on AWS.

    Args:
        region: The region's code.
        where: The name of the config in problems, such as `Pulumi.aws.yaml: object-store:`.

    Raises:
        InvalidInputError: AWS has no such region, or has it in another partition.
    """
    regions: dict[str, str] = {
        name: partition["id"]
        for partition in Loader().load_data("partitions")["partitions"]
        for name in partition["regions"]
        if not name.endswith("-global")
    }
    ours = sorted(name for name, partition in regions.items() if partition == PARTITION)
    if region in ours:
        return
    if region in regions:
        wrong = f"{region} is of the partition {regions[region]}, and this project writes ARNs of {PARTITION} only"
    else:
        wrong = f"{region!r} is not an AWS region"
    paste = f"object-store:region: {nearest(region, tuple(ours))}"
    raise InvalidInputError([Problem(f"{where}region", wrong, ", ".join(ours), paste)])
