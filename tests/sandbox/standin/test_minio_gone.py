"""What the real pulumi-minio 0.17.1 answered about things that were gone or switched off, replayed on the stand-in.

`pulumi-minio-gone-calls.jsonl` holds the calls of a real engine to the real plugin on a real MinIO server: ten losses,
each in three runs from a new deployment (refresh, up, refresh, up; up with every property changed; destroy). The one
rule: before each run the server is emptied, the eight resources are created through the plugin, and the damage is done
by S3 and the admin API. Left out of the recording: checks, diffs and creations before the damage.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import provider_pb2

from sandbox.server.temporary import running_server
from sandbox.standin.values import Secret, to_wire
from tests.sandbox.standin.replaying import PREFIX, Recording, Replay, Store, running_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

VERSIONED, LOCKED, WORKER = f"{PREFIX}docs-derived", f"{PREFIX}otel-archive", "joelclaw-local-worker"
#: The resources of the recorded program, each after those that it needs.
RESOURCES = (
    "docs-derived",
    "otel-archive",
    "docs-derived-versioning",
    "docs-derived-lifecycle",
    "worker",
    "worker-policy",
    "worker-attachment",
    "worker-key",
)
FIRST_STEPS = ("refresh", "every property changed, up without refresh", "destroy without refresh")
#: The five updates that the engine only predicted: it sends no address for status reports then. The recorder kept every
#: distinct call and no `preview`; the real update followed for all others, and failed earlier for these.
PREDICTED = (22, 81, 82, 291, 292)


def _the_key(store: Store) -> str:
    (account,) = store.iam.list_service_accounts(WORKER)["accounts"]
    key: str = account["accessKey"]
    return key


def _remove_policy(store: Store) -> None:
    store.iam.detach_policy(WORKER, [WORKER])
    store.iam.remove_canned_policy(WORKER)


def _remove_everything(store: Store) -> None:
    s3, iam = store.s3, store.iam
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket(Bucket=bucket["Name"])
    for user in iam.list_users():
        iam.remove_user(user)
    iam.remove_canned_policy(WORKER)


#: Loss -> how it is made behind the plugin's back.
LOSSES = {
    "versioned bucket": lambda store: store.s3.delete_bucket(Bucket=VERSIONED),
    "locked bucket": lambda store: store.s3.delete_bucket(Bucket=LOCKED),
    "user": lambda store: store.iam.remove_user(WORKER),
    "policy (detached first)": _remove_policy,
    "attachment": lambda store: store.iam.detach_policy(WORKER, [WORKER]),
    "service account": lambda store: store.iam.delete_service_account(_the_key(store)),
    "lifecycle": lambda store: store.s3.delete_bucket_lifecycle(Bucket=VERSIONED),
    "user switched off": lambda store: store.iam.set_user_status(WORKER, "disabled"),
    "service account switched off": lambda store: store.iam.update_service_account(_the_key(store), new_status="off"),
    "everything (an empty server)": _remove_everything,
}


class LossReplay(Replay):
    """Replays run by run, each after a new deployment and its damage."""

    def run(self) -> dict[int, str]:
        """Return the differences, by the number of the call."""
        found: dict[int, str] = {}
        self.stub.Configure(provider_pb2.ConfigureRequest(args=to_wire(self._configuration())))
        for loss, numbers in self._runs():
            self._start_anew(numbers, found)
            LOSSES[loss](self.store)
            for number in numbers:
                self._compare(self._call(number), number, "", found)
        return found

    @cached_property
    def _calls(self) -> list[dict[str, Any]]:
        return self.recording.calls

    @cached_property
    def _inputs(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Resource -> its URN and the inputs of the first deployment: the first that the recording shows."""
        found: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for call in self._calls:
            request = call["request"]
            inputs = request.get("inputs") or request.get("oldInputs") or request["properties"]
            found.setdefault(request["name"], (request["urn"], inputs))
        return found

    def _configuration(self) -> dict[str, str]:
        return {
            "minioServer": self.store.address,
            "minioUser": self.store.user,
            "minioPassword": self.store.password,
            "minioRegion": "us-west-2",
            **self.store.provider_inputs,
        }

    def _runs(self) -> Iterator[tuple[str, list[int]]]:
        """Yield each run: the loss, and the numbers of its calls."""
        run, step = ("", list[int]()), ""
        for number, call in enumerate(self._calls):
            if call["step"] != step:
                step = call["step"]
                loss, _, what = step.removeprefix("gone: ").partition("; ")
                if what in FIRST_STEPS:
                    if run[1]:
                        yield run
                    run = (loss, [])
            run[1].append(number)
        yield run

    def _start_anew(self, numbers: list[int], found: dict[int, str]) -> None:
        """Deploy on an emptied server; learn the run's secrets, access keys and ids from its first states."""
        _remove_everything(self.store)
        made: dict[str, dict[str, Any]] = {}
        for name in RESOURCES:
            urn, inputs = self._inputs[name]
            created = self._answer({"method": "Create", "request": {"urn": urn, "properties": inputs}})
            made[name] = created["response"]["properties"]
        learned: set[str] = set()
        for number in numbers:
            request = self._calls[number]["request"]
            state = request.get("olds") or request.get("properties")
            if request["name"] in learned or "id" not in request:
                continue
            learned.add(request["name"])
            if differing := list(self._differing(self._translated(state), made[request["name"]], "", new_ids=True)):
                found[number] = f"the state before, {request['name']}: {'; '.join(differing)}"

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Answer; the recording holds an error's text only, not the part that exists (the other recordings do)."""
        told = super()._answer(call)
        told.get("error", {}).pop("initFailed", None)
        return told

    def _differing(self, expected: object, actual: object, path: str, *, new_ids: bool) -> Iterator[str]:
        """Compare; the recorder opened the secrets of this recording, so that their mark is not compared here."""
        opened = actual.value if isinstance(actual, Secret) else actual
        yield from super()._differing(expected, opened, path, new_ids=new_ids)

    def _call(self, number: int) -> dict[str, Any]:
        call = self._calls[number]
        if number in PREDICTED:
            call = {**call, "request": {**call["request"], "preview": True}}
        return call


GONE = Recording("pulumi-minio-gone-calls.jsonl")


def test_answers_about_what_is_gone_as_the_real_plugin_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every call about ten losses gets the answer of the real plugin: its errors, and what leaves the state."""
    with running_server("aistor", tmp_path, plugin=False) as server, running_plugin() as stub:
        differing = LossReplay(stub, Store.of(server), GONE).run()

    with capsys.disabled():
        print(f"\n{GONE.name}: {len(GONE.calls)} recorded calls replayed, {len(differing)} differ")  # noqa: T201 - readers look for the count

    assert "\n".join(differing.values()) == ""


def test_the_recording_is_whole() -> None:
    """The recording holds 297 calls in 52 steps about ten losses, in three runs each."""
    replay = LossReplay(None, None, GONE)  # type: ignore[arg-type]  # neither is used
    runs = list(replay._runs())

    assert len(GONE.calls) == 297
    assert len({call["step"] for call in GONE.calls}) == 52
    assert [loss for loss, _ in runs] == [loss for loss in LOSSES for _ in range(3)]
    assert sum(len(numbers) for _, numbers in runs) == 297
