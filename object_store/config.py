"""`StoreConfig`: where a store is and who asks, checked when it is made.

The rule of the endpoint: `S3_ENDPOINT` present means that server and nothing else; absent means AWS, resolved as AWS's
own SDKs do. Then, and only then, their variables are honoured: `AWS_ENDPOINT_URL_S3` before `AWS_ENDPOINT_URL` (neither
if `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is true) and `AWS_CA_BUNDLE` where `S3_CA_BUNDLE` is not set.
An empty `S3_ENDPOINT` is an error, not AWS: a value that went missing in a manifest must not send data to a cloud.

Two more spellings of the endpoint are taken, `S3_ENDPOINT_URL` and `MINIO_ENDPOINT`; where several are set they must
agree. `MINIO_ENDPOINT` may be a bare host, with `MINIO_PORT` and `MINIO_USE_SSL` beside it.

| variable | meaning | legal |
|---|---|---|
| `S3_ENDPOINT` | the S3 server; absent on AWS | `https://host[:port]` or `http://host[:port]`, no path |
| `S3_CLIENT_ENDPOINT` | the server's name for who gets a presigned URL, if that is another | likewise |
| `AWS_S3_FORCE_PATH_STYLE` | whether the bucket is in the path on AWS, too | `true`; `false` only on AWS |
| `AWS_REGION` | region that requests are signed for | an AWS region; any word where `S3_ENDPOINT` is set |
| `AWS_ACCESS_KEY_ID` | the credential's name | required |
| `AWS_SECRET_ACCESS_KEY` | its secret | required |
| `AWS_SESSION_TOKEN` | goes with a temporary credential | optional |
| `S3_CA_BUNDLE` | CA that signed the server's certificate | path of a PEM file, or the PEM text itself |

No profile, shared file or instance role is looked up: a workload has the credential that it was handed, or none.
Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html (ca_bundle).
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from object_store.errors import ConfigurationError
from object_store.spellings import endpoint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PEM_MARK = "-----BEGIN CERTIFICATE-----"
_VENDOR_DEFAULT = "minioadmin"
_ENDPOINT_LEGAL = "https://HOST[:PORT] or http://HOST[:PORT], with no path, query or user"
_ENDPOINT_LINE = "export S3_ENDPOINT=https://aistor-s3-api.aistor:443"


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """An S3 server and a credential for it.

    Attributes:
        endpoint: URL of the server, `https://host[:port]`; None is AWS itself. Path-style requests go to a given one.
        client_endpoint: URL that presigned URLs are made for; None is the endpoint itself.
        path_style: whether the bucket is in the path on AWS, too; elsewhere it always is.
        region: region that requests are signed for; without an endpoint it also names the AWS host.
        access_key_id: name of the credential.
        secret_access_key: its secret; in no repr and no error.
        session_token: goes with a temporary credential; in no repr and no error.
        ca_bundle: CA certificates that the server's certificate may be signed by, as a path or as PEM text.
            They are read again by each new store. Not read for `http://`.
        connect_timeout: longest wait for one connection. With the retries it bounds the time until
            `EndpointUnreachable`: under 10 s as it comes.
        stall_timeout: longest wait for the next bytes of an answer; a whole transfer may take longer.
        max_retries: repeats of a request after a lost connection or a 5xx answer.
    """

    endpoint: str | None = None
    client_endpoint: str | None = None
    path_style: bool = False
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    ca_bundle: str | Path | None = field(default=None, repr=False)
    connect_timeout: timedelta = timedelta(seconds=2)
    stall_timeout: timedelta = timedelta(seconds=60)
    max_retries: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot work: ConfigurationError."""
        if self.endpoint is not None:
            object.__setattr__(self, "endpoint", _checked_endpoint(self.endpoint, "S3_ENDPOINT"))
        if self.client_endpoint is not None:
            checked = _checked_endpoint(self.client_endpoint, "S3_CLIENT_ENDPOINT")
            object.__setattr__(self, "client_endpoint", checked)
        _check_region(self.region, on_aws=self.endpoint is None)
        _check_credential("AWS_ACCESS_KEY_ID", self.access_key_id)
        _check_credential("AWS_SECRET_ACCESS_KEY", self.secret_access_key)
        if self.access_key_id == self.secret_access_key == _VENDOR_DEFAULT:
            raise ConfigurationError(
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are the vendor's default pair ({_VENDOR_DEFAULT}), which "
                "everyone knows; legal: a credential that the deployment published"
            )
        self.read_ca()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the variables named at the top of this module, from `os.environ` if no other mapping is given.

        Raises:
            ConfigurationError: a variable is missing or cannot work.
        """
        env = os.environ if environ is None else environ
        endpoint, ca_bundle = endpoint_of(env), env.get("S3_CA_BUNDLE")
        path_style = _path_style(env, has_endpoint=endpoint is not None)
        if endpoint is None:
            endpoint, aws_ca_bundle = _as_the_aws_sdks_do(env)
            ca_bundle = aws_ca_bundle if ca_bundle is None else ca_bundle
        return cls(
            endpoint=endpoint,
            client_endpoint=env.get("S3_CLIENT_ENDPOINT"),
            path_style=path_style,
            region=_required(env, "AWS_REGION", "export AWS_REGION=us-west-2"),
            access_key_id=_required(env, "AWS_ACCESS_KEY_ID", "export AWS_ACCESS_KEY_ID=…"),
            secret_access_key=_required(env, "AWS_SECRET_ACCESS_KEY", "export AWS_SECRET_ACCESS_KEY=…"),
            session_token=env.get("AWS_SESSION_TOKEN") or None,
            ca_bundle=ca_bundle,
        )

    @classmethod
    def from_deployment(
        cls,
        deployment: Mapping[str, Any],
        credentials: Mapping[str, Any],
        identity: str,
        *,
        via: Literal["client", "provisioning"] = "client",
    ) -> StoreConfig:
        """Take one identity's way to a store from what its stack published: `published.config_of`.

        Raises:
            ConfigurationError: one of them is not of the published form, or there is no such identity.
        """
        from object_store.published import config_of  # noqa: PLC0415  # it is made of this class

        return config_of(deployment, credentials, identity, via=via)

    @property
    def is_tls(self) -> bool:
        """Whether requests are encrypted; on AWS always."""
        return self.endpoint is None or self.endpoint.startswith("https://")

    def read_ca(self) -> str | None:
        """PEM text of the CA certificates, or None where none are given or needed.

        Raises:
            ConfigurationError: the file cannot be read, or holds no certificate.
        """
        if self.ca_bundle is None or not self.is_tls:
            return None
        line = "export S3_CA_BUNDLE=/path/to/ca.pem"
        legal = "legal: the path of a PEM file with one or more CA certificates, or such a text itself"
        pem, where = str(self.ca_bundle), "the text given"
        if _PEM_MARK not in pem:
            where = repr(pem)
            try:
                pem = Path(pem).read_text(encoding="utf-8")
            except (OSError, ValueError) as fault:
                reason = fault.strerror if isinstance(fault, OSError) else "it is not text"
                raise ConfigurationError(
                    f"S3_CA_BUNDLE (or AWS_CA_BUNDLE): {where} cannot be read: {reason}; {legal}: {line}"
                ) from None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
                cadata=pem.encode("ascii", "ignore").decode(),  # comments of a bundle may be in any script
            )
        except (ssl.SSLError, ValueError):  # the second one where the text is empty
            raise ConfigurationError(
                f"S3_CA_BUNDLE (or AWS_CA_BUNDLE): {where} holds no certificate; {legal}: {line}"
            ) from None
        return pem

    def secrets(self) -> tuple[str, ...]:
        """Return what no message may hold."""
        return tuple(secret for secret in (self.secret_access_key, self.session_token) if secret)


def _path_style(env: Mapping[str, str], *, has_endpoint: bool) -> bool:
    value = env.get("AWS_S3_FORCE_PATH_STYLE", "").strip().lower()
    if value not in {"", "true", "1", "false", "0"}:
        raise ConfigurationError(
            f"AWS_S3_FORCE_PATH_STYLE {value!r} is neither; legal: true, false: export AWS_S3_FORCE_PATH_STYLE=true"
        )
    if has_endpoint and value in {"false", "0"}:
        raise ConfigurationError(
            "AWS_S3_FORCE_PATH_STYLE is false, but a server of one's own has the bucket in the path; legal: true, or "
            "not set: unset AWS_S3_FORCE_PATH_STYLE"
        )
    return value in {"true", "1"}


def _as_the_aws_sdks_do(env: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Endpoint and CA bundle by the AWS SDKs' variables; an empty one counts as not set, as it does for them."""
    ca_bundle = env.get("AWS_CA_BUNDLE") or None
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None, ca_bundle
    for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if value := env.get(variable):
            return _checked_endpoint(value, variable), ca_bundle
    return None, ca_bundle


def _checked_endpoint(endpoint: str, variable: str) -> str:
    fault = _endpoint_fault(endpoint)
    if fault is not None:
        # The value stays out of the message where it may hold a user and a password.
        shown = "" if "@" in endpoint else f" {endpoint!r}"
        raise ConfigurationError(
            f"{variable}{shown} {fault}; legal: {_ENDPOINT_LEGAL}, or not set at all for AWS: "
            f"{_ENDPOINT_LINE.replace('S3_ENDPOINT', variable)}"
        )
    return endpoint.rstrip("/")


def _endpoint_fault(endpoint: str) -> str | None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return "is not a URL, or its port is not a number up to 65535"
    strange = re.search(r"[\s\x00-\x1f\\]", endpoint) is not None
    faults = {
        "is set but empty": not endpoint.strip(),
        "has no scheme http:// or https://": parts.scheme not in {"http", "https"},
        "holds a user or password": parts.username is not None or parts.password is not None,
        "names no host that can be reached": not parts.hostname or port == 0 or strange,
        "has a path, query or fragment": bool(parts.path.rstrip("/") or parts.query or parts.fragment),
    }
    return next((fault for fault, holds in faults.items() if holds), None)


def _check_region(region: str, *, on_aws: bool) -> None:
    legal = _AWS_REGION if on_aws else _REGION
    if not legal.fullmatch(region):
        raise ConfigurationError(
            f"AWS_REGION {region!r} is not a region; legal: "
            + (
                "an AWS region, since S3_ENDPOINT is not set (or set S3_ENDPOINT, if this is not meant for AWS)"
                if on_aws
                else "letters, digits and '-', as the server is configured"
            )
            + ": export AWS_REGION=us-west-2"
        )


def _check_credential(variable: str, value: str) -> None:
    if not value or re.search(r"\s", value) or not value.isascii() or not value.isprintable():
        fault = "holds white space or a character that is not printable ASCII" if value else "is empty"
        raise ConfigurationError(
            f"{variable} {fault}; legal: the value that the deployment published, and nothing around it: "
            f"export {variable}=…"
        )


def _required(env: Mapping[str, str], variable: str, line: str) -> str:
    value = env.get(variable)
    if value is None:
        raise ConfigurationError(f"{variable} is not set: {line}")
    return value
