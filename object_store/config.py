"""`StoreConfig`: where a store is and which credential opens it, checked when it is made.

The rule of the endpoint: if `S3_ENDPOINT` is set, the adapter uses that server and nothing else. If it is not set, the
adapter uses AWS, and finds it as AWS's own SDKs do. Only in that case it reads their variables: `AWS_ENDPOINT_URL_S3`
before `AWS_ENDPOINT_URL` (neither if `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is true), and `AWS_CA_BUNDLE` if
`S3_CA_BUNDLE` is not set. An empty `S3_ENDPOINT` is an error and does not mean AWS: if a manifest loses a value, no
data may go to a cloud.

The adapter accepts two more names for the endpoint, `S3_ENDPOINT_URL` and `MINIO_ENDPOINT`. If several are set, they
must agree. `MINIO_ENDPOINT` may be a bare host, with `MINIO_PORT` and `MINIO_USE_SSL` beside it.

| variable | meaning | legal |
|---|---|---|
| `S3_ENDPOINT` | the S3 server; not set for AWS | `https://host[:port]` or `http://host[:port]`, no path |
| `S3_CLIENT_ENDPOINT` | the server's name for users of presigned URLs, if it differs | likewise |
| `AWS_S3_FORCE_PATH_STYLE` | whether the bucket is in the path on AWS too | `true`; `false` only on AWS |
| `AWS_REGION` | region that requests are signed for | an AWS region; any word if `S3_ENDPOINT` is set |
| `AWS_ACCESS_KEY_ID` | the access key's id | required |
| `AWS_SECRET_ACCESS_KEY` | its secret | required |
| `AWS_SESSION_TOKEN` | the session token of a temporary credential | optional |
| `S3_WRITE_ONCE` | buckets that refuse a put over an object: every upload there is `if_absent` | names with `,` |
| `S3_ONLY_VERIFIED` | whether a body that no digest of the server's proves is an error | `true`, `false` |
| `S3_CA_BUNDLE` | CA that signed the server's certificate | path of a PEM file, or the PEM text itself |
| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` | the proxy to the server | `http://[USER:PASSWORD@]HOST[:PORT]` |
| `NO_PROXY` | servers that are reached without it | names, addresses and ranges: `proxies` |

The adapter reads no profile, shared file or instance role: a workload has the credential that it received, or none.
Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html (ca_bundle).
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from object_store.errors import ConfigurationError
from object_store.hosts import split
from object_store.outgoing import Form, fault_of
from object_store.proxies import Proxies, Proxy
from object_store.spellings import endpoint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PEM_MARK = "-----BEGIN CERTIFICATE-----"
_VENDOR_DEFAULT = "minioadmin"
_LONGEST_WAIT = timedelta(hours=12)
_MOST_RETRIES = 100
_ENDPOINT_LEGAL = "https://HOST[:PORT] or http://HOST[:PORT], with no path, query or user"
_ENDPOINT_LINE = "export S3_ENDPOINT=https://aistor-s3-api.aistor:443"


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """An S3 server and a credential for it.

    Attributes:
        endpoint: URL of the server, `https://host[:port]`; None is AWS itself. Requests to a given endpoint use path
            style.
        client_endpoint: URL for which presigned URLs are made; None is the endpoint itself.
        path_style: whether the bucket is in the path on AWS too; on other servers it always is.
        region: region that requests are signed for; without an endpoint it also selects the AWS host.
        access_key_id: id of the access key.
        secret_access_key: its secret; never in a repr or an error.
        session_token: token of a temporary credential; never in a repr or an error.
        ca_bundle: CA certificates that may have signed the server's certificate, as a path or as PEM text. Each new
            store reads them again. Not read for `http://`.
        write_once: buckets whose server refuses a put over an object; every upload there is `if_absent`.
        only_verified: whether a body that no digest of the server's proves is an error.
        connect_timeout: longest wait for one connection. With the retries it limits the time until
            `EndpointUnreachable`: under 10 s by default.
        stall_timeout: longest wait for the next bytes of an answer; a whole transfer may take longer.
        max_retries: repeats of a request after a lost connection or a 5xx answer.
        proxies: the proxies to choose from; those of the process's environment by default, `Proxies()` for none.
    """

    endpoint: str | None = None
    client_endpoint: str | None = None
    path_style: bool = False
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    ca_bundle: str | Path | None = field(default=None, repr=False)
    write_once: frozenset[str] = frozenset()
    only_verified: bool = False
    connect_timeout: timedelta = timedelta(seconds=2)
    stall_timeout: timedelta = timedelta(seconds=60)
    max_retries: int = 3
    proxies: Proxies = field(default_factory=lambda: Proxies.named_in(os.environ), repr=False)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for values that cannot work."""
        if self.endpoint is not None:
            object.__setattr__(self, "endpoint", _checked_endpoint(self.endpoint, "S3_ENDPOINT"))
        if self.client_endpoint is not None:
            checked = _checked_endpoint(self.client_endpoint, "S3_CLIENT_ENDPOINT")
            object.__setattr__(self, "client_endpoint", checked)
        _check_region(self.region, on_aws=self.endpoint is None)
        _check_credential("AWS_ACCESS_KEY_ID", self.access_key_id)
        _check_credential("AWS_SECRET_ACCESS_KEY", self.secret_access_key)
        if self.session_token is not None:
            _check_credential("AWS_SESSION_TOKEN", self.session_token)
        if self.access_key_id == self.secret_access_key == _VENDOR_DEFAULT:
            raise ConfigurationError(
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are the vendor's default pair ({_VENDOR_DEFAULT}), which "
                "everyone knows; legal: a credential that the deployment published"
            )
        _check_limits(self)
        _ = self.proxy  # refused here, not at the first request
        self.read_ca()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the variables listed at the top of this module, by default from `os.environ`.

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
            write_once=_buckets(env.get("S3_WRITE_ONCE", "")),
            only_verified=_is_true(env, "S3_ONLY_VERIFIED"),
            proxies=Proxies.named_in(env),
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
        """Make the configuration of one identity from what its stack published: `published.config_of`.

        Raises:
            ConfigurationError: an argument does not have the published form, or the identity has no credential.
        """
        from object_store.published import config_of  # noqa: PLC0415  # it imports this class

        return config_of(deployment, credentials, identity, via=via)

    @property
    def is_tls(self) -> bool:
        """Whether requests are encrypted; always true on AWS."""
        return self.endpoint is None or self.endpoint.startswith("https://")

    @cached_property
    def proxy(self) -> Proxy | None:
        """The proxy through which both clients reach the server; None if they reach it directly."""
        return self.proxies.of(self.endpoint or aws_endpoint(self.region))

    @property
    def botocore_proxies(self) -> dict[str, str]:
        """The proxy in the form that botocore's `Config` takes; without one it would read the environment itself."""
        return {"http": self.proxy.url, "https": self.proxy.url} if self.proxy else {}

    def read_ca(self) -> str | None:
        """PEM text of the CA certificates, or None if none are given or needed.

        Raises:
            ConfigurationError: the file cannot be read, or holds no certificate.
        """
        if self.ca_bundle is None or not self.is_tls:
            return None
        line = "export S3_CA_BUNDLE=/path/to/ca.pem"
        legal = "legal: the path of a PEM file with one or more CA certificates, or the PEM text itself"
        pem, where = str(self.ca_bundle), "the given text"
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
                cadata=pem.encode("ascii", "ignore").decode(),  # comments of a bundle may use any script
            )
        except (ssl.SSLError, ValueError):  # ValueError: the text is empty
            raise ConfigurationError(
                f"S3_CA_BUNDLE (or AWS_CA_BUNDLE): {where} holds no certificate; {legal}: {line}"
            ) from None
        return pem

    def secrets(self) -> tuple[str, ...]:
        """Return the values that no message may hold."""
        own = tuple(secret for secret in (self.secret_access_key, self.session_token) if secret)
        return own + (self.proxy.secrets if self.proxy else ())


def aws_endpoint(region: str) -> str:
    """URL of AWS S3 in a region."""
    return f"https://s3.{region}.{'amazonaws.com.cn' if region.startswith('cn-') else 'amazonaws.com'}"


def _path_style(env: Mapping[str, str], *, has_endpoint: bool) -> bool:
    name = "AWS_S3_FORCE_PATH_STYLE"
    in_path = _is_true(env, name)
    if has_endpoint and not in_path and env.get(name, "").strip():
        raise ConfigurationError(
            "AWS_S3_FORCE_PATH_STYLE is false, but with an endpoint set the bucket is always in the path; legal: true, "
            "or not set: unset AWS_S3_FORCE_PATH_STYLE"
        )
    return in_path


def _is_true(env: Mapping[str, str], variable: str) -> bool:
    """Whether a variable says true; not set, or empty, is false."""
    value = env.get(variable, "").strip().lower()
    if value not in {"", "true", "1", "false", "0"}:
        raise ConfigurationError(
            f"{variable} {value!r} is neither true nor false; legal: true, false: export {variable}=true"
        )
    return value in {"true", "1"}


def _as_the_aws_sdks_do(env: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Endpoint and CA bundle from the AWS SDKs' variables; as for the SDKs, an empty one counts as not set."""
    ca_bundle = env.get("AWS_CA_BUNDLE") or None
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None, ca_bundle
    for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if value := env.get(variable):
            return _checked_endpoint(value, variable), ca_bundle
    return None, ca_bundle


def _checked_endpoint(endpoint: str, variable: str) -> str:
    parts = split(endpoint) if isinstance(endpoint, str) else f"is {type(endpoint).__name__}, not str"
    if not isinstance(parts, str):
        if parts.username is not None or parts.password is not None:
            parts = "holds a user or password"
        elif parts.path.rstrip("/") or parts.query or parts.fragment:
            parts = "has a path, query or fragment"
    if isinstance(parts, str):
        # The message leaves out a value that may hold a user and a password.
        shown = "" if "@" in str(endpoint) else f" {endpoint!r}"
        raise ConfigurationError(
            f"{variable}{shown} {parts}; legal: {_ENDPOINT_LEGAL}, or not set at all for AWS: "
            f"{_ENDPOINT_LINE.replace('S3_ENDPOINT', variable)}"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _buckets(listed: str) -> frozenset[str]:
    """The buckets that `S3_WRITE_ONCE` names.

    Raises:
        ConfigurationError: It holds something else than names: an overlooked bucket would be written as any other.
    """
    names = listed.split(",") if listed else []
    if not all(_BUCKET.fullmatch(name) for name in names):
        raise ConfigurationError(
            f"S3_WRITE_ONCE {listed!r} is not a list of buckets; legal: names of buckets with a comma between them: "
            "export S3_WRITE_ONCE=joelclaw-prod-usw2-media-raw,joelclaw-prod-usw2-docs-raw"
        )
    return frozenset(names)


def _check_region(region: str, *, on_aws: bool) -> None:
    legal = _AWS_REGION if on_aws else _REGION
    if fault_of(region, Form.WORD) or not legal.fullmatch(region):
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
    fault = fault_of(value, Form.WORD)
    if fault is not None:
        raise ConfigurationError(
            f"{variable} {fault}; legal: exactly the value that the deployment published: export {variable}=…"
        )


def _check_limits(config: StoreConfig) -> None:
    for name in ("connect_timeout", "stall_timeout"):
        given = getattr(config, name)
        if not isinstance(given, timedelta) or not timedelta(0) < given <= _LONGEST_WAIT:
            raise ConfigurationError(f"{name} is {given!r}; legal: a timedelta above 0 and up to {_LONGEST_WAIT}")
    retries = config.max_retries
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= _MOST_RETRIES:
        raise ConfigurationError(f"max_retries is {retries!r}; legal: 0 to {_MOST_RETRIES}")


def _required(env: Mapping[str, str], variable: str, line: str) -> str:
    value = env.get(variable)
    if value is None:
        raise ConfigurationError(f"{variable} is not set: {line}")
    return value
