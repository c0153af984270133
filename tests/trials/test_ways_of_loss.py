"""trials.ways_of_loss: each cell of the table is what a key with that access gets on a server of that cloud."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model.policies import Cloud
from model.taxonomy import Access, BandName
from tests.trials.test_stores import client_of
from trials.stores import Store, running_store, small_plan
from trials.ways_of_loss import GRANT, HARMLESS, KEPT, OPEN, POLICY, SERVER, WAYS, Target, Way

REFUSING = {POLICY, SERVER}
_DOMAINS = {band.value: {"band": band.value} for band in BandName}
_IDENTITIES = {
    "read": {"grants": {"*": "read"}},
    "append": {"grants": {"warm": "append", "cold": "append"}},
    "write": {"grants": {"*": "write"}},
}


@dataclass(frozen=True)
class Held:
    """A store, and an S3 client for each access."""

    store: Store
    cloud: Cloud
    clients: dict[Access, Any]


@pytest.fixture(scope="module", params=["aistor", "aws"], name="held")
def _held(request: pytest.FixtureRequest) -> Iterator[Held]:
    cloud: Cloud = request.param
    identities = _IDENTITIES | ({"append": {"grants": {"*": "append"}}} if cloud == "aws" else {})
    with running_store(cloud, small_plan(cloud, _DOMAINS, identities)) as store, ExitStack() as stack:
        yield Held(store, cloud, {one: stack.enter_context(client_of(store, one.value)) for one in Access})


def outcome(attempt: Any, target: Target) -> str:  # noqa: ANN401 - a way's attempt
    """The code of the refusal, or empty."""
    try:
        attempt(target)
    except ClientError as refusal:
        code: str = refusal.response["Error"]["Code"]
        return code
    return ""


def readable(store: Store, target: Target) -> bool:
    """Whether the original can still be read, as the administrator: by its version id, or under its key."""
    named = {"VersionId": target.version} if target.version else {}
    try:
        found = store.client.get_object(Bucket=target.bucket, Key=target.key, **named)["Body"].read()
    except ClientError:
        return False
    return bool(found == b"original")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_cell_is_what_happens(held: Held, way: Way) -> None:
    """A refusal is AccessDenied or the server's own; what is kept is read back; what is open loses the original."""
    number = WAYS.index(way)
    for access in Access:
        for band in way.bands:
            if held.cloud == "aistor" and access is Access.APPEND and band is BandName.HOT:
                continue  # refused as input
            cell = way.cells[held.cloud][access].of(band)
            bucket, key = held.store.plan.bucket(band.value).name, f"{number}-{access.value}/object"
            put = held.store.client.put_object(Bucket=bucket, Key=key, Body=b"original", ChecksumAlgorithm="SHA256")
            target = Target(held.clients[access], bucket, key, put.get("VersionId"))
            code = outcome(way.attempt, target)
            case = f"{access.value} in {band.value}: {code or 'let in'}"

            assert (code != "") == (cell.kind in REFUSING), case
            if cell.kind == POLICY:
                assert code == "AccessDenied", case
            if cell.kind in {POLICY, SERVER, KEPT, HARMLESS}:
                assert readable(held.store, target), case
            assert cell.kind in {POLICY, SERVER, KEPT, HARMLESS, OPEN, GRANT}


def test_what_no_policy_refuses_does_its_harm(held: Held) -> None:
    """On AIStor each way that stays open destroys, hides or weakens: were one harmless, the table would say so."""
    open_cells = [way for way in WAYS if any(one.kind == OPEN for one in way.cells[held.cloud].values())]

    if held.cloud == "aws":
        assert not open_cells
        return
    for number, way in enumerate(open_cells):
        band = BandName.WARM if BandName.WARM in way.bands else BandName.COLD
        bucket, key = held.store.plan.bucket(band.value).name, f"open-{number}/object"
        put = held.store.client.put_object(Bucket=bucket, Key=key, Body=b"original", ChecksumAlgorithm="SHA256")
        target = Target(held.clients[Access.WRITE], bucket, key, put["VersionId"])

        assert outcome(way.attempt, target) == "", way.name
        harm = next((harm for word, harm in _OTHER_HARM.items() if word in way.name), None)
        assert harm(held.store.client, bucket, key) if harm else not readable(held.store, target), way.name


def _hides_later_puts(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - boto3's client
    client.put_object(Bucket=bucket, Key=f"{key}-dated", Body=b"later")
    return bool(client.get_object(Bucket=bucket, Key=f"{key}-dated")["Body"].read() == b"other")


def _stops_listings(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - likewise
    listed = {"Bucket": bucket, "Prefix": key}
    stopped = [client.list_objects_v2(**listed), client.list_object_versions(**listed)]
    client.delete_object(Bucket=bucket, Key=f"{key}-sealed-by-header")
    again = client.list_objects_v2(**listed)
    return all("Contents" not in one and "Versions" not in one for one in stopped) and "Contents" in again


def _hides(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - likewise
    folder = key.rpartition("/")[0]
    is_hidden = _is_unlisted(client, bucket, key)
    client.delete_object(Bucket=bucket, Key=folder)
    return is_hidden and _is_unlisted(client, bucket, key) and bool(client.get_object(Bucket=bucket, Key=key))


def _is_unlisted(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - likewise
    listed = {"Bucket": bucket, "Prefix": f"{key.rpartition('/')[0]}/"}
    answers = client.list_objects_v2(**listed), client.list_object_versions(**listed)
    return all("Contents" not in one and "Versions" not in one for one in answers)


def _keeps_less(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - likewise
    return bool(client.head_object(Bucket=bucket, Key=f"{key}-parameter")["StorageClass"] == "REDUCED_REDUNDANCY")


def _unlocks(client: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - likewise
    return "ObjectLockMode" not in client.head_object(Bucket=bucket, Key=key)


#: The harm of a way that leaves the original readable, by a word of its name.
_OTHER_HARM = {
    "2100": _hides_later_puts,
    "below a key": _hides,
    "listing": _stops_listings,
    "storage class": _keeps_less,
    "lock under": _unlocks,
}
