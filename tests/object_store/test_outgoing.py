"""What leaves in a header, a URL or a path is checked first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import object_store
from object_store import ObjectRef, ObjectStore
from object_store.outgoing import Form, fault_of
from tests.object_store.conftest import SECRET_KEY, config_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.object_store.conftest import MakeStore

CALLS: dict[str, tuple[type[object_store.ObjectStoreError], Callable[[ObjectStore], object]]] = {
    "etag with a control character": (
        object_store.InvalidReference,
        lambda store: store.download("probe", "k", etag="a\x01"),
    ),
    "etag of two lines": (object_store.InvalidReference, lambda store: store.stream("probe", "k", etag="a\nb")),
    "etag that is not ASCII": (object_store.InvalidReference, lambda store: store.fetch("probe", "k", etag="é")),
    "etag in its quotes": (object_store.InvalidReference, lambda store: store.download("probe", "k", etag='"a"')),
    "etag that is empty": (object_store.InvalidReference, lambda store: store.download("probe", "k", etag="")),
    "surrogate in an etag": (object_store.InvalidReference, lambda store: store.download("probe", "k", etag="\ud800")),
    "surrogate in a key": (object_store.InvalidKey, lambda store: store.head("probe", "a/\udcff")),
    "surrogate in a prefix": (object_store.InvalidKey, lambda store: store.list("probe", "\ud800")),
    "endless prefix": (object_store.InvalidKey, lambda store: store.list("probe", "x" * 1025)),
    "number to list after": (object_store.InvalidKey, lambda store: store.list("probe", after=3)),  # type: ignore[arg-type]
    "surrogate to list after": (object_store.InvalidKey, lambda store: store.list("probe", after="\ud800")),
    "backslash in a key": (object_store.InvalidKey, lambda store: store.upload("probe", "a\\b", b"")),
    "dots in a bucket": (object_store.InvalidBucketName, lambda store: store.head("a..b", "k")),
    "address as a bucket": (object_store.InvalidBucketName, lambda store: store.list("192.168.1.1")),
    "line break in metadata": (
        object_store.InvalidMetadata,
        lambda store: store.upload("probe", "k", b"", metadata={"a": "b\r\nc"}),
    ),
    "surrogate in metadata": (
        object_store.InvalidMetadata,
        lambda store: store.upload("probe", "k", b"", metadata={"a": "\ud800"}),
    ),
    "content type with a space at its end": (
        object_store.InvalidContentType,
        lambda store: store.upload("probe", "k", b"", "text/plain; "),
    ),
    "content type of two lines": (
        object_store.InvalidContentType,
        lambda store: store.upload("probe", "k", b"", "text/plain\nx: y"),
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_value_that_no_request_can_hold_is_refused(store_at: MakeStore, call: str) -> None:
    """The error is the argument's own, and nothing was sent: nothing listens there."""
    error, action = CALLS[call]

    with pytest.raises(error, match="legal: "):
        action(store_at("http://127.0.0.1:9", max_retries=0))


@pytest.mark.parametrize("etag", ["a\x01", "é", 'a"b', "a b", "\x7f"])
def test_etag_of_a_reference(etag: str) -> None:
    """A reference of an event holds only what can be a header."""
    content = {"bucket": "probe", "key": "k", "etag": etag, "size": 1, "contentType": None}

    with pytest.raises(object_store.InvalidReference, match="etag"):
        ObjectRef.parse(content)


@pytest.mark.parametrize("field", ["access_key_id", "secret_access_key", "session_token", "region"])
@pytest.mark.parametrize("value", ["abc\n", "a b", "é", "\ud800", "a\x00", "", 7], ids=repr)
def test_setting_that_becomes_a_header(field: str, value: Any) -> None:  # noqa: ANN401  # any value
    """The variable is named, a secret is not shown."""
    with pytest.raises(object_store.ConfigurationError, match="AWS_") as refused:
        config_for("https://127.0.0.1:9", **{field: value})

    assert "abc" not in str(refused.value) or field == "region"


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("https://minio_1:9", "'_'"),
        ("https://bücher.example:9", "export|xn--bcher-kva.example"),
        ("https://xn--a.example", "encodes no name"),
        ("https://ho%41st", "letters, digits"),
        ("https://[::1%25eth0]:9", "no host"),
        ("https://store.example.:9", "ends in a dot"),
        ("https://a..b", "1 to 63"),
        ("https://-a", "letters, digits"),
        ("https://" + "a" * 64, "1 to 63"),
        ("https://" + ".".join(["a" * 60] * 5), "no host"),
        ("https://127.1:9", "four numbers"),
        ("https://0x7f000001", "four numbers"),
        ("https://store:", "no host"),
        ("https://store:99999", "65535"),
        ("https://store:0", "no host"),
        ("https://user@store", "user or password"),
        ("https://store?x=1", "query"),
        ("https://store#x", "fragment"),
        ("https://store\\x", "no host"),
        ("https://sto\tre", "no host"),
        (b"https://store", "not str"),
    ],
)
@pytest.mark.parametrize("field", ["endpoint", "client_endpoint"])
def test_endpoint_that_the_clients_read_differently(field: str, endpoint: Any, fault: str) -> None:  # noqa: ANN401
    """Each is one ConfigurationError that says what is wrong and names the variable."""
    with pytest.raises(object_store.ConfigurationError, match=f"^S3_(CLIENT_)?ENDPOINT.*({fault}).*legal: "):
        config_for(**{"endpoint": "https://store", field: endpoint})


@pytest.mark.parametrize("endpoint", ["HTTPS://Store.Example:9/", "https://[::1]:9", "https://xn--bcher-kva.example"])
def test_endpoint_is_kept_in_one_spelling(endpoint: str) -> None:
    """A scheme in capitals is TLS too: the CA is read, and plain HTTP is not allowed."""
    config = config_for(endpoint)

    assert config.endpoint == endpoint.lower().rstrip("/")
    assert config.is_tls


def test_spellings_of_one_server_agree() -> None:
    """The default port, capitals and a closing slash make no other server."""
    environ = {
        "S3_ENDPOINT": "https://store.example",
        "S3_ENDPOINT_URL": "https://STORE.example:443/",
        "AWS_REGION": "usw2",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }

    assert object_store.StoreConfig.from_environment(environ).endpoint == "https://store.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_retries", -1), ("max_retries", True), ("connect_timeout", 2.0), ("stall_timeout", -1)],
)
def test_limit_that_no_client_takes(name: str, value: Any) -> None:  # noqa: ANN401  # any value
    """A negative number of retries, or a time that is none, is refused with the setting's name."""
    with pytest.raises(object_store.ConfigurationError, match=f"^{name} is .*legal: "):
        config_for("https://store", **{name: value})


@pytest.mark.parametrize("form", Form)
def test_fault_never_holds_the_value(form: Form) -> None:
    """The value may be a secret."""
    for value in (f"{SECRET_KEY}\n", f"{SECRET_KEY}\ud800", f"{SECRET_KEY} "):
        assert SECRET_KEY not in str(fault_of(value, form))


def test_interruption_passes_unchanged(store_at: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the program is not an error of the store."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("object_store.store.Wire", interrupted)

    with pytest.raises(KeyboardInterrupt):
        store_at("http://127.0.0.1:9").download("probe", "k")
