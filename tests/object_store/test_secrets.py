"""No secret shows in anything that a person or a log may see, even if the server repeats it."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

import object_store
from object_store import ObjectStore, ObjectStoreError, StoreConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

SECRET = "planted/secret+that=nobody-may-see"  # noqa: S105  # planted, to be searched for
TOKEN = "planted-token/that=nobody-may-see"  # noqa: S105  # likewise

OPERATIONS: dict[str, Callable[[ObjectStore], object]] = {
    "upload": lambda store: store.upload("probe", "k", b"body"),
    "download": lambda store: store.download("probe", "k"),
    "head": lambda store: store.head("probe", "k"),
    "list": lambda store: next(store.list("probe")),
    "delete": lambda store: store.delete_object("probe", "k"),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def _everything_shown(error: BaseException) -> str:
    """All that a handler could print of an error: its text, its parts, and its chain."""
    shown, chain = [repr(vars(error))], error
    while True:
        shown += [str(chain), repr(chain), *traceback.format_exception(chain)]
        following = chain.__cause__ or chain.__context__  # the context also where `from None` hides it
        if following is None:
            return "".join(shown)
        chain = following


def _assert_clean(shown: str) -> None:
    for secret in (SECRET, TOKEN):
        for form in (secret, quote(secret, safe=""), quote(secret)):
            assert form not in shown
    assert "X-Amz-Signature=" not in shown.replace("X-Amz-Signature=***", "")


@every_operation
def test_server_that_repeats_the_secrets(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    caplog: pytest.LogCaptureFixture,
    operation: str,
) -> None:
    """Secret and token in a server's message, plain and escaped, and a signed URL, become asterisks."""
    caplog.set_level(logging.INFO)
    message = f"you: {SECRET} {quote(SECRET, safe='')} {TOKEN} {quote(TOKEN)} https://h/k?X-Amz-Signature=abc123&amp;x"
    scripted.always(answer.refusal(403, "SignatureDoesNotMatch", message))

    with pytest.raises(object_store.BadCredentials) as refused:
        OPERATIONS[operation](store_at(scripted.endpoint, session_token=TOKEN))

    shown = _everything_shown(refused.value) + caplog.text
    _assert_clean(shown)
    assert "you: *** *** *** *** https://h/k?X-Amz-Signature=***&x" in shown


@every_operation
def test_server_that_sends_them_where_nobody_looks(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, operation: str
) -> None:
    """In the code, in headers, in a body that is not an S3 error: none of them shows."""
    for script in (
        answer.refusal(400, f"Code{SECRET}"),
        answer(403, f"<html>{SECRET}{TOKEN}</html>".encode(), {"X-Echo": SECRET}),
        answer(200, f"{SECRET}{TOKEN}".encode(), {"X-Echo": SECRET}),
    ):
        scripted.always(script)
        try:
            OPERATIONS[operation](store_at(scripted.endpoint, session_token=TOKEN, max_retries=0))
        except ObjectStoreError as error:
            _assert_clean(_everything_shown(error))


@every_operation
def test_raw_error_does_not_hang_on_ours(store_at: MakeStore, operation: str) -> None:
    """It is neither the cause nor the context: a reporter that walks them finds nothing."""
    with pytest.raises(object_store.EndpointUnreachable) as unreachable:
        OPERATIONS[operation](store_at("http://127.0.0.1:9", max_retries=0))

    assert unreachable.value.__cause__ is None
    assert unreachable.value.__context__ is None
    _assert_clean(_everything_shown(unreachable.value))


def test_store_and_its_clients_show_none(store_at: MakeStore) -> None:
    """This holds for the repr of store, configuration and connections."""
    store = store_at("http://127.0.0.1:9", session_token=TOKEN)
    wire = store._wires()

    _assert_clean(repr((store, store.config, wire, vars(wire))))


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_REGION": "", "AWS_ACCESS_KEY_ID": "a"},
        {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": " "},
        {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": f"{SECRET}\n"},
        {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "S3_ENDPOINT": f"https://u:{quote(SECRET, safe='')}@h"},
        {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "S3_CA_BUNDLE": "absent.pem"},
    ],
    ids=["region", "key", "secret", "endpoint", "ca"],
)
def test_refused_configuration_shows_none(environ: dict[str, str]) -> None:
    """For any fault of a configuration, the message does not show its secret."""
    with pytest.raises(object_store.ConfigurationError) as refused:
        StoreConfig.from_environment({"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN} | environ)

    _assert_clean(_everything_shown(refused.value))
