"""A hand-written list of calls to the aws plugin and its answers, sent in order to the stand-in on a new server.

The real pulumi-aws is not available without the internet, so nothing is recorded. Each line of `data/aws-calls.jsonl`
holds the plugin's answer by its documentation, its source or AWS's API reference, and names the place in `source`.
The one rule: requests use the engine's own protocol, and boto3 makes the changes by hand between them. `<any>` matches
every value; every other placeholder like `<name-1>` is one value throughout.
"""

# ruff: noqa: ANN401 - requests and answers are any JSON

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import grpc
import pytest
from botocore.config import Config
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from sandbox.server.temporary import running_server
from sandbox.standin.aws import AwsConnection, aws_stand_in
from sandbox.standin.rpc import ProviderError, serve_plugin
from sandbox.standin.values import UNKNOWN, Secret, from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.protobuf.message import Message

LIST = Path(__file__).parent / "data" / "aws-calls.jsonl"
CALLS = [json.loads(line) for line in LIST.read_text(encoding="utf-8").splitlines()]

# Number of the call -> why the stand-in's answer differs from the list.
DIFFERENCES: dict[int, str] = {
    174: "moto forgets a user's tags when the user is renamed",
}

COLD = "joelclaw-aws-usw2-media-raw"
WARM = "joelclaw-aws-usw2-session-archive"
HOT = "joelclaw-aws-usw2-agent-loop-artifacts"
WORKER = "joelclaw-aws-worker"
GONE = "joelclaw-aws-gone"
GONE_POLICY = f"arn:aws:iam::123456789012:policy/{GONE}"
PLACEHOLDER = re.compile(r"<[a-z][a-z-]*(?:-\d+)?>")
SECRETS = re.compile(r"<secret-\d+>")


@dataclass(frozen=True)
class Hands:
    """Clients for changes without the engine."""

    connection: AwsConnection

    def client(self, service: str) -> Any:
        """Return a client with the administrator's key."""
        return boto3.Session(region_name="us-west-2").client(
            service,  # type: ignore[call-overload] # one of two services
            endpoint_url=self.connection.endpoint,
            aws_access_key_id=self.connection.access_key_id,
            aws_secret_access_key=self.connection.secret_access_key,
            verify=self.connection.ca_bundle,
            config=Config(s3={"addressing_style": "path"}),
        )

    @property
    def s3(self) -> Any:
        """A client for buckets."""
        return self.client("s3")

    @property
    def iam(self) -> Any:
        """A client for users and policies."""
        return self.client("iam")


def _remove_a_rule(hands: Hands) -> None:
    rules = hands.s3.get_bucket_lifecycle_configuration(Bucket=WARM)["Rules"]
    hands.s3.put_bucket_lifecycle_configuration(Bucket=WARM, LifecycleConfiguration={"Rules": rules[:1]})


def _rewrite_policy(hands: Hands, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(hands.s3.get_bucket_policy(Bucket=WARM)["Policy"])
    change(document["Statement"][0])
    hands.s3.put_bucket_policy(Bucket=WARM, Policy=json.dumps(document, indent=2))


def _change_retention(hands: Hands) -> None:
    hands.s3.put_object_lock_configuration(
        Bucket=COLD,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}},
        },
    )


def _retag(hands: Hands) -> None:
    tags = {"managed-by": "pulumi", "project": "object-store", "band": "cold", "extra": "1"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    hands.s3.put_bucket_tagging(Bucket=HOT, Tagging={"TagSet": listed})


def _delete_keys(hands: Hands) -> None:
    for key in hands.iam.list_access_keys(UserName=WORKER)["AccessKeyMetadata"]:
        hands.iam.delete_access_key(UserName=WORKER, AccessKeyId=key["AccessKeyId"])


def _fill_with_versions(hands: Hands) -> None:
    hands.s3.put_bucket_versioning(Bucket=HOT, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        hands.s3.put_object(Bucket=HOT, Key="kept", Body=b"x")
    hands.s3.delete_object(Bucket=HOT, Key="kept")


def _empty(hands: Hands) -> None:
    for bucket in (WARM, COLD):
        bypass = {"BypassGovernanceRetention": True} if bucket == COLD else {}
        for version in hands.s3.list_object_versions(Bucket=bucket)["Versions"]:
            hands.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"], **bypass)


def _lock_an_object(hands: Hands, bucket: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    hands.s3.put_object(
        Bucket=bucket,
        Key="locked",
        Body=b"x",
        ChecksumAlgorithm="SHA256",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=until,
    )


def _delete_user(hands: Hands) -> None:
    """Delete a user as the console does: first its keys and attachments."""
    iam = hands.iam
    for key in iam.list_access_keys(UserName=GONE)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=GONE, AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName=GONE, PolicyArn=GONE_POLICY)
    iam.delete_user(UserName=GONE)


def _delete_role(hands: Hands) -> None:
    hands.iam.detach_role_policy(RoleName=GONE, PolicyArn=GONE_POLICY)
    hands.iam.delete_role(RoleName=GONE)


def _switch_key_off(hands: Hands) -> None:
    (key,) = hands.iam.list_access_keys(UserName=GONE)["AccessKeyMetadata"]
    hands.iam.update_access_key(UserName=GONE, AccessKeyId=key["AccessKeyId"], Status="Inactive")


# Step -> the change by hand, without the engine, before it.
BY_HAND: dict[str, Callable[[Hands], object]] = {
    "drift: one rule removed by hand; refresh": _remove_a_rule,
    "drift: lifecycle deleted by hand; refresh": lambda hands: hands.s3.delete_bucket_lifecycle(Bucket=WARM),
    "drift: versioning suspended by hand; refresh": lambda hands: hands.s3.put_bucket_versioning(
        Bucket=WARM, VersioningConfiguration={"Status": "Suspended"}
    ),
    "drift: public access block removed by hand; refresh": lambda hands: hands.s3.delete_public_access_block(
        Bucket=WARM
    ),
    "drift: bucket policy changed by hand; refresh": lambda hands: _rewrite_policy(
        hands, lambda statement: statement.update(Sid="ByHand")
    ),
    "drift: bucket policy reordered by hand; refresh": lambda hands: _rewrite_policy(
        hands, lambda statement: statement["Resource"].reverse()
    ),
    "drift: encryption deleted by hand; refresh": lambda hands: hands.s3.delete_bucket_encryption(Bucket=WARM),
    "drift: ownership controls removed by hand; refresh": lambda hands: hands.s3.delete_bucket_ownership_controls(
        Bucket=WARM
    ),
    "drift: default retention changed by hand; refresh": _change_retention,
    "drift: bucket tags changed by hand; refresh": _retag,
    "drift: policy detached by hand; refresh": lambda hands: hands.iam.detach_user_policy(
        UserName=WORKER, PolicyArn=f"arn:aws:iam::123456789012:policy/{WORKER}"
    ),
    "drift: access key deleted by hand; refresh": _delete_keys,
    "drift: user deleted by hand; refresh": lambda hands: hands.iam.delete_user(UserName="joelclaw-aws-exporter"),
    "drift: bucket deleted by hand; refresh": lambda hands: hands.s3.delete_bucket(
        Bucket="joelclaw-aws-usw2-discovery-raw"
    ),
    "bad: deleting a bucket that is not empty": lambda hands: hands.s3.put_object(
        Bucket=WARM, Key="left-behind", Body=b"x"
    ),
    "destroy: a bucket with versions and forceDestroy": _fill_with_versions,
    "destroy: a bucket emptied by hand": _empty,
    "bad: deleting a bucket with a locked version": lambda hands: _lock_an_object(hands, COLD),
    "destroy: a locked version under governance, with forceDestroy": lambda hands: _lock_an_object(
        hands, "joelclaw-aws-usw2-vault-backups"
    ),
    "destroy: a user with keys made by hand and forceDestroy": lambda hands: hands.iam.create_access_key(
        UserName="joelclaw-aws-forced"
    ),
    "gone: bucket deleted by hand, with all its settings; up without refresh": lambda hands: hands.s3.delete_bucket(
        Bucket="joelclaw-aws-usw2-gone"
    ),
    "gone: access key switched off by hand; refresh": _switch_key_off,
    "gone: user deleted by hand, with its keys and attachments; up without refresh": _delete_user,
    "gone: role deleted by hand, with its attachments; up without refresh": _delete_role,
    "gone: policy deleted by hand; up without refresh": lambda hands: hands.iam.delete_policy(PolicyArn=GONE_POLICY),
}


@dataclass
class StoreSession:
    """Makes the listed calls one by one and records the value of each placeholder."""

    stub: Any
    hands: Hands
    known: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[int, str]:
        """Return the differences, by the number of the call."""
        found: dict[int, str] = {}
        step = ""
        for number, call in enumerate(CALLS):
            if call["step"] != step:
                step = call["step"]
                if step in BY_HAND:
                    BY_HAND[step](self.hands)
            expected = {key: call[key] for key in ("response", "error") if key in call}
            differing = list(self._differing(expected, self._answer(call), ""))
            if differing:
                name = call["request"].get("name", call["request"].get("tok"))
                found[number] = f"{step}: {call['method']} {call['request'].get('type')} {name}: {'; '.join(differing)}"
        return found

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        method = call["method"]
        try:
            response = getattr(self.stub, method)(self._request(method, call["request"]))
        except grpc.RpcError as error:
            return {"error": {"code": error.code().name, "details": _details(error)}}
        return {"response": _told(method, response)}

    def _request(self, method: str, listed: Mapping[str, Any]) -> Message:
        kinds = {"CheckConfig": "Check", "DiffConfig": "Diff"}
        message: Message = getattr(provider_pb2, f"{kinds.get(method, method)}Request")()
        for key, value in listed.items():
            name = next(name for name, known in message.DESCRIPTOR.fields_by_name.items() if known.json_name == key)
            if isinstance(value, dict):
                getattr(message, name).CopyFrom(to_wire(self._valued(value)))
            else:
                setattr(message, name, value.encode() if name == "randomSeed" else self._valued(value))
        return message

    def _valued(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._valued(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._valued(item) for item in value]
        if value == "<unknown>":
            return UNKNOWN
        return self.known.get(value, value) if isinstance(value, str) else value

    def _differing(self, expected: Any, actual: Any, path: str) -> Iterator[str]:
        if expected == "<any>":
            return
        if isinstance(expected, dict) and isinstance(actual, Secret):
            actual = {"secret": actual.value}
        if isinstance(expected, dict) and isinstance(actual, dict):
            for key in sorted(expected.keys() | actual.keys()):
                if key not in actual or key not in expected:
                    side = "listed" if key in expected else "answered"
                    yield f"{path}.{key}: only {side}: {(expected | actual)[key]!r}"
                else:
                    yield from self._differing(expected[key], actual[key], f"{path}.{key}")
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
                yield from self._differing(one, other, f"{path}[{place}]")
        elif not self._same(expected, actual):
            yield f"{path}: listed {expected!r}, answered {actual!r}"

    def _same(self, expected: Any, actual: Any) -> bool:
        if expected == "<unknown>":
            return actual is UNKNOWN
        if not isinstance(expected, str) or not isinstance(actual, str):
            return bool(expected == actual) and isinstance(expected, bool) == isinstance(actual, bool)
        if expected in self.known:
            return self.known[expected] == actual
        if PLACEHOLDER.fullmatch(expected):
            if actual in self.known.values() and SECRETS.fullmatch(expected):
                return False
            self.known[expected] = actual
            return bool(actual)
        pattern = ".*".join(re.escape(part) for part in expected.split("<any>"))
        return re.fullmatch(pattern, actual, re.DOTALL) is not None


def _details(error: Any) -> str:
    """Return the reason of a failed call; a partial failure carries it separately."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return "; ".join(_reasons(value))
    return str(error.details())


def _reasons(packed: bytes) -> list[str]:
    from pulumi.runtime.proto import status_pb2  # noqa: PLC0415 - needed only for partial failures

    detail = provider_pb2.ErrorResourceInitFailed()
    status_pb2.Status.FromString(packed).details[0].Unpack(detail)
    return list(detail.reasons)


def _told(method: str, response: Any) -> dict[str, Any]:
    """Return an answer in the form of the list: without fields that have the zero value."""
    if method == "Invoke":
        return {"return": from_wire(getattr(response, "return"))}
    if method in ("Diff", "DiffConfig", "Configure", "Delete"):
        told: dict[str, Any] = MessageToDict(response)
        return told
    told = {"id": response.id} if getattr(response, "id", "") else {}
    for name in ("inputs", "properties"):
        if name in response.DESCRIPTOR.fields_by_name and response.HasField(name):
            told[name] = from_wire(getattr(response, name))
    if method in ("Check", "CheckConfig") and response.failures:
        told["failures"] = [MessageToDict(failure) for failure in response.failures]
    return told


@pytest.fixture(name="differing", scope="module")
def _differing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    with running_server("aws", tmp_path_factory.mktemp("calls"), plugin=False) as server:
        connection = AwsConnection(server.endpoint, server.ca_bundle, server.admin.user, server.admin.password)
        plugin, port = serve_plugin(aws_stand_in(connection))
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                yield StoreSession(stub, Hands(connection)).run()
        finally:
            plugin.stop(grace=None).wait()


def test_answers_as_the_documentation_says(differing: dict[int, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every listed call gets the listed answer, except the listed differences."""
    with capsys.disabled():
        print(  # noqa: T201 - readers look for the count
            f"\n{len(CALLS)} hand-written calls made, {len(CALLS) - len(differing)} answered as listed, "
            f"{len(DIFFERENCES)} listed differences"
        )
    unlisted = {number: text for number, text in differing.items() if number not in DIFFERENCES}

    assert unlisted == {}
    assert sorted(DIFFERENCES) == sorted(differing)


def test_every_call_names_its_source() -> None:
    """No answer of the list is invented: each names a document, a source file or an API reference."""
    assert [call["step"] for call in CALLS if not re.search(r"https://|\.go|\.json", call["source"])] == []


def _config_failures(connection: AwsConnection) -> list[str]:
    request = provider_pb2.CheckRequest(
        urn="urn:pulumi:aws::object-store::pulumi:providers:aws::sandbox", news=to_wire({"region": "us-west-2"})
    )
    return [failure.reason for failure in aws_stand_in(connection).CheckConfig(request, cast("Any", None)).failures]


def test_missing_credentials() -> None:
    """Without credentials, CheckConfig (pulumi-aws configure_test.go) and Configure fail."""
    connection = AwsConnection("https://127.0.0.1:9", None, "", "")

    (reason,) = _config_failures(connection)
    assert reason.startswith("No valid credential sources found.\n")
    with pytest.raises(ProviderError, match="No valid credential sources found"):
        aws_stand_in(connection).configure({"region": "us-west-2"})


def test_nothing_listens() -> None:
    """Without a server at the endpoint, the configuration is refused soon, without the secret in the reason."""
    (reason,) = _config_failures(AwsConnection("http://127.0.0.1:9", None, "AKIAIOSFODNN7EXAMPLE", "a-planted-secret"))

    assert reason.startswith("unable to validate AWS credentials.\nDetails: operation error STS: request send failed")
    assert "a-planted-secret" not in reason
