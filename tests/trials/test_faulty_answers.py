"""Whatever a server or the way to it answers: no wrong byte, no success that is none, one typed error, and an end.

The judge is a client without the adapter, which asks the server itself.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.mark import ParameterSet

from object_store import ObjectRef, ObjectStore, ObjectStoreError, StoreConfig, body, ranges, wire
from sandbox.engine.gateway import NoGatewayError
from tests.sizes import ELSEWHERE, sized
from trials.faults import Fault
from trials.faulty_answers import (
    LIST,
    OPERATIONS,
    READ,
    READ_RANGES,
    REMOVE,
    STAT,
    STORE,
    STORE_PARTS,
    TABLE,
    FaultyAnswer,
    drawn,
)
from trials.faulty_proxy import FaultyProxy
from trials.servers import OWN, made_bucket, remove_objects, uploads_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SMALL, LARGE, NEW = os.urandom(20_000), os.urandom(200_000), os.urandom(30_000)
STALL_SECONDS = 1
KEYS = [f"list/{number}" for number in range(5)]


class Behind:
    """The adapter behind the proxy, and the witness beside it."""

    def __init__(self, proxy: FaultyProxy, store: ObjectStore, witness: "S3Client", place: str) -> None:
        """Prepare what the operations need."""
        self.proxy, self.store, self.witness, self.place = proxy, store, witness, place
        self._count = 0
        self.restored()

    def restored(self) -> None:
        """What every trial finds."""
        for key, content in {"small": SMALL, "large": LARGE, **dict.fromkeys(KEYS, b"k")}.items():
            self.witness.put_object(Bucket=self.place, Key=key, Body=content)

    def _held(self, key: str) -> bytes | None:
        found = self.witness.list_objects_v2(Bucket=self.place, Prefix=key).get("Contents", ())
        if not found:
            return None
        return self.witness.get_object(Bucket=self.place, Key=key)["Body"].read()

    def tried(self, operation: str, faults: tuple[Fault, ...], folder: Path) -> str:
        """What becomes of an operation: `right`, `not verified`, or the error's class."""
        self._count += 1
        name = f"{self._count}"
        if operation == REMOVE:
            self.witness.put_object(Bucket=self.place, Key=f"gone/{name}", Body=b"1")
        (folder / name).write_bytes(b"old")
        self.proxy.faults = faults
        said: list[ObjectRef] = []
        done: Any = None
        actions: dict[str, Callable[[], Any]] = {
            READ: lambda: self.store.download_file(
                self.place, "small", folder / name, streams=1, unverified=said.append
            ),
            READ_RANGES: lambda: self.store.download_file(self.place, "large", folder / name, unverified=said.append),
            STORE: lambda: self.store.upload(self.place, f"new/{name}", NEW),
            STORE_PARTS: lambda: self.store.upload(self.place, f"new/{name}", iter([NEW])),
            LIST: lambda: [ref.key for ref in self.store.list(self.place, "list/")],
            REMOVE: lambda: self.store.delete_object(self.place, f"gone/{name}"),
            STAT: lambda: self.store.head(self.place, "small"),
        }
        try:
            done = actions[operation]()
            result = "not verified" if said else "right"
        except ObjectStoreError as error:
            assert str(error).count("\n") == 0
            result = type(error).__name__
        finally:
            self.proxy.faults = ()
        self._judge(operation, name, folder, done if result in {"right", "not verified"} else None, result)
        return result

    def _judge(self, operation: str, name: str, folder: Path, done: Any, result: str) -> None:  # noqa: ANN401 - of any operation
        succeeded = result in {"right", "not verified"}
        if operation in {READ, READ_RANGES}:
            truth = SMALL if operation == READ else LARGE
            assert (folder / name).read_bytes() == (truth if succeeded else b"old")
            assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        elif operation in {STORE, STORE_PARTS}:
            held = self._held(f"new/{name}")
            assert held == NEW if succeeded else held in {None, NEW}
            if succeeded:
                assert done.etag == self.witness.head_object(Bucket=self.place, Key=f"new/{name}")["ETag"].strip('"')
        elif operation == LIST and succeeded:
            assert done == KEYS
        elif operation == REMOVE and succeeded:
            assert self._held(f"gone/{name}") is None
        elif operation == STAT and succeeded:
            assert done.size == len(SMALL)

    def left_uploads(self) -> int:
        """How many uploads are unfinished; they are aborted."""
        begun = uploads_of(self.witness, self.place)
        for key, upload in begun:
            self.witness.abort_multipart_upload(Bucket=self.place, Key=key, UploadId=upload)
        return len(begun)


@pytest.fixture(scope="module", params=["local", "aws", pytest.param("versitygw", marks=pytest.mark.versitygw)])
def behind(request: pytest.FixtureRequest) -> Iterator[Behind]:
    """Each server, with the proxy in front of it; without waits between tries, and with small parts and ranges."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "MULTIPART_THRESHOLD", 1000)
        patch.setattr(ranges, "RANGES_THRESHOLD", 100_000)
        patch.setattr(ranges, "RANGE_SIZE", 60_000)
        patch.setattr(wire, "_FIRST_BACKOFF_SECONDS", 0.001)
        try:
            server = stack.enter_context(OWN[request.param]())
        except NoGatewayError as reason:
            pytest.skip(str(reason))
        witness = server.client()
        stack.callback(witness.close)
        place = stack.enter_context(made_bucket(server, witness))
        ca_file = str(server.config.ca_bundle) if server.config.ca_bundle else None
        proxy = stack.enter_context(FaultyProxy(str(server.config.endpoint), ca_file))
        store = stack.enter_context(
            ObjectStore(
                StoreConfig(
                    endpoint=proxy.endpoint,
                    region=server.config.region,
                    access_key_id=server.config.access_key_id,
                    secret_access_key=server.config.secret_access_key,
                    ca_bundle=proxy.ca_bundle,
                    stall_timeout=timedelta(seconds=STALL_SECONDS),
                    max_retries=1,
                )
            )
        )
        yield Behind(proxy, store, witness, place)
        remove_objects(witness, place)


def rows() -> Iterator[ParameterSet]:
    """Each row on each server; for a change, on versitygw and on one of the sandbox's two in turn."""
    for number, row in enumerate(TABLE):
        for server in OWN:
            is_left = server != "versitygw" and server != ("local", "aws")[number % 2]
            marks = [*([ELSEWHERE] if is_left else []), *([pytest.mark.versitygw] if server == "versitygw" else [])]
            yield pytest.param(server, row, id=f"{server}-{row.kind}: {row.name}", marks=marks)


@pytest.mark.parametrize(("behind", "row"), list(rows()), indirect=["behind"], scope="module")
def test_each_fault_has_the_outcome_of_the_table(behind: Behind, tmp_path: Path, row: FaultyAnswer) -> None:
    """For each operation that the fault fits."""
    came = {operation: behind.tried(operation, (row.make(operation),), tmp_path) for operation in row.happens}
    left = behind.left_uploads()

    others = {op: outcome for op, outcome in came.items() if outcome not in row.happens[op].split(" or ")}
    assert not others, f"{row.name}: {others}"
    assert left == row.leaves_upload


@pytest.mark.parametrize("seed", range(sized(5, 2000)))
def test_faults_in_sequence(behind: Behind, tmp_path: Path, seed: int) -> None:
    """After any faults in any order, each operation works as if none had been."""
    for row, operation, times in drawn(seed):
        fault = row.make(operation)
        fault.when = _at_most(fault.when, times)
        behind.tried(operation, (fault,), tmp_path)
    behind.left_uploads()

    assert {_without_stall(behind, operation, tmp_path) for operation in OPERATIONS} == {"right"}


def _without_stall(behind: Behind, operation: str, tmp_path: Path) -> str:
    """The outcome without a fault; asked again if a loaded machine made it wait as long as the longest stall."""
    for _ in range(5):
        begun = time.monotonic()
        outcome = behind.tried(operation, (), tmp_path)
        if outcome != "EndpointUnreachable" or time.monotonic() - begun < STALL_SECONDS:
            break
    return outcome


def _at_most(when: Callable[..., bool], times: int) -> Callable[..., bool]:
    left = iter(range(times))
    return lambda request: when(request) and next(left, None) is not None
