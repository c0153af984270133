"""infra.admin_api: the requests, the result of each answer, and failures on the way."""

import json
import logging
import ssl
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import FunctionType
from typing import Any

import pytest
import trustme

from infra import admin_api
from infra.admin_api import (
    ATTEMPTS,
    AdminApi,
    AdminApiError,
    AlreadyAppliedError,
    ClockSkewError,
    CredentialsRefusedError,
    InUseError,
    NotFoundError,
    TakenError,
    UnavailableError,
    VersionRefusedError,
    versions_spoken,
)
from sandbox.server.s3_actions import Cloud
from sandbox.server.temporary import RunningServer, running_server
from tests.infra.identity_server import (
    ADMIN,
    HOST,
    PASSWORD,
    Fault,
    IdentityServer,
    Reply,
    client,
    cut_short,
    encrypted,
    fail_afterwards,
    halve,
    html,
    lose_answer,
    refuse,
    reset,
    running,
)

RECORDED: dict[str, dict[str, Any]] = {
    call["call"]: call
    for call in map(
        json.loads,
        (Path(__file__).parents[1] / "sandbox" / "server" / "minio-admin-calls.jsonl")
        .read_text(encoding="utf-8")
        .splitlines(),
    )
}
USER = "joelclaw-local-worker"
ACCESS_KEY = "AAAABBBBCCCCDDDDEEEE"
USER_SECRET = "planted-user-secret"  # noqa: S105 - planted
ACCOUNT_SECRET = "planted-service-account-secret"  # noqa: S105 - planted
SECRETS = (PASSWORD, USER_SECRET, ACCOUNT_SECRET)
Call = Callable[[AdminApi], object]


def document(bucket: str) -> dict[str, Any]:
    """The recorded policy on a bucket."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": [f"arn:aws:s3:::joelclaw-local-usw2-{bucket}/*"],
            }
        ],
    }


RAW, DOCS = json.dumps(document("media-raw")), json.dumps(document("docs-raw"))
#: The client's methods, by the recorded call that each must repeat.
GONE = "delete service account again"
CALLS: dict[str, Call] = {
    "user info, unknown": lambda api: api.user(USER),
    "add user": lambda api: api.add_user(USER, "user-secret-0123456789"),
    "add the same user again, other secret": lambda api: api.add_user(USER, "user-secret-9876543210"),
    "add user, secret too short": lambda api: api.add_user("x-short", "abc"),
    "user info": lambda api: api.user(USER),
    "policy info, unknown": lambda api: api.policy(USER),
    "add policy": lambda api: api.put_policy(USER, RAW),
    "add policy again, changed": lambda api: api.put_policy(USER, DOCS),
    "add policy, unknown action": lambda api: api.put_policy(
        "bad", json.dumps(RECORDED["add policy, unknown action"]["request_plain"])
    ),
    "list service accounts of a user": lambda api: api.service_accounts(USER),
    "policy info": lambda api: api.policy(USER),
    "attach unknown policy": lambda api: api.attach(USER, "nope"),
    "attach to an unknown user": lambda api: api.attach("nobody", USER),
    "attach": lambda api: api.attach(USER, USER),
    "attach again": lambda api: api.attach(USER, USER),
    "user info with policy": lambda api: api.user(USER),
    "remove a policy that is attached": lambda api: api.remove_policy(USER),
    "add service account, keys chosen by the caller": lambda api: api.add_service_account(
        USER, RAW, ACCESS_KEY, "service-secret-0123456789abcdefghijklmno"
    ),
    "add the same service account again": lambda api: api.add_service_account(
        USER, RAW, ACCESS_KEY, "service-secret-0123456789abcdefghijklmno"
    ),
    "add service account, access key too long": lambda api: api.add_service_account(
        USER, RAW, "AAAAAAAAAAAAAAAAAAAAA", "service-secret-0123456789abcdefghijklmno"
    ),
    "add service account, secret too long": lambda api: api.add_service_account(
        USER, RAW, "AAAABBBBCCCCDDDDFFFF", "s" * 41
    ),
    "service account info": lambda api: api.service_account(ACCESS_KEY),
    "service account info, unknown": lambda api: api.service_account("AAAABBBBCCCCDDDDZZZZ"),
    "service account info after updates": lambda api: api.service_account(ACCESS_KEY),
    "delete service account": lambda api: api.delete_service_account(ACCESS_KEY),
    GONE: lambda api: api.delete_service_account(ACCESS_KEY),
    "user off": lambda api: api.set_user_status(USER, "disabled"),
    "user info, off": lambda api: api.user(USER),
    "user on": lambda api: api.set_user_status(USER, "enabled"),
    "detach": lambda api: api.detach(USER, USER),
    "detach again": lambda api: api.detach(USER, USER),
    "remove policy": lambda api: api.remove_policy(USER),
    "remove policy again": lambda api: api.remove_policy(USER),
    "remove user (its service accounts go with it)": lambda api: api.remove_user(USER),
    "remove user again": lambda api: api.remove_user(USER),
}
UPDATE = "update service account"
KINDS: dict[str, type[AdminApiError]] = {
    "XMinioAdminNoSuchUser": NotFoundError,
    "XMinioAdminNoSuchPolicy": NotFoundError,
    "XMinioInvalidIAMCredentials": NotFoundError,
    "XMinioAdminPolicyChangeAlreadyApplied": AlreadyAppliedError,
    "XMinioIAMPolicyInUse": InUseError,
    "XMinioIAMServiceAccountNotAllowed": TakenError,
    "SignatureDoesNotMatch": CredentialsRefusedError,
    "AccessDenied": CredentialsRefusedError,
    "XMinioAdminVersionMismatch": VersionRefusedError,
    "XMinioAdminInvalidSecretKey": AdminApiError,
    "XMinioAdminInvalidAccessKey": AdminApiError,
    "XMinioMalformedIAMPolicy": AdminApiError,
}


def command(call: dict[str, Any]) -> str:
    """The command of a recorded call."""
    return str(call["path"]).split("/", 4)[4]


def recorded_answer(call: dict[str, Any]) -> Reply:
    """The recorded answer."""
    if "response_encrypted" in call:
        return Reply(call["status"], encrypted(call["response_encrypted"]))
    found = call.get("error", call.get("response_plain"))
    return Reply(call["status"], b"" if found is None else json.dumps(found).encode())


def constant(reply: Reply) -> Fault:
    """Return a fixed value for each call."""
    return lambda _run: reply


@pytest.fixture(name="api")
def _api(identities: IdentityServer) -> Iterator[AdminApi]:
    with client(identities) as api:
        yield api


@pytest.fixture(name="with_user")
def _with_user(identities: IdentityServer, api: AdminApi) -> IdentityServer:
    """A server with a user and a policy, and no recorded requests."""
    api.add_user(USER, USER_SECRET)
    api.put_policy(USER, RAW)
    identities.asked.clear()
    return identities


class TestRecorded:
    """The calls that were recorded on a real server."""

    @pytest.mark.parametrize("name", CALLS)
    def test_call_is_sent_as_recorded(self, identities: IdentityServer, api: AdminApi, name: str) -> None:
        """Method, command, query and body equal the recorded ones, and the recorded answer is understood."""
        call = RECORDED[name]
        identities.fault(command(call), constant(recorded_answer(call)))
        error = call.get("error")
        if error:
            with pytest.raises(AdminApiError) as caught:
                CALLS[name](api)
            assert type(caught.value) is KINDS[error["Code"]]
            assert (caught.value.code, caught.value.status) == (error["Code"], call["status"])
            assert error["Message"] in str(caught.value)
        else:
            answer = CALLS[name](api)
            assert answer is None or answer in (call.get("response_plain"), call.get("response_encrypted"))

        asked, *more = identities.asked
        # If an account cannot be removed, the client asks whether it exists.
        assert [one.command for one in more] == (["info-service-account"] if name == GONE else [])
        assert (asked.method, asked.version, asked.command) == (call["method"], "v4", command(call))
        assert asked.query == call["query"]
        assert asked.body == call.get("request_encrypted", call.get("request_plain"))

    def test_refused_removal_does_not_pass_for_done(self, identities: IdentityServer, api: AdminApi) -> None:
        """If an admin may not remove an account, a real server says that it does not exist; the client checks that."""
        api.add_user(USER, USER_SECRET)
        api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET)
        identities.fault("delete-service-account", constant(recorded_answer(RECORDED[GONE])), times=2)
        with pytest.raises(CredentialsRefusedError, match="admin:RemoveServiceAccount"):
            api.delete_service_account(ACCESS_KEY)
        identities.fault("info-service-account", refuse(403, "AccessDenied", "no"))
        with pytest.raises(CredentialsRefusedError):
            api.delete_service_account(ACCESS_KEY)
        assert api.service_account(ACCESS_KEY)["parentUser"] == USER

    def test_account_is_updated_with_policy_and_status_together(
        self, identities: IdentityServer, api: AdminApi
    ) -> None:
        """One update replaces the two recorded ones, because the second of them removes the policy."""
        policy, off = RECORDED[f"{UPDATE}: policy"], RECORDED[f"{UPDATE}: off"]
        identities.fault("update-service-account", constant(recorded_answer(policy)))
        api.update_service_account(ACCESS_KEY, policy=DOCS, status="off")

        (asked,) = identities.asked
        assert (asked.method, asked.command, asked.query) == (policy["method"], command(policy), policy["query"])
        assert asked.body == {**policy["request_encrypted"], **off["request_encrypted"]}

    def test_every_command_of_the_client_was_recorded(self) -> None:
        """Every public method that sends something has a recorded call."""
        sent = {name for name, is_ in vars(AdminApi).items() if isinstance(is_, FunctionType) and name[0] != "_"}
        told: set[str] = set()

        class Told:
            def __getattr__(self, name: str) -> Callable[..., None]:
                told.add(name)
                return lambda *_a, **_k: None

        for call in CALLS.values():
            call(Told())  # type: ignore[arg-type]  # it notes names
        assert sent - told == {"update_service_account"}

    @pytest.mark.parametrize("name", [name for name, call in RECORDED.items() if "error" in call])
    def test_error_becomes_its_own_class(self, identities: IdentityServer, api: AdminApi, name: str) -> None:
        """For every command, a recorded error gets its class, code and status."""
        call = RECORDED[name]
        identities.fault("user-info", constant(recorded_answer(call)), times=2)
        with pytest.raises(AdminApiError) as caught:
            api.user(USER)

        assert type(caught.value) is KINDS[call["error"]["Code"]]
        assert (caught.value.code, caught.value.status) == (call["error"]["Code"], call["status"])

    def test_invalid_credentials_of_another_status_are_not_gone(
        self, identities: IdentityServer, api: AdminApi
    ) -> None:
        """The code of a missing account is also used for invalid keys, which do not mean a missing account."""
        identities.fault("info-service-account", refuse(400, "XMinioInvalidIAMCredentials"))
        with pytest.raises(AdminApiError) as caught:
            api.service_account(ACCESS_KEY)

        assert type(caught.value) is AdminApiError


class TestVersions:
    """Which version is used."""

    def test_newest_is_asked_first_and_kept(self, with_user: IdentityServer, api: AdminApi) -> None:
        """A server that supports v4 never gets a v3 request."""
        api.user(USER)
        api.policy(USER)

        assert {asked.version for asked in with_user.asked} == {"v4"}

    def test_older_one_is_found_out_once(self, identities: IdentityServer, api: AdminApi) -> None:
        """426 leads to v3, and the next call uses v3 at once."""
        identities.speaks = "v3"
        api.add_user(USER, USER_SECRET)
        api.user(USER)

        assert [asked.version for asked in identities.asked] == ["v4", "v3", "v3"]
        assert list(identities.users) == [USER]

    def test_neither_is_said(self, identities: IdentityServer, api: AdminApi) -> None:
        """The server's own message says which version it supports, at each request."""
        identities.speaks = "v5"
        for _ in range(2):
            with pytest.raises(VersionRefusedError, match="expects client requests with 'admin' API version 'v5'"):
                api.user(USER)

    def test_threads_find_out_at_the_same_time(self, identities: IdentityServer, api: AdminApi) -> None:
        """Several threads that get 426 at once all continue with v3."""
        threads = 4
        identities.speaks = "v3"
        barrier = Barrier(threads)

        def together(run: Callable[[], Reply]) -> Reply:
            barrier.wait(5)
            return run()

        identities.fault("add-user", together, times=threads)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda number: api.add_user(f"user-{number}", USER_SECRET), range(threads)))

        assert sorted(identities.users) == [f"user-{number}" for number in range(threads)]

    @pytest.mark.parametrize("speaks", ["v3", "v4"])
    def test_unsigned_question_tells(self, identities: IdentityServer, speaks: str) -> None:
        """403 means yes and 426 no."""
        identities.speaks = speaks

        assert versions_spoken(f"{identities.endpoint}/", None) == {speaks}
        assert {asked.command for asked in identities.asked} == {"info"}
        assert not any("Authorization" in asked.headers for asked in identities.asked)

    def test_unsigned_question_is_not_guessed(self, identities: IdentityServer) -> None:
        """Another answer, or none, is an error."""
        identities.fault("info", html(200))
        with pytest.raises(UnavailableError, match="this is not an answer of a MinIO server"):
            versions_spoken(identities.endpoint, None)
        identities.fault("info", reset)
        with pytest.raises(UnavailableError, match="NoAnswer"):
            versions_spoken(identities.endpoint, None)


class TestSignature:
    """The server recomputes every signature with botocore."""

    @pytest.mark.parametrize("name", ["a b", "a/b", "a=b&c", "a+b", "a~b", "ä%41", "e:f"])
    def test_awkward_name_is_signed_right(self, with_user: IdentityServer, api: AdminApi, name: str) -> None:
        """The query is signed in the spelling in which it is sent."""
        api.put_policy(name, RAW)

        assert api.policy(name) == document("media-raw")
        assert [asked.query for asked in with_user.asked] == [{"name": name}] * 2

    def test_wrong_password_is_refused_at_once(self, with_user: IdentityServer) -> None:
        """There is one attempt, and the error says what to check."""
        with client(with_user, "another-password") as api, pytest.raises(CredentialsRefusedError) as caught:
            api.user(USER)

        assert "object-store:adminUser, adminPassword" in str(caught.value)
        assert with_user.commands() == ["user-info"]
        assert "another-password" not in traceback.format_exc()


class TestFaults:
    """Failures on the way."""

    @pytest.mark.parametrize(
        "fault",
        [refuse(500), refuse(502), refuse(503), html(502), reset, cut_short],
        ids=["500", "502", "503", "page", "reset", "cut short"],
    )
    def test_passing_fault_is_got_over(self, with_user: IdentityServer, api: AdminApi, fault: Fault) -> None:
        """A fault that ends within the attempts is not an error."""
        with_user.fault("user-info", fault, times=ATTEMPTS - 1)

        assert api.user(USER)["status"] == "enabled"
        assert len(with_user.asked) == ATTEMPTS

    @pytest.mark.parametrize(
        ("fault", "status"),
        [(refuse(503), 503), (html(502), 502), (html(200), 200), (reset, 0), (cut_short, 0)],
        ids=["503", "page of a gateway", "page", "reset", "cut short"],
    )
    def test_lasting_fault_ends(self, with_user: IdentityServer, api: AdminApi, fault: Fault, status: int) -> None:
        """After the last attempt the error is raised, with the status if there was one."""
        with_user.fault("user-info", fault, times=ATTEMPTS + 1)
        with pytest.raises(UnavailableError, match="user-info") as caught:
            api.user(USER)

        assert caught.value.status == status
        assert len(with_user.asked) == ATTEMPTS

    @pytest.mark.parametrize(
        "fault",
        [refuse(503), reset, fail_afterwards, lose_answer],
        ids=["503", "reset", "503 though made", "reset though made"],
    )
    def test_user_is_made_once(self, identities: IdentityServer, api: AdminApi, fault: Fault) -> None:
        """Whether or not the first attempt succeeded, one user with the one secret key exists in the end."""
        identities.fault("add-user", fault)
        api.add_user(USER, USER_SECRET)

        assert {name: user.secret_key for name, user in identities.users.items()} == {USER: USER_SECRET}
        assert [asked.body["secretKey"] for asked in identities.asked] == [USER_SECRET] * 2

    @pytest.mark.parametrize("fault", [refuse(503), reset], ids=["503", "reset"])
    def test_account_is_made_once(self, with_user: IdentityServer, api: AdminApi, fault: Fault) -> None:
        """A failed request is repeated with the same keys."""
        with_user.fault("add-service-account", fault)
        api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET)

        assert {key: one.secret_key for key, one in with_user.accounts.items()} == {ACCESS_KEY: ACCOUNT_SECRET}
        assert with_user.asked[0].body == with_user.asked[1].body

    @pytest.mark.parametrize("fault", [fail_afterwards, lose_answer])
    def test_account_that_was_made_unheard_is_taken(
        self, with_user: IdentityServer, api: AdminApi, fault: Fault
    ) -> None:
        """The next attempt finds its own account; the caller checks its owner."""
        with_user.fault("add-service-account", fault)
        with pytest.raises(TakenError):
            api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET)

        assert list(with_user.accounts) == [ACCESS_KEY]

    def test_attachment_that_was_made_unheard_is_applied(self, with_user: IdentityServer, api: AdminApi) -> None:
        """The next attempt gets the answer that the policy is already attached."""
        with_user.fault("idp/builtin/policy/attach", lose_answer)
        with pytest.raises(AlreadyAppliedError):
            api.attach(USER, USER)

        assert with_user.users[USER].policies == [USER]

    def test_json_that_is_cut_is_no_answer(self, with_user: IdentityServer, api: AdminApi) -> None:
        """A truncated object is an error."""
        calls: dict[str, Call] = {
            "user-info": lambda api: api.user(USER),
            "info-canned-policy": lambda api: api.policy(USER),
        }
        for name, call in calls.items():
            with_user.fault(name, halve)
            with pytest.raises(UnavailableError, match=r"UnreadableAnswer: the answer is not a JSON object"):
                call(api)

    @pytest.mark.parametrize("length", [0, 20, 41, 60])
    def test_encrypted_answer_that_is_cut_is_no_answer(
        self, with_user: IdentityServer, api: AdminApi, length: int
    ) -> None:
        """An answer truncated in its header, after it, or in its middle is an error."""
        api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET)
        with_user.fault("info-service-account", lambda run: Reply(200, run().body[:length]))
        with pytest.raises(UnavailableError, match="UnreadableAnswer"):
            api.service_account(ACCESS_KEY)

    def test_answer_of_another_secret_is_no_answer(self, with_user: IdentityServer, api: AdminApi) -> None:
        """An answer that cannot be decrypted is an error."""
        with_user.fault("info-service-account", constant(Reply(200, encrypted({}, "another-password"))))
        with pytest.raises(UnavailableError, match="encrypted with another secret"):
            api.service_account(ACCESS_KEY)

    def test_clock_is_named(self, with_user: IdentityServer, api: AdminApi) -> None:
        """A wrong clock is reported without a retry."""
        with_user.fault("user-info", refuse(403, "RequestTimeTooSkewed", "The difference is too large"))
        with pytest.raises(ClockSkewError, match="timedatectl set-ntp true"):
            api.user(USER)

        assert with_user.commands() == ["user-info"]

    @pytest.mark.parametrize("status", [200, 404])
    def test_page_of_a_proxy_is_no_answer(self, with_user: IdentityServer, api: AdminApi, status: int) -> None:
        """A page is not a success for a command with an empty answer, and a page's 404 is not a missing user."""
        with_user.fault("add-user", html(status), times=ATTEMPTS)
        with pytest.raises(AdminApiError, match="is there a proxy in front of it") as caught:
            api.add_user("another", USER_SECRET)

        assert not isinstance(caught.value, NotFoundError)
        assert "another" not in with_user.users

    def test_redirect_is_not_followed(self, with_user: IdentityServer, api: AdminApi) -> None:
        """Signed requests and encrypted bodies go only to the configured server."""
        with running(IdentityServer()) as other:
            location = (("Location", f"{other.endpoint}/minio/admin/v4/user-info?accessKey={USER}"),)
            with_user.fault("user-info", constant(Reply(307, b"", location)))
            with pytest.raises(AdminApiError, match="HTTP 307"):
                api.user(USER)

            assert other.asked == []

    def test_proxy_of_the_environment_is_gone_through(
        self, identities: IdentityServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client uses it like all clients of the project; it connects directly to hosts in the exceptions."""
        monkeypatch.setenv("http_proxy", identities.endpoint)
        monkeypatch.delenv("NO_PROXY", raising=False)
        behind = IdentityServer()
        behind.endpoint = f"http://{HOST}:1"
        for excepted in ("", HOST):
            monkeypatch.setenv("no_proxy", excepted)
            identities.fault("user-info", refuse(404, "XMinioAdminNoSuchUser"))
            with client(behind) as api, pytest.raises(UnavailableError if excepted else NotFoundError):
                api.user(USER)

        assert identities.commands() == ["user-info"]

    def test_nobody_there_is_said(self, no_pauses: None) -> None:  # noqa: ARG002 - for its effect
        """A port without a listener is reported."""
        nobody = IdentityServer()
        nobody.endpoint = f"http://{HOST}:1"
        with client(nobody) as api, pytest.raises(UnavailableError, match=r"http://127.0.0.1:1: .*refused"):
            api.user(USER)


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="tls_server")
def _tls_server(authority: trustme.CA, no_pauses: None) -> Iterator[IdentityServer]:  # noqa: ARG001 - for its effect
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with running(IdentityServer(), context) as server:
        yield server


class TestTls:
    """A server with a certificate of a private CA."""

    def test_private_authority_is_trusted(self, tls_server: IdentityServer, authority: trustme.CA) -> None:
        """The client trusts the CA by the text of its certificate."""
        pem = authority.cert_pem.bytes().decode()
        with client(tls_server, ca_pem=pem) as api:
            api.add_user(USER, USER_SECRET)

        assert list(tls_server.users) == [USER]
        assert versions_spoken(tls_server.endpoint, pem) == {"v4"}

    @pytest.mark.parametrize("other", [True, False], ids=["another authority", "the system's"])
    def test_other_authority_is_refused(self, tls_server: IdentityServer, *, other: bool) -> None:
        """Nothing is sent to a server with an untrusted certificate."""
        pem = trustme.CA().cert_pem.bytes().decode() if other else None
        with client(tls_server, ca_pem=pem) as api, pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            api.add_user(USER, USER_SECRET)

        assert tls_server.asked == []
        with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            versions_spoken(tls_server.endpoint, pem)


class TestSecrets:
    """Secrets that must not be shown."""

    def test_representation_shows_none(self, api: AdminApi) -> None:
        """Neither the client's representation nor that of its attributes shows the password."""
        assert PASSWORD not in repr(api)
        assert PASSWORD not in str(api)

    @pytest.mark.parametrize(
        "fault",
        [
            refuse(400, "XMinioAdminInvalidSecretKey", "The secret key is invalid."),
            refuse(403, "SignatureDoesNotMatch"),
            refuse(503),
            html(200),
            html(502),
            reset,
            cut_short,
            halve,
            constant(Reply(302)),
        ],
        ids=["400", "403", "503", "page", "page of a gateway", "reset", "cut short", "halved", "redirect"],
    )
    def test_no_error_and_no_log_tells_one(
        self, with_user: IdentityServer, api: AdminApi, fault: Fault, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No text, representation, traceback or chained exception, and no log at DEBUG, contains a secret."""
        caplog.set_level(logging.DEBUG)
        api.add_service_account(USER, RAW, "BBBBBBBBBBBBBBBBBBBB", ACCOUNT_SECRET)
        calls: dict[str, Call] = {
            "add-user": lambda api: api.add_user(USER, USER_SECRET),
            "add-service-account": lambda api: api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET),
            "info-service-account": lambda api: api.service_account("BBBBBBBBBBBBBBBBBBBB"),
        }
        said: list[str] = []
        for name, call in calls.items():
            with_user.fault(name, fault, times=ATTEMPTS)
            try:
                call(api)
            except AdminApiError as error:
                said += _everything(error)

        assert said
        assert caplog.records
        said += [record.getMessage() for record in caplog.records] + [repr(vars(record)) for record in caplog.records]
        for secret in SECRETS:
            assert not any(secret in text for text in said)


def _everything(error: BaseException) -> list[str]:
    said = ["".join(traceback.format_exception(error)), "".join(traceback.format_exception(error, chain=True))]
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            said += [str(one), repr(one), repr(vars(one)), repr(one.args)]
            waiting += [one.__cause__, one.__context__]
    return said


@pytest.fixture(name="served", scope="module", params=["v3", "v4"])
def _served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp(f"admin-{request.param}")
    with running_server(Cloud.AISTOR, folder, admin_api=request.param) as server:
        yield server


class TestSandbox:
    """The sandbox's own server, for both versions, which also checks signatures and permissions."""

    def test_whole_life_of_an_identity(self, served: RunningServer) -> None:
        """User, policy, attachment and account are created, read, changed and removed."""
        with AdminApi(
            endpoint=served.endpoint,
            region=served.region,
            ca_pem=Path(served.ca_bundle).read_text(encoding="utf-8"),
            access_key_id=served.admin.user,
            secret_access_key=served.admin.password,
        ) as api:
            api.add_user(USER, USER_SECRET)
            api.put_policy(USER, RAW)
            api.attach(USER, USER)
            assert (api.user(USER)["status"], api.user(USER)["policyName"]) == ("enabled", USER)
            api.add_service_account(USER, RAW, ACCESS_KEY, ACCOUNT_SECRET)
            api.update_service_account(ACCESS_KEY, policy=DOCS, status="off")
            found = api.service_account(ACCESS_KEY)
            assert (found["parentUser"], found["accountStatus"], found["impliedPolicy"]) == (USER, "off", False)
            assert json.loads(found["policy"]) == document("docs-raw")
            with pytest.raises(InUseError):
                api.remove_policy(USER)
            api.delete_service_account(ACCESS_KEY)
            api.detach(USER, USER)
            api.remove_policy(USER)
            api.remove_user(USER)
            missing: list[Call] = [
                lambda api: api.user(USER),
                lambda api: api.policy(USER),
                lambda api: api.service_account(ACCESS_KEY),
            ]
            for call in missing:
                with pytest.raises(NotFoundError):
                    call(api)

    def test_wrong_password_and_unknown_admin_are_refused(self, served: RunningServer) -> None:
        """The refusals equal those of a real server."""
        pem = Path(served.ca_bundle).read_text(encoding="utf-8")
        for user, password in ((served.admin.user, "another-password"), (ADMIN, PASSWORD)):
            with (
                AdminApi(
                    endpoint=served.endpoint,
                    region=served.region,
                    ca_pem=pem,
                    access_key_id=user,
                    secret_access_key=password,
                ) as api,
                pytest.raises(CredentialsRefusedError),
            ):
                api.user(USER)


def test_pauses_are_bounded() -> None:
    """All pauses between attempts together take less than ten seconds."""
    assert (ATTEMPTS - 1) * admin_api.LONGEST_PAUSE_SECONDS < 10
