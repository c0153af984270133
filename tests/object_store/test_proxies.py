"""Both clients of a store go the same way: through the proxy that the environment names, or past it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import object_store
from object_store import ConfigurationError
from object_store.proxies import Proxies
from tests.object_store.conftest import config_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from object_store import ObjectStore
    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

LISTING = (
    b"<ListBucketResult><IsTruncated>false</IsTruncated>"
    b'<Contents><Key>k</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>'
)
HALVES: dict[str, Callable[[ObjectStore], object]] = {
    "urllib3": lambda store: store.download("probe", "k"),
    "botocore": lambda store: list(store.list("probe")),
}
either_half = pytest.mark.parametrize("half", HALVES)
DEAD = "http://127.0.0.1:9"


@pytest.fixture(name="listening")
def _listening(scripted: ScriptedServer, answer: type[Answer]) -> ScriptedServer:
    scripted.always(answer(body=LISTING, headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}))
    return scripted


@either_half
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_both_halves_use_the_proxy(
    listening: ScriptedServer, store_at: MakeStore, monkeypatch: pytest.MonkeyPatch, half: str, variable: str
) -> None:
    """The proxy gets the whole URL, and its user and password."""
    monkeypatch.setenv(variable, listening.endpoint.replace("//", "//us%40er:pass@"))

    HALVES[half](store_at("http://store.invalid", max_retries=0))

    assert listening.seen[0].path.startswith("http://store.invalid/probe")
    assert listening.seen[0].headers["proxy-authorization"] == "Basic dXNAZXI6cGFzcw=="


@either_half
@pytest.mark.parametrize("past", ["127.0.0.0/8", "127.0.0.1", "*", "other.example, 127.0.0.1"])
def test_both_halves_pass_the_proxy_by(
    listening: ScriptedServer, store_at: MakeStore, monkeypatch: pytest.MonkeyPatch, half: str, past: str
) -> None:
    """NO_PROXY with a range too; no other variable brings the proxy back."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_PROXY_URL"):
        monkeypatch.setenv(variable, DEAD)
    monkeypatch.setenv("NO_PROXY", past)

    HALVES[half](store_at(listening.endpoint, max_retries=0))

    assert listening.seen


@either_half
@pytest.mark.parametrize("endpoint", ["https://store.invalid", "http://store.invalid"])
def test_error_names_the_proxy(store_at: MakeStore, monkeypatch: pytest.MonkeyPatch, half: str, endpoint: str) -> None:
    """A proxy that does not listen: the message names it, its variable and NO_PROXY, never its password."""
    variable = f"{endpoint.partition(':')[0].upper()}_PROXY"
    monkeypatch.setenv(variable, DEAD.replace("//", "//user:planted@"))

    with pytest.raises(object_store.EndpointUnreachable) as unreachable:
        HALVES[half](store_at(endpoint, max_retries=0))

    assert f"{endpoint} (through the proxy {DEAD} of {variable})" in str(unreachable.value)
    assert "NO_PROXY" in str(unreachable.value)
    assert "planted" not in str(unreachable.value)


@either_half
@pytest.mark.parametrize(
    ("endpoint", "status"),
    [("https://store.invalid", 407), ("https://store.invalid", 502), ("http://store.invalid", 407)],
)
def test_refusal_of_the_proxy_is_not_the_servers(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    monkeypatch: pytest.MonkeyPatch,
    half: str,
    endpoint: str,
    status: int,
) -> None:
    """It wants a password, or opens no tunnel: the server was not reached."""
    scripted.always(answer(status, b"<html>"))
    monkeypatch.setenv("ALL_PROXY", scripted.endpoint)

    with pytest.raises(object_store.EndpointUnreachable, match=r"the proxy (wants|lets|cannot)"):
        HALVES[half](store_at(endpoint, max_retries=0))


@pytest.mark.parametrize(
    ("entry", "host", "past"),
    [
        ("store.example", "store.example", True),
        (".store.example", "store.example", True),
        ("*.example", "store.example", True),
        ("example", "store.example", True),
        ("ample", "store.example", False),
        ("STORE.example", "store.example", True),
        ("store.example:443", "store.example", True),
        ("store.example:444", "store.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "store.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::1]", True),
        ("[fd00::1]:443", "[fd00::1]", True),
        ("[fd00::1]:9", "[fd00::1]", False),
        ("::1", "[::1]", True),
        ("*", "[::1]", True),
        (" , ,", "store.example", False),
        ("10.0.0.0/99", "10.0.0.1", False),
    ],
)
def test_entry_of_no_proxy(entry: str, host: str, past: bool) -> None:  # noqa: FBT001  # the table's last column
    """Names with all names below them, addresses, ranges and ports."""
    proxies = Proxies.named_in({"HTTPS_PROXY": DEAD, "NO_PROXY": entry})

    assert (proxies.of(f"https://{host}") is None) is past


@pytest.mark.parametrize(
    ("endpoint", "environ", "variable"),
    [
        ("https://store", {"HTTP_PROXY": DEAD}, None),
        ("http://store", {"HTTPS_PROXY": DEAD}, None),
        ("https://store", {"HTTPS_PROXY": "", "ALL_PROXY": DEAD}, "ALL_PROXY"),
        ("https://store", {"HTTPS_PROXY": "http://upper:1", "https_proxy": DEAD}, "HTTPS_PROXY"),
        ("https://store", {"HTTPS_PROXY": "127.0.0.1:9"}, "HTTPS_PROXY"),
    ],
)
def test_which_variable_counts(endpoint: str, environ: dict[str, str], variable: str | None) -> None:
    """The scheme's own before ALL_PROXY, small letters first, an empty one as if not set, and a bare host."""
    proxy = Proxies.named_in(environ).of(endpoint)

    assert (proxy and proxy.shown) == (f"{DEAD} of {variable}" if variable else None)


def test_aws_has_a_proxy_too() -> None:
    """Without an endpoint the region's host decides."""
    named = Proxies.named_in({"HTTPS_PROXY": DEAD})

    assert config_for(None, proxies=named).proxy is not None
    past = Proxies.named_in({"HTTPS_PROXY": DEAD, "NO_PROXY": ".amazonaws.com"})
    assert config_for(None, proxies=past).proxy is None


@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:9",
        "https://127.0.0.1:9",
        "http://",
        "http://a_b:9",
        "http://proxy:99999",
        "http://p/x",
        "a\nb",
        "é",
    ],
)
def test_proxy_that_the_halves_cannot_share(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """It is refused when the store is configured, with the variable and what to write."""
    monkeypatch.setenv("HTTPS_PROXY", value)

    with pytest.raises(
        ConfigurationError, match=r"(?s)HTTPS_PROXY.*legal: http://\[USER:PASSWORD@\]HOST.*NO_PROXY=store"
    ):
        config_for("https://store")


@pytest.mark.parametrize(
    ("user", "headers"), [("us%40er:pass@", {"Proxy-Authorization": "Basic dXNAZXI6cGFzcw=="}), ("", {})]
)
def test_user_of_a_proxy_as_a_header(user: str, headers: dict[str, str]) -> None:
    """For `verify`'s plain HTTP: urllib3 does not take it from the URL."""
    proxy = Proxies.named_in({"HTTPS_PROXY": f"http://{user}proxy:9"}).of("https://store")

    assert proxy is not None
    assert proxy.headers == headers


def test_password_of_a_proxy_stays_secret() -> None:
    """It is neither in the repr nor in an error, and the command's screen hides it."""
    named = Proxies.named_in({"HTTPS_PROXY": "http://user:planted%2Fword@proxy:9"})
    config = config_for("https://store", proxies=named)

    assert "planted" not in repr(config) + repr(config.proxy)
    assert {"planted%2Fword", "planted/word"} <= set(config.secrets())
    with pytest.raises(ConfigurationError) as refused:
        config_for("https://store", proxies=Proxies.named_in({"HTTPS_PROXY": "socks5://user:planted@proxy"}))
    assert "planted" not in str(refused.value)
