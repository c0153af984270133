"""Queries the server for the facts of the preflight.

The rule: time is bounded: 5 s to connect, 10 s to answer, one retry for requests that botocore signs and none for the
others. Without a connection, or without an answer to the first request, no further request is sent. It changes and
judges nothing.
"""

import os
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from infra.admin_api import unsigned_answer
from infra.s3_client import new_session
from model.admin_versions import NOT_SPOKEN, VERSIONS, command_url
from model.endpoint import Endpoint
from model.loaded_cas import load_cas_once, loaded_once
from model.secrecy.vendor_defaults import VENDOR_PAIR
from object_store import (
    CertificateNotTrusted,
    CertificateUnusable,
    ConfigurationError,
    EndpointUnreachable,
    LocalFault,
    try_connection,
)
from object_store.proxies import Proxies
from ops.preflight.facts import NOT_ASKED, UNUSABLE, AistorFacts, AwsFacts, ServerCertificate, StackFacts, StateAccess
from verify.facts import DONE, Answer, Tried
from verify.probe.answers import LocalFaultError, answer, done
from verify.target import CannotRunError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from infra.settings import AistorSettings, Settings

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 10
AT_ONCE = 8
EXPIRED = "CertificateExpired"
NOT_TRUSTED = "CertificateNotTrusted"
_REDIRECTS_AND_ERRORS = 300
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ (X509_V_ERR_CERT_HAS_EXPIRED)
_CERTIFICATE_HAS_EXPIRED = 10
_BOUNDED = Config(
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 2},
    signature_version="s3v4",
    max_pool_connections=AT_ONCE,
)


def ask_aistor(stack: StackFacts, own: "AistorSettings", region: str) -> AistorFacts:
    """Query an AIStor or MinIO server."""
    proxied = _proxies(own.endpoint.url)
    door, certificate = (Answer(DONE), None) if proxied else look_at_door(own.endpoint, own.ca_pem)
    if door.ok and (certificate is None or certificate.ok):
        door, certificate = _as_the_adapter(own.endpoint, own.ca_file, certificate, proxied=bool(proxied))
    if not door.ok or not (certificate is None or certificate.ok):
        return _unasked(door, certificate, f"{own.endpoint.url} is not reachable")
    pair = (own.admin_user, own.admin_password)
    access = stack.state.access
    if access == StateAccess(f"{own.endpoint.scheme}://{own.endpoint.host_port}", *pair):
        access = None
    admin_api, skew = _admin_api(own.endpoint.url, own.ca_pem)
    if not admin_api.ok:
        silent: Tried = Answer(code=admin_api.code, said=f"connected, but got no usable answer ({admin_api.code})")
        return _unasked(silent, certificate, f"{own.endpoint.url} gave no usable answer")
    with _Asking(own.endpoint.url, own.ca_file, region) as asking, ThreadPoolExecutor(AT_ONCE) as pool:
        # Created one after the other: a boto3 session cannot create clients in two threads at once.
        admin, default = asking.client(*pair), asking.client(*VENDOR_PAIR)
        buckets = pool.submit(answer, lambda: _bucket_names(admin))
        default_pair = pool.submit(answer, done(default.list_buckets))
        state_access = pool.submit(_try_access, access, own.ca_file, region) if access else None
        refused = not buckets.result().ok
        admin_info = asking.admin_info(Credentials(*pair)) if refused else None
    return AistorFacts(
        door=door,
        certificate=certificate,
        skew_seconds=skew,
        admin_api=admin_api,
        buckets=buckets.result(),
        admin_info=admin_info,
        default_pair=default_pair.result(),
        state_access=state_access.result() if state_access else None,
    )


def _unasked(door: Tried, certificate: Answer[ServerCertificate] | None, why: str) -> AistorFacts:
    def unasked() -> Answer[Any]:
        return Answer(code=NOT_ASKED, said=why)

    return AistorFacts(
        door, certificate, unasked(), unasked(), unasked(), admin_info=None, default_pair=unasked(), state_access=None
    )


def look_at_door(endpoint: Endpoint, ca_pem: str | None) -> tuple[Tried, Answer[ServerCertificate] | None]:
    """Connect once and read the certificate, even if its names do not match."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), CONNECT_TIMEOUT_SECONDS) as plain:
            return Answer(DONE), _certificate(plain, endpoint.host, ca_pem) if endpoint.tls else None
    except socket.gaierror as error:
        return Answer(code="NameNotResolved", said=f"the name {endpoint.host} does not resolve: {error.strerror}"), None
    except OSError as error:
        return Answer(code=type(error).__name__, said=f"no connection: {error.strerror or error}"), None


def _as_the_adapter(
    endpoint: Endpoint, ca_file: str | None, certificate: Answer[ServerCertificate] | None, *, proxied: bool
) -> tuple[Tried, Answer[ServerCertificate] | None]:
    """What the adapter, which heeds proxies, finds where this module could connect."""
    try:
        try_connection(endpoint.url, ca_file, connect_timeout=timedelta(seconds=CONNECT_TIMEOUT_SECONDS))
    except CertificateUnusable as error:
        return Answer(DONE), Answer(code=UNUSABLE, said=str(error))
    except (CertificateNotTrusted, EndpointUnreachable) as error:
        # Without a proxy the other checks say more: which name is missing, which request got no answer.
        return (Answer(code=type(error).__name__, said=str(error)) if proxied else Answer(DONE)), certificate
    except (ConfigurationError, LocalFault) as error:
        raise CannotRunError(str(error)) from None
    return Answer(DONE), certificate


def _proxies(url: str) -> dict[str, str]:
    """The proxy for a server as the adapter chooses it, in botocore's form; empty if it is reached directly."""
    try:
        proxy = Proxies.named_in(os.environ).of(url)
    except ConfigurationError as error:
        raise CannotRunError(str(error)) from None
    return {"http": proxy.url, "https": proxy.url} if proxy else {}


def _certificate(plain: socket.socket, host: str, ca_pem: str | None) -> Answer[ServerCertificate]:
    context = ssl.create_default_context(cadata=ca_pem)
    context.check_hostname = False  # another check judges its names; the signature is still checked here
    try:
        with context.wrap_socket(plain, server_hostname=host) as wrapped:
            held: Any = wrapped.getpeercert()
    except ssl.SSLCertVerificationError as error:
        code = EXPIRED if error.verify_code == _CERTIFICATE_HAS_EXPIRED else NOT_TRUSTED
        return Answer(code=code, said=error.verify_message)
    except OSError as error:
        return Answer(code=type(error).__name__, said=f"no TLS: {error}")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(held["notAfter"]), UTC)
    return Answer(ServerCertificate(tuple(held.get("subjectAltName", ())), ends))


class _Asking:
    """Strictly private: the connection to one server."""

    def __init__(self, endpoint: str, ca_file: str | None, region: str) -> None:
        self._endpoint, self._ca_file, self._region = endpoint, ca_file, region
        self._session = new_session(own_keys=True)
        self._http = loaded_once(
            URLLib3Session(
                verify=ca_file or True,  # type: ignore[arg-type]  # a path too, says botocore's own code
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),  # type: ignore[arg-type]  # likewise
                proxies=_proxies(endpoint),
            )
        )
        self._open = ExitStack()
        self._open.callback(self._http.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def client(self, user: str, password: str) -> "S3Client":
        """An S3 client that signs with a key pair."""
        made: S3Client = self._session.create_client(  # type: ignore[assignment]  # its type stubs know no service
            "s3",
            endpoint_url=self._endpoint,
            region_name=self._region,
            verify=self._ca_file or True,
            aws_access_key_id=user,
            aws_secret_access_key=password,
            config=_BOUNDED.merge(Config(s3={"addressing_style": "path"}, proxies=_proxies(self._endpoint))),
        )
        self._open.callback(made.close)
        return made

    def admin_info(self, credentials: Credentials) -> Tried:
        """Whether the admin API accepts these credentials, in the version that the server speaks."""
        found: Tried = Answer(code=NOT_ASKED)
        for version in VERSIONS:
            request = AWSRequest("GET", command_url(self._endpoint, version, "info"))
            S3SigV4Auth(credentials, "s3", self._region).add_auth(request)
            sent = answer(lambda request=request: self._http.send(request.prepare()))  # type: ignore[misc]  # bound for this round
            if sent.value is None:
                return Answer(code=sent.code, said=sent.said)
            status = sent.value.status_code
            found = Answer(DONE) if status < _REDIRECTS_AND_ERRORS else Answer(code=f"HTTP {status}")
            if status != NOT_SPOKEN:
                break
        return found


def _admin_api(endpoint: str, ca_pem: str | None) -> tuple[Answer[Mapping[str, int]], Answer[float]]:
    """The status of an unsigned request to each version of the admin API, and the clock skew of the first answer.

    If one version gets no answer, the status of the other one is still returned.
    """
    statuses: dict[str, int] = {}
    skew = Answer[float](code=NOT_ASKED)
    for version in VERSIONS:
        sent = answer(partial(unsigned_answer, endpoint, version, ca_pem))
        if sent.value is not None:
            statuses[version] = sent.value.status
            skew = skew_by(sent.value.headers.get("date")) if skew.value is None else skew
    if statuses:
        return Answer(statuses), skew
    return Answer(code=sent.code, said=sent.said), Answer(code=sent.code, said=sent.said)


def _try_access(access: StateAccess, ca_file: str | None, region: str) -> Tried:
    with _Asking(access.endpoint, ca_file, region) as asking:
        return answer(done(asking.client(access.user, access.password).list_buckets))


def _bucket_names(client: "S3Client") -> frozenset[str]:
    return frozenset(bucket["Name"] for bucket in client.list_buckets().get("Buckets", []))


def skew_by(date: str | None) -> Answer[float]:
    """This machine's clock minus that of an HTTP `Date` header, in seconds; the header has whole seconds."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return Answer(code="NoDate", said="the server sends no valid Date header")
    return Answer((datetime.now(UTC) - theirs.astimezone(UTC)).total_seconds())


def ask_aws(stack: StackFacts, settings: "Settings") -> AwsFacts:
    """Query AWS with the credentials of the SDK's own chain; without usable ones, the account's answer says why."""
    try:
        return _ask_aws(stack, settings)
    except BotoCoreError as error:  # a profile that does not exist, an unreadable config file
        refused: BotoCoreError = error
    except LocalFaultError as error:
        if not isinstance(error.__cause__, BotoCoreError):
            raise
        refused = error.__cause__  # no credentials
    unasked = "there are no usable credentials"
    return AwsFacts(
        Answer(code=type(refused).__name__, said=str(refused)),
        Answer(code=NOT_ASKED, said=unasked),
        Answer(code=NOT_ASKED, said=unasked),
        {},
    )


def _ask_aws(stack: StackFacts, settings: "Settings") -> AwsFacts:
    session = load_cas_once(boto3.session.Session())
    dates: list[str | None] = []

    def note(response_dict: dict[str, Any] | None, **_: object) -> None:
        dates.append(response_dict["headers"].get("date") if response_dict else None)

    with closing(
        session.client("sts", region_name=settings.region, config=_BOUNDED.merge(Config(signature_version="v4")))
    ) as sts:
        sts.meta.events.register("response-received.sts", note)
        account: Answer[str] = answer(lambda: str(sts.get_caller_identity()["Account"]))
    skew = skew_by(dates[-1]) if dates else Answer[float](code=NOT_ASKED, said="no answer")
    if not account.ok:
        return AwsFacts(account, skew, Answer(code=NOT_ASKED, said="AWS did not accept the credentials"), {})
    with (
        closing(session.client("s3", region_name=settings.region, config=_BOUNDED)) as s3,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        buckets = answer(lambda: _bucket_names(s3))
        known = (buckets.value or frozenset()) | stack.state.buckets
        unknown = [name for name in stack.planned if name not in known]

        def head(name: str) -> Tried:
            return answer(done(lambda: s3.head_bucket(Bucket=name)))

        others = dict(zip(unknown, pool.map(head, unknown), strict=True))
    return AwsFacts(account, skew, buckets, others)
