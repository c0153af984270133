"""How a request to MinIO's admin API is signed, and how its bodies are encrypted and decrypted.

The rule: only `infra.admin_api` imports this module, and not before its first request, because the package `minio`
takes longer to load than all else of a provider.
"""

from io import BytesIO
from urllib.parse import SplitResult

import urllib3
from minio.credentials.credentials import Credentials
from minio.crypto import decrypt, encrypt
from minio.helpers import sha256_hash
from minio.signer import sign_v4_s3
from minio.time import to_amz_date, utcnow

__all__ = ["decrypted", "encrypt", "signed"]


def signed(method: str, url: SplitResult, body: bytes, region: str, pair: tuple[str, str]) -> dict[str, str]:
    """The headers of a request, signed with an access key and its secret key."""
    checksum, now = sha256_hash(body), utcnow()
    headers: dict[str, str | list[str] | tuple[str]] = {
        "Host": url.netloc,
        "Content-Type": "application/octet-stream",
        "x-amz-content-sha256": checksum,
        "x-amz-date": to_amz_date(now),
    }
    own = Credentials(*pair)
    found = sign_v4_s3(
        method=method, url=url, region=region, headers=headers, credentials=own, content_sha256=checksum, date=now
    )
    return {name: str(value) for name, value in found.items()}


def decrypted(body: bytes, secret_access_key: str) -> bytes:
    """The text of an encrypted answer.

    Raises:
        OSError: It was cut short.
        ValueError: It is encrypted with another secret key.
    """
    return decrypt(urllib3.HTTPResponse(body=BytesIO(body), preload_content=False), secret_access_key)
