"""One run's session with the store: clients by identity, plain HTTP, when to stop sending, what to abort.

The rule: every request goes through `ask` or `send`, which turn errors into answers. After several requests in a row
without an answer, nothing more is sent, so that a run's time is bounded; likewise after a time in which this machine
stood still. After `stop` each worker ends instead of sending its next request. Clients never fall back to the machine's
own credentials.
"""

import logging
import re
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from verify.answer_codes import BUSY, NO_ANSWER, SILENT
from verify.facts import NOT_TRIED, Answer, Tried
from verify.probe.answers import answer, done, error_of
from verify.probe.mark import add_mark
from verify.probe.standstill import Standstill
from verify.roles import session_token
from verify.sdk import public_cas, sdk_session
from verify.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
# Access key id, secret access key, session token.
_Keys = tuple[str, str, str | None]

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 15
ATTEMPTS = 4
# So many pages of a listing in a row may be empty, or begin alike.
_PAGES_ALIKE = 100
# After this number of consecutive requests without an answer, each already retried, the run stops sending.
SILENT_AFTER = 6
# The pauses before further attempts if the server is still too busy after the client's own retries.
BUSY_PAUSES_SECONDS = (1.0, 2.0)
ANONYMOUS = ""
TRIED_LOCK = timedelta(hours=2)  # longer than a run and than a seed's own lock, so that no bypass is needed


_SIGNATURE = re.compile("(X-Amz-Signature|X-Amz-Security-Token)=[^&\\s]+")


def _without_signature(record: logging.LogRecord) -> bool:
    """Remove signatures and session tokens from a log line."""
    if isinstance(record.args, tuple):
        record.args = tuple(_SIGNATURE.sub(r"\1=…", str(a)) if "X-Amz-Sig" in str(a) else a for a in record.args)
    return True


# urllib3 logs whole URLs at debug level and when it retries; a signed URL is a secret until it expires.
logging.getLogger("urllib3.connectionpool").addFilter(_without_signature)


class Interrupted(Exception):  # noqa: N818 - nothing failed: the run was asked to stop
    """The run was asked to stop; raised in a worker in place of its next request."""


class StoreSession:
    """What the parts of one run share; thread-safe."""

    def __init__(self, target: Target, connections: int) -> None:
        """Connect to a target, with at most this number of connections for each identity."""
        self.target = target
        # How far the server's clock is ahead of this machine's; zero until the server has said its time.
        self.ahead = timedelta()
        self.requests = 0
        self.gave_up = ""
        self.cleaning = False
        self.uploads: set[tuple[str, str, str]] = set()
        self._connections = connections
        self._silent_in_a_row = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str | None], S3Client] = {}
        self._cleanup = ExitStack()
        self._standstill = Standstill()
        config = target.config(next(i.name for i in target.deployment.plan.identities if i.name not in target.absent))
        self.ca_pem = config.read_ca()
        self._proxies = config.botocore_proxies  # as the adapter goes, so that both meet the same server
        self.ca_file = self._written_ca()
        proxy = self.proxy = config.proxy
        made: Callable[..., urllib3.PoolManager] = (
            partial(urllib3.ProxyManager, proxy.url, proxy_headers=proxy.headers) if proxy else urllib3.PoolManager
        )
        self._http = made(
            maxsize=connections,
            ssl_context=self.tls(),
            retries=False,  # `send` retries, because its caller decides what may be sent again
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
        )

    def tls(self) -> ssl.SSLContext:
        """What the run's own connections trust: the CA of the target, or the public CAs."""
        return ssl.create_default_context(cafile=self.ca_file or public_cas())

    def _written_ca(self) -> str | None:
        if self.ca_pem is None:
            return None
        folder = self._cleanup.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "ca.pem"
        path.write_text(self.ca_pem, encoding="ascii")
        return str(path)

    def __enter__(self) -> Self:
        """Watch the clock; clients are created when they are needed."""
        self._cleanup.enter_context(self._standstill)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        self._http.clear()
        self._cleanup.close()

    def client(self, identity: str, endpoint: str | None = None) -> "S3Client":
        """A client that signs with an identity's key (unsigned for ANONYMOUS), for another endpoint if one is given."""
        with self._lock:
            found = self._clients.get((identity, endpoint))
            if found is None:
                keys = None if identity == ANONYMOUS else self._keys(identity)
                found = self._made(keys, endpoint)
                self._clients[identity, endpoint] = found
            return found

    def client_with(self, access_key_id: str, secret_access_key: str) -> "S3Client":
        """A client that signs with a key pair of no identity; close it after use."""
        with self._lock:
            return self._made((access_key_id, secret_access_key, None), None)

    @cached_property
    def iam_endpoint(self) -> str:
        """The endpoint of IAM; a stand-in for AWS serves it at its own, and for AWS the SDK knows it."""
        with self._lock:
            client = sdk_session().client(
                "iam", endpoint_url=self.target.endpoint, region_name=self.target.deployment.region
            )
        client.close()
        return str(client.meta.endpoint_url)

    def ask_as(self, identity: str, act: "Callable[[S3Client], object]") -> Tried:
        """Try something as an identity; the answer is NOT_TRIED if the identity is unavailable."""
        if identity in self.target.absent:
            return Answer(code=NOT_TRIED, said=self.target.absent[identity])
        client = self.client(identity)
        return self.ask(done(lambda: act(client)))

    def credentials(self, identity: str) -> Credentials:
        """The key of an identity, for a request that no client of botocore sends."""
        return Credentials(*self._keys(identity))

    def _keys(self, identity: str) -> "_Keys":
        pair = self.target.credentials[identity]
        return pair.access_key_id, pair.secret_access_key.get_secret_value(), session_token(pair)

    def _made(self, keys: "_Keys | None", endpoint: str | None) -> "S3Client":
        config = Config(
            s3={"addressing_style": "path"} if self.target.endpoint else {},
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            max_pool_connections=self._connections,
            proxies=self._proxies,
            # Set explicitly: without it boto3 still presigns with signature version 2 in some regions.
            signature_version=UNSIGNED if keys is None else "s3v4",
        )
        made: S3Client = sdk_session().client(
            "s3",
            endpoint_url=endpoint or self.target.endpoint,
            region_name=self.target.deployment.region,
            verify=self.ca_file or True,
            config=config,
            aws_access_key_id=keys[0] if keys else None,
            aws_secret_access_key=keys[1] if keys else None,
            aws_session_token=keys[2] if keys else None,
        )
        made.meta.events.register("before-call.s3", _stays)
        for listing in ("ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"):
            made.meta.events.register(f"after-call.s3.{listing}", _Ending())
        made.meta.events.register("before-send.s3", self._count)
        for operation in ("PutObject", "CreateMultipartUpload"):
            made.meta.events.register(f"before-parameter-build.s3.{operation}", add_mark)
        return made

    def _count(self, **_: object) -> None:
        self.requests += 1

    def now(self) -> datetime:
        """The time on the server's clock, by which it judges every date."""
        return datetime.now(UTC) + self.ahead

    @cached_property
    def tried_lock_until(self) -> datetime:
        """The end of each lock that an identity tries to set.

        MinIO answers 400, not 403, to an end before the present one, so identities that try it on one object at the
        same time must name the same end.
        """
        return self.now() + TRIED_LOCK

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: The run was asked to stop.
        """
        if self._stop.wait(seconds):
            raise Interrupted

    def stop(self) -> None:
        """Make each worker end before its next request."""
        self._stop.set()

    def clean(self) -> None:
        """Allow only cleaning requests from now on; a server that stopped answering gets another chance."""
        self.cleaning = True
        self._silent_in_a_row = 0

    def ask(self, read: Callable[[], T], answered: "Callable[[Callable[[], T]], Answer[T]] | None" = None) -> Answer[T]:
        """Call, and retry if the server is too busy; an error of the server or of the connection becomes the answer.

        Args:
            read: What to call.
            answered: Calls `read` and turns its errors into an answer; None for the errors of boto3 and urllib3.

        Raises:
            Interrupted: The run was asked to stop.
        """
        if not self.cleaning:
            if self._stop.is_set():
                raise Interrupted
            if self.gave_up:
                return Answer(code=SILENT, said=self.gave_up)
        elif self._silent_in_a_row >= SILENT_AFTER:
            return Answer(code=SILENT, said=self.gave_up)
        call = answered or answer
        found = call(read)
        for pause in BUSY_PAUSES_SECONDS:
            if found.code not in BUSY or (self.gave_up and not self.cleaning):
                break
            # After `stop` no request waits any longer, but cleaning requests are still retried.
            if self._stop.wait(pause) and not self.cleaning:
                raise Interrupted
            found = call(read)
        self._heed(found)
        return found if self.cleaning or not self._stood_still() else Answer(code=SILENT, said=self.gave_up)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        once: bool = False,
        dated: "list[timedelta] | None" = None,
    ) -> Answer[bytes]:
        """Send a request unchanged and unsigned; the code in an error's XML becomes the answer.

        Args:
            method: The HTTP method.
            url: The whole URL; it is never logged or shown.
            headers: Sent unchanged.
            body: Sent unchanged.
            once: Do not retry if no answer came; otherwise it retries, because the requests change nothing.
            dated: Gets how far the server's clock is ahead, by its answer.
        """

        def sent() -> bytes:
            self.requests += 1
            sent_at = datetime.now(UTC)
            response = self._http.request(method, url, headers=dict(headers or {}), body=body, redirect=False)
            if dated is not None:
                dated.append(clock_ahead(response.headers.get("Date", ""), sent_at, datetime.now(UTC)))
            if response.status >= 300:  # noqa: PLR2004 - redirects and errors
                raise ClientError(error_of(response), method)
            return response.data

        again = Retrying(
            retry=retry_if_exception_type(urllib3.exceptions.HTTPError),
            stop=stop_after_attempt(1 if once else ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        return self.ask(lambda: again(sent))

    def _stood_still(self) -> bool:
        if stood := self._standstill.found:
            self.gave_up = f"{stood}: locks and links ended meanwhile, so the run sent no more requests"
        return bool(stood)

    def _heed(self, found: Answer[T]) -> None:
        with self._lock:
            if found.code not in NO_ANSWER | BUSY:
                self._silent_in_a_row = 0
                return
            self._silent_in_a_row += 1
            if self._silent_in_a_row >= SILENT_AFTER and not self.gave_up:
                self.gave_up = (
                    f"the server gave no answer to {SILENT_AFTER} requests in a row (the last: {found.code}), "
                    "so the run sent no more requests"
                )


def clock_ahead(date: str, sent_at: datetime, answered_at: datetime) -> timedelta:
    """How far a server's clock is ahead of this machine's; zero if its `Date`, in whole seconds, fits this clock.

    Args:
        date: The answer's `Date` header.
        sent_at: When the request was sent.
        answered_at: When the answer came.
    """
    try:
        said = parsedate_to_datetime(date)
    except ValueError:
        return timedelta()
    if said.tzinfo is None:
        return timedelta()
    least, most = said - answered_at, said + timedelta(seconds=1) - sent_at
    return timedelta() if least <= timedelta() <= most else (least + most) / 2


def body_of(client: "S3Client", bucket: str, key: str, **more: Any) -> bytes:  # noqa: ANN401 - boto3's own arguments
    """An object's bytes, read to the end."""
    return client.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


class _Ending:
    """Ends a listing that does not end: whose pages are empty or begin alike, each with another token."""

    def __init__(self) -> None:
        self._first: object = None
        self._alike = 0

    def __call__(self, parsed: Mapping[str, Any], **_: object) -> None:
        """Look at one page."""
        entries = [
            entry for kind in ("Contents", "Versions", "DeleteMarkers", "Uploads") for entry in parsed.get(kind, ())
        ]
        first = [(entry.get("Key"), entry.get("VersionId"), entry.get("UploadId")) for entry in entries[:1]]
        self._alike = self._alike + 1 if parsed.get("IsTruncated") and first == self._first else 0
        self._first = first
        if self._alike > _PAGES_ALIKE:
            raise ValueError("the listing does not end")


def _stays(context: dict[str, Any], **_: object) -> None:
    """Mark the request as redirected already: a redirect leads out of the store that is verified, or to itself.

    botocore asks for the bucket's region at each redirect, which is redirected too.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def abort_upload(session: StoreSession, upload: tuple[str, str, str]) -> None:
    """Abort a multipart upload (bucket, key, upload id) as the verifier, and forget it."""
    verifier = session.target.deployment.plan.verifier
    if verifier is None:
        raise LookupError("the plan has no verifier identity")
    client, (bucket, key, upload_id) = session.client(verifier.name), upload
    session.ask(lambda: client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id))
    session.uploads.discard(upload)
