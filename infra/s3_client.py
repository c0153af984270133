"""botocore's S3 client for one server: private CA, path style if there is an endpoint, bounded retries.

The rule: keys go only to botocore and into no message. The CA is a file only while the client is open, because
botocore accepts nothing else. The caller chooses the keys.
"""

import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from model.environment import own_key_settings
from model.loaded_cas import load_cas_once

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5
CONNECT_SECONDS = 5
READ_SECONDS = 30
POOL = 16
# botocore's loader has no lock of its own: clients that are made at once would each parse the service's description.
_MAKING = Lock()


def new_session(*, own_keys: bool) -> "Session":
    """A botocore session that shares its description of the services with all other sessions of the process.

    Parsing the description takes five times as long as all other steps of creating a client.

    Args:
        own_keys: It signs with a key pair of the stack, so no profile and no variable of the machine counts
            (`model.environment`); otherwise it is a session of the SDK's own credential chain.
    """
    from botocore.session import Session  # noqa: PLC0415 - see `open_client`

    session = _unsteered() if own_keys else Session()
    session.register_component("data_loader", _description_of_services())
    return load_cas_once(session)


@cache
def _description_of_services() -> object:
    return _unsteered().get_component("data_loader")


def _unsteered() -> "Session":
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES  # noqa: PLC0415 - see `open_client`
    from botocore.session import Session  # noqa: PLC0415 - see `open_client`

    return Session(session_vars=own_key_settings(BOTOCORE_DEFAUT_SESSION_VARIABLES))


@contextmanager
def open_client(
    *, endpoint: str | None, region: str, ca_pem: str | None, access_key_id: str | None, secret_access_key: str | None
) -> "Iterator[S3Client]":
    """A client that is open as long as the context.

    Args:
        endpoint: The server's URL; None for AWS itself.
        region: The region that requests are signed for.
        ca_pem: Text of a CA bundle; None for the system's.
        access_key_id: The access key; both keys are None for the SDK's credential chain.
        secret_access_key: The secret key.
    """
    # Imported here: most previews do not need it, and both the program and its provider would have to import it.
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        s3=None if endpoint is None else {"addressing_style": "path"},
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=POOL,
    )
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_text(ca_pem or "", encoding="ascii")
        session = new_session(own_keys=access_key_id is not None)
        # On AWS the bundle of AWS_CA_BUNDLE counts, on another server only the stack's own.
        bundle = str(ca_file) if ca_pem else None if endpoint else session.get_config_variable("ca_bundle")
        with _MAKING:
            client: S3Client = session.create_client(  # type: ignore[assignment]  # its type stubs know no service
                "s3",
                endpoint_url=endpoint,
                region_name=region,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                verify=bundle or True,
                config=config,
            )
        if endpoint is not None:
            client.meta.events.register("before-call.s3", _signed_for_one_region)
        try:
            yield client
        finally:
            client.close()


def _signed_for_one_region(context: "MutableMapping[str, Any]", **_: object) -> None:
    """Mark the request as sent to another region already, so that botocore does not sign it again for one.

    A MinIO server names its region in its refusal. botocore would follow, but the plugin signs for the config's region.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True
