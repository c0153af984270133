"""The versions of MinIO's admin API, and how a server shows which of them it supports.

The rule: the versions differ only in their paths. A server answers an unsigned request with 403 if it supports the
version and with 426 if it does not. Any other answer is inconclusive.
Source: https://github.com/aminueza/terraform-provider-minio/issues/1071, confirmed on real servers.
"""

VERSIONS = ("v4", "v3")
"""The newest first."""

SPOKEN = 403
NOT_SPOKEN = 426
NOT_SPOKEN_CODE = "XMinioAdminVersionMismatch"


def command_url(endpoint: str, version: str, command: str) -> str:
    """The URL of a command in one version of the API."""
    return f"{endpoint.rstrip('/')}/minio/admin/{version}/{command}"
