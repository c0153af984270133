"""The puts that no workload may make, because each loses, hides or weakens data that a grant only lets it add.

The rule: each is an explicit Deny, so no second policy of the user lets it in. A cloud has a refusal only where its
server knows the condition. MinIO believes a caller that sends a header with the name of a condition key (`Versionid`):
there a refusal by a value stops mistakes, not lies. What no policy can refuse is in docs/losses.md. Pure data;
`model.policies` writes the statements.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html for AWS; for MinIO its
`getConditionValues` (cmd/bucket-policy.go) and the keys of its policy package (condition/keyname.go), tried on a server
of February 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Clouds = tuple[Literal["aistor", "aws"], ...]
Condition = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Refusal:
    """A kind of put that is denied.

    Attributes:
        sid: The statement's id.
        puts: The puts, in words.
        clouds: The clouds whose server can refuse it.
        condition: When a put is of this kind; empty for every put under `keys`.
        keys: The patterns of the keys.
        of_append: Whether it holds only for a grant with `write_once` (`model.plan`).
    """

    sid: str
    puts: str
    clouds: Clouds
    condition: Condition
    keys: tuple[str, ...] = ("*",)
    of_append: bool = False


BOTH: Clouds = ("aistor", "aws")
#: Without these, the put makes a new version beside the old one, encrypted and stored as the bucket says.
REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "NoOverwrite",
        "puts over an object (puts without If-None-Match)",
        ("aws",),
        # Starts and parts of an upload take no condition; its completion does.
        {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
        of_append=True,
    ),
    # MinIO replaces the named version in place, also one under GOVERNANCE. The key is empty in every other request, and
    # in one with an empty header `Versionid` (docs/losses.md).
    Refusal("NoVersionId", "puts that name a version id", ("aistor",), {"StringLike": {"s3:versionid": "?*"}}),
    # MinIO keeps one version, `null`, of a key that ends with a slash, and replaces it in place, under GOVERNANCE and
    # COMPLIANCE too. `__XLDIR__` is how it spells that slash on its disks, and it takes a key with it (tried).
    Refusal("NoFolder", "puts under a key that ends with a slash", ("aistor",), {}, keys=("*/", "*__XLDIR__")),
    # MinIO gives the object of a form no default retention, and no condition sees the fields of the form (tried).
    Refusal("NoForm", "uploads by a form", BOTH, {"StringEquals": {"s3:authType": "POST"}}),
    Refusal(
        "NoOwnKey",
        "puts encrypted with the caller's own key (SSE-C)",
        BOTH,
        {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
    ),
    Refusal(
        "NoKmsKey",
        "puts that name a KMS key",
        BOTH,
        {"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}},
    ),
    Refusal("NoClass", "puts that name a storage class", BOTH, {"Null": {"s3:x-amz-storage-class": "false"}}),
    # On AWS a tag needs `s3:PutObjectTagging`, which is denied; MinIO asks for no right of its own.
    Refusal("NoTags", "puts with tags", ("aistor",), {"Null": {"s3:RequestObjectTagKeys": "false"}}),
)
