"""Signed GET requests of the auditor, for which botocore has no client or a client that drops what it does not know."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from pydantic import TypeAdapter

from model.admin_versions import NOT_SPOKEN, NOT_SPOKEN_CODE, VERSIONS, command_url
from verify.facts import Answer
from verify.probe.answers import UNEXPECTED
from verify.probe.session import StoreSession

T = TypeVar("T")
# IAM of the only partition that this project supports (`model.regions`) is in one region.
_IAM_REGION = "us-east-1"
_OTHER_VERSION = frozenset({NOT_SPOKEN_CODE, f"HTTP {NOT_SPOKEN}"})


class Auditor:
    """One identity's signed reads in a run."""

    def __init__(self, session: StoreSession, identity: str) -> None:
        """Sign with the key of this identity."""
        self.session = session
        self.identity = identity
        self._versions = list(VERSIONS)

    def setting(self, bucket: str, query: str) -> Answer[str]:
        """A setting of a bucket, as the server's own text."""
        endpoint = self.session.client(self.identity).meta.endpoint_url.rstrip("/")
        found = self._s3(f"{endpoint}/{bucket}?{query}")
        return Answer(found.value.decode("utf-8", "replace")) if found.value is not None else _lost(found)

    def admin(self, command: str, form: TypeAdapter[T], *, encrypted: bool) -> Answer[T]:
        """What a command of MinIO's admin API answers, by the newest version that the server supports.

        An answer of another form than `form` is none.
        """
        endpoint = self.session.client(self.identity).meta.endpoint_url
        found: Answer[bytes] = Answer(code=NOT_SPOKEN_CODE)
        for version in tuple(self._versions):
            found = self._s3(command_url(endpoint, version, command))
            if found.code not in _OTHER_VERSION:
                self._versions = [version]
                break
        if found.value is None:
            return _lost(found)
        try:
            body = self._decrypted(found.value) if encrypted else found.value
            return Answer(form.validate_json(body))
        except (OSError, ValueError) as error:
            return Answer(code=UNEXPECTED, said=f"no usable answer ({type(error).__name__})")

    def iam(self, action: str, parameters: Mapping[str, str]) -> Answer[bytes]:
        """The XML that a call of IAM answers."""
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", self.session.iam_endpoint, headers=headers, data=body)
        SigV4Auth(self.session.credentials(self.identity), "iam", _IAM_REGION).add_auth(request)
        return self.session.send("POST", self.session.iam_endpoint, dict(request.headers.items()), body)

    def _s3(self, url: str) -> Answer[bytes]:
        request = AWSRequest("GET", url)
        region = self.session.target.deployment.region
        S3SigV4Auth(self.session.credentials(self.identity), "s3", region).add_auth(request)
        return self.session.send("GET", url, dict(request.headers.items()))

    def _decrypted(self, body: bytes) -> bytes:
        # Imported only here, because it takes long, and on AWS nothing is encrypted so.
        from minio.crypto import decrypt  # noqa: PLC0415

        secret = self.session.credentials(self.identity).secret_key
        return decrypt(urllib3.HTTPResponse(body=BytesIO(body), preload_content=False), secret)


def _lost(found: Answer[bytes]) -> Answer[Any]:
    return Answer(code=found.code or UNEXPECTED, said=found.said)
