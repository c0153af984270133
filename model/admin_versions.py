"""The versions of MinIO's admin API, and how a server says which of them it speaks.

The rule: paths apart, the versions are the same. To an unsigned question a server answers 403 where it speaks the
version and 426 where it does not; any other answer tells nothing.
Source: https://github.com/aminueza/terraform-provider-minio/issues/1071, tried on real servers.
"""

VERSIONS = ("v4", "v3")
"""The newest first."""

SPOKEN = 403
NOT_SPOKEN = 426
NOT_SPOKEN_CODE = "XMinioAdminVersionMismatch"


def command_url(endpoint: str, version: str, command: str) -> str:
    """Where a command of one version is."""
    return f"{endpoint.rstrip('/')}/minio/admin/{version}/{command}"
