"""Replays recorded calls of the real pulumi-minio against the stand-in, and compares the answers.

The one rule: the stand-in gets the same requests over the same protocol and must give the same answers. A placeholder
replaces each free value (secrets, access keys, the time in an id, the server's order of the actions of a policy), and
one placeholder is one value throughout. Left out: `__pulumi_raw_state_delta`, the bridge's own note in the state.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import grpc
from botocore.config import Config
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.server.minio_iam_client import MinioIamClient
from sandbox.standin.minio import minio_stand_in
from sandbox.standin.rpc import serve_plugin
from sandbox.standin.values import UNKNOWN, Secret, from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from google.protobuf.message import Message
    from mypy_boto3_s3 import S3Client

    from sandbox.server.temporary import RunningServer

DATA = Path(__file__).parent / "data"
PREFIX = "joelclaw-local-usw2-"
PLACEHOLDER = re.compile(r"<(?:secret|access-key)-\d+>")
TIME_IN_ID = re.compile(r"-(?:<timestamp>|\d{18}[0-9a-f]{8})$")


@dataclass(frozen=True)
class Store:
    """A server for the replay."""

    address: str
    user: str
    password: str
    ca_bundle: str | None

    @property
    def scheme(self) -> str:
        """The connection to the server."""
        return "http" if self.ca_bundle is None else "https"

    @property
    def provider_inputs(self) -> dict[str, str]:
        """The inputs that the recording lacks, because the recorded server spoke plain http."""
        return {} if self.ca_bundle is None else {"minioSsl": "true", "minioCacertFile": self.ca_bundle}

    @cached_property
    def s3(self) -> S3Client:
        """An S3 client with the administrator's credentials."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=f"{self.scheme}://{self.address}",
            region_name="us-west-2",
            aws_access_key_id=self.user,
            aws_secret_access_key=self.password,
            verify=self.ca_bundle,
            config=Config(s3={"addressing_style": "path"}),
        )

    @cached_property
    def iam(self) -> MinioIamClient:
        """A client of the admin API with the administrator's credentials."""
        return MinioIamClient(f"{self.scheme}://{self.address}", self.user, self.password, self.ca_bundle)

    @classmethod
    def of(cls, server: RunningServer) -> Store:
        """Return the store of a sandbox server."""
        address = server.endpoint.removeprefix("https://")
        return cls(address, server.admin.user, server.admin.password, server.ca_bundle)


@dataclass(frozen=True)
class Recording:
    """Calls in the order of the recording.

    Attributes:
        name: the file.
        by_hand: step -> the change without the plugin before it.
        left_out: number of a call -> the earlier calls whose identical repetition came just before it. The first
            recording omits repetitions; if the server's state depends on one, the test repeats it.
        differences: number of a call -> why the stand-in's answer differs.
    """

    name: str
    by_hand: Mapping[str, Callable[[Store], object]] = field(default_factory=dict)
    left_out: Mapping[int, Sequence[int]] = field(default_factory=dict)
    differences: Mapping[int, str] = field(default_factory=dict)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls with their answers."""
        return [json.loads(line) for line in (DATA / self.name).read_text(encoding="utf-8").splitlines()]


@dataclass
class Replay:
    """Makes the recorded calls one by one and records the value of each placeholder."""

    stub: provider_pb2_grpc.ResourceProviderStub
    store: Store
    recording: Recording
    known: dict[str, str] = field(default_factory=dict)
    last_id: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[int, str]:
        """Return the differences, by the number of the call."""
        found: dict[int, str] = {}
        step, calls = "", self.recording.calls
        for number, call in enumerate(calls):
            for earlier in self.recording.left_out.get(number, []):
                self._compare(calls[earlier], number, f"repetition of {earlier}: ", found)
            if call["step"] != step:
                step = call["step"]
                if step in self.recording.by_hand:
                    self.recording.by_hand[step](self.store)
            self._compare(call, number, "", found)
        return found

    def _compare(self, call: Mapping[str, Any], number: int, title: str, found: dict[int, str]) -> None:
        answer = self._answer(call)
        expected = self._translated({key: call[key] for key in ("response", "error") if call.get(key) is not None})
        differing = list(self._differing(expected, answer, "", new_ids=call["method"] in ("Create", "Read")))
        if differing:
            found[number] = f"{title}{call['step']}: {call['method']} {call['request']['name']}: {'; '.join(differing)}"

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        method = call["method"]
        request = self._request(method, call["request"])
        try:
            response = getattr(self.stub, method)(request)
        except grpc.RpcError as error:
            return {"error": _told_error(error)}
        hidden = self.store.provider_inputs.keys() - call["request"].get("news", {}).keys()
        return {"response": _told(method, response, hidden)}

    def _request(self, method: str, recorded: Mapping[str, Any]) -> Message:
        kinds = {"CheckConfig": "Check", "DiffConfig": "Diff"}
        message: Any = getattr(provider_pb2, f"{kinds.get(method, method)}Request")()
        for key, value in self._translated(recorded).items():
            name = next(name for name, known in message.DESCRIPTOR.fields_by_name.items() if known.json_name == key)
            if name == "variables":
                message.variables.update(value)
            elif isinstance(value, dict):
                extra = self.store.provider_inputs if method.endswith(("Config", "Configure")) and value else {}
                getattr(message, name).CopyFrom(to_wire({**extra, **_valued(value)}))
            elif isinstance(value, list):
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        return message

    def _translated(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Replace the recorded server, credentials and placeholders by the present ones."""
        if isinstance(value, dict):
            return {key: self._translated(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._translated(item) for item in value]
        if not isinstance(value, str):
            return value
        scheme, address = self.store.scheme, self.store.address
        for old, new in (
            ("http://127.0.0.1:9000/", f"{scheme}://{address}/"),
            ("http://127.0.0.1:9/", f"{scheme}://127.0.0.1:9/"),
            ("127.0.0.1:9000", address),
            ("admin-user", self.store.user),
            ("<admin-password>", self.store.password),
            ("<wrong-password>", "a-password-that-is-wrong"),
        ):
            value = value.replace(old, new)
        if TIME_IN_ID.search(value):
            return self.last_id.get(TIME_IN_ID.sub("", value), value)
        return PLACEHOLDER.sub(lambda found: self.known.get(found.group(), found.group()), value)

    def _differing(self, expected: object, actual: object, path: str, *, new_ids: bool) -> Iterator[str]:
        if isinstance(expected, dict) and isinstance(actual, Secret):
            actual = {"secret": actual.value}
        if isinstance(expected, dict) and isinstance(actual, dict):
            for key in sorted(expected.keys() | actual.keys()):
                if key not in actual or key not in expected:
                    yield f"{path}.{key}: only {'recorded' if key in expected else 'answered'}"
                else:
                    yield from self._differing(expected[key], actual[key], f"{path}.{key}", new_ids=new_ids)
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
                yield from self._differing(one, other, f"{path}[{place}]", new_ids=new_ids)
        elif not self._same(expected, actual, new_ids=new_ids):
            yield f"{path}: recorded {expected!r}, answered {actual!r}"

    def _same(self, expected: object, actual: object, *, new_ids: bool) -> bool:
        if expected == "<unknown>":
            return actual is UNKNOWN
        if not isinstance(expected, str) or not isinstance(actual, str):
            return type(expected) is type(actual) or _numbers(expected, actual) if expected == actual else False
        if PLACEHOLDER.fullmatch(expected):  # its first occurrence, or it would have been replaced
            if expected not in self.known and actual not in self.known.values():
                self.known[expected] = actual
            return self.known.get(expected) == actual
        if new_ids and TIME_IN_ID.search(expected) and TIME_IN_ID.search(actual):
            subject = TIME_IN_ID.sub("", actual)
            self.last_id[subject] = actual
            return subject == TIME_IN_ID.sub("", expected)
        return _policy(expected) == _policy(actual)


def _told(method: str, response: Any, hidden: AbstractSet[str]) -> dict[str, Any]:  # noqa: ANN401 - of any method
    """Return an answer in the form of the recording: without fields that have the zero value."""
    if method in ("Diff", "DiffConfig", "Configure", "Delete"):
        told: dict[str, Any] = MessageToDict(response)
        return told
    told = {"id": response.id} if getattr(response, "id", "") else {}
    for name in ("inputs", "properties"):
        if name in response.DESCRIPTOR.fields_by_name and response.HasField(name):
            told[name] = from_wire(getattr(response, name))
    if method == "CheckConfig" and "inputs" in told:
        told["inputs"] = {key: value for key, value in told["inputs"].items() if key not in hidden}
    if method in ("Check", "CheckConfig") and response.failures:
        told["failures"] = sorted((MessageToDict(failure) for failure in response.failures), key=str)
    return told


def _told_error(error: grpc.RpcError) -> dict[str, Any]:
    """Return a refusal, and its part about a partially created resource."""
    told: dict[str, Any] = {"code": error.code().name, "details": error.details()}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            left = provider_pb2.ErrorResourceInitFailed()
            status_pb2.Status.FromString(value).details[0].Unpack(left)
            told["initFailed"] = {
                "id": left.id,
                "properties": from_wire(left.properties),
                "reasons": list(left.reasons),
            }
    return told


def _valued(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _valued(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_valued(item) for item in value]
    return UNKNOWN if value == "<unknown>" else value


def _numbers(one: object, other: object) -> bool:
    return not isinstance(one, bool) and not isinstance(other, bool)


def _policy(text: str) -> object:
    """Return a policy document without the order of its actions: MinIO lists them in Go's random map order."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if not isinstance(document, dict) or "Statement" not in document:
        return text
    for statement in document["Statement"]:
        statement["Action"] = sorted(statement["Action"])
    return "\n" in text, json.dumps(document)


@contextmanager
def running_plugin() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """Serve the stand-in, and yield a client of it."""
    plugin, port = serve_plugin(minio_stand_in(hold_seconds=0))
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        plugin.stop(grace=None).wait()
