"""Names of buckets: the convention, and what S3 refuses of the names that follow it.

The rule: a name that is built from codes and domains here has no dot, no double hyphen and this project's prefix, so of
S3's rules only the length and two reserved suffixes can be broken.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

PROJECT = "joelclaw"
BUCKET_NAME_MAXIMUM = 63
# Aliases of access points, and buckets in the namespace of an account and region.
RESERVED_SUFFIXES = ("-s3alias", "-an")


def bucket_name(env: str, region_code: str, domain: str) -> str:
    """The bucket name by the decision record's convention: lower case, hyphens, no dots."""
    return f"{PROJECT}-{env}-{region_code}-{domain}"


def reserved_suffix(name: str) -> str:
    """The suffix that S3 reserves for names that it makes itself; empty if the name has none."""
    return next((suffix for suffix in RESERVED_SUFFIXES if name.endswith(suffix)), "")
