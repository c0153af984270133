"""Every session of botocore and boto3 that the packages make, and their plain HTTP sessions."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.httpsession import URLLib3Session, where

from infra.s3_client import new_session
from model import loaded_cas
from object_store import StoreConfig
from object_store import loaded_cas as of_the_adapter
from object_store.clients import listing_client
from sandbox.server.minio_iam_client import MinioIamClient
from verify.sdk import sdk_session

MAKERS: dict[str, Callable[[Any], Any]] = {
    "the program's": lambda ca: new_session(own_keys=True).create_client("s3", region_name="us-west-2", verify=ca),
    "the suite's": lambda ca: sdk_session().client("s3", region_name="us-west-2", verify=ca),
    "boto3's": lambda ca: loaded_cas.load_cas_once(boto3.session.Session()).client("iam", "us-west-2", verify=ca),
    "the adapter's": lambda ca: listing_client(
        StoreConfig(region="us-west-2", access_key_id="id", secret_access_key="secret"),
        None if ca is True else ca,
    ),
    "model's": lambda ca: loaded_cas.loaded_once(URLLib3Session(verify=ca)),
    "object_store's": lambda ca: of_the_adapter.loaded_once(URLLib3Session(verify=ca)),
    "the stand-in's": lambda ca: MinioIamClient("https://localhost", "id", "secret", ca)._session,
}


def http_of(made: Any) -> Any:  # noqa: ANN401 - a client, or its session
    """The session of HTTP beneath a client."""
    return made._endpoint.http_session if hasattr(made, "_endpoint") else made


@pytest.fixture(name="ca_file")
def _ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(name="loads")
def _loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The thread of each load into a context."""
    found: list[int] = []
    whole = ssl.SSLContext.load_verify_locations

    def noted(context: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401 - those of the method
        found.append(threading.get_ident())
        whole(context, *given, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_first_connection_alone_loads(name: str, ca_file: str, loads: list[int]) -> None:
    """The context of all connections loads the CAs once, and that of a proxy's connections does; no client does."""
    http = http_of(MAKERS[name](ca_file))
    assert not loads

    for manager in (http._manager, http._get_proxy_manager("http://localhost:1")):
        context = manager.connection_pool_kw["ssl_context"]
        for _ in range(3):
            context.load_verify_locations(ca_file, None, None)  # as urllib3 does
        assert context.cert_store_stats()["x509_ca"] == 1

    assert len(loads) == 2


@pytest.mark.parametrize("name", MAKERS)
def test_threads_wait_for_the_one_that_loads(name: str, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None goes on to its handshake before the CAs are there, and none loads beside another one."""
    whole, loading, go_on = ssl.SSLContext.load_verify_locations, threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(context: Any, *given: Any) -> None:  # noqa: ANN401 - those of the method
        loading.set()
        assert go_on.wait(60)
        whole(context, *given)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", slow)
    context = http_of(MAKERS[name](ca_file))._manager.connection_pool_kw["ssl_context"]

    def connect() -> None:
        context.load_verify_locations(ca_file, None, None)
        seen.append(context.cert_store_stats()["x509_ca"])

    threads = [threading.Thread(target=connect) for _ in range(2)]
    threads[0].start()
    assert loading.wait(60)
    threads[1].start()
    threads[1].join(0.05)
    assert not seen
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == [1, 1]


def test_public_cas_are_loaded() -> None:
    """Without a file, the SDK's own are."""
    http = http_of(MAKERS["the suite's"](True))  # noqa: FBT003 - botocore's
    context = http._manager.connection_pool_kw["ssl_context"]

    context.load_verify_locations(where(), None, None)
    assert context.cert_store_stats()["x509_ca"] > 50


def test_other_cas_are_loaded(ca_file: str, tmp_path: Path, loads: list[int]) -> None:
    """Only what is loaded already is left out."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    context = http_of(MAKERS["model's"](ca_file))._manager.connection_pool_kw["ssl_context"]

    for file in (ca_file, other, ca_file):
        context.load_verify_locations(str(file), None, None)
    assert context.cert_store_stats()["x509_ca"] == 2
    assert len(loads) == 2


@pytest.mark.parametrize("name", MAKERS)
def test_missing_cas_are_an_error_of_the_connection(name: str, tmp_path: Path) -> None:
    """The client can be made, and each connection says what is missing."""
    missing = str(tmp_path / "nothing.pem")
    context = http_of(MAKERS[name](missing))._manager.connection_pool_kw["ssl_context"]

    with pytest.raises(FileNotFoundError):
        context.load_verify_locations(missing, None, None)
