"""Where the store is: each form that `keys deliver` writes is read, and each lack is named."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from model.deployment import KeyPair, build_deployment
from model.handover import Handover, handovers
from model.plan import build_plan
from model.problems import InvalidInputError
from model.secrecy.redaction import redacted
from model.taxonomy_file import load
from ops.keys.targets.dotenv import Dotenv
from workloads.needs import NEEDS
from workloads.place import Place, place_of

NEED = NEEDS["sessions"]
SECRET = "planted/place+secret=nobody-may-see"  # noqa: S105 - planted, to be searched for
PLAN = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test")
DEPLOYMENT = build_deployment(
    PLAN,
    stack="local",
    cloud="aistor",
    region="us-east-1",
    endpoint="http://store.cluster:9000",
    provisioning_endpoint="http://127.0.0.1:31000",
)
PAIR = KeyPair(access_key_id="archiver-key-1", secret_access_key=SecretStr(SECRET))
BUCKET = "joelclaw-local-usw2-session-archive"


@pytest.fixture(name="given")
def _given() -> Handover:
    """What the identity receives."""
    return handovers(DEPLOYMENT, {NEED.identity: PAIR}, [NEED.identity], "host")[0]


def _check(place: Place) -> None:
    assert place.bucket("session-archive") == BUCKET
    assert place.config.endpoint == "http://127.0.0.1:31000"
    assert (place.config.access_key_id, place.config.secret_access_key) == ("archiver-key-1", SECRET)


def test_delivered_file(tmp_path: Path, given: Handover) -> None:
    """What `--to dotenv` wrote; nothing of the process's environment comes in."""
    Dotenv(tmp_path / "a.env").deliver([given])

    _check(place_of(tmp_path / "a.env", NEED, {"S3_ENDPOINT": "http://other", "AWS_SESSION_TOKEN": "other"}))


def test_environment_of_a_pod(given: Handover) -> None:
    """What a Secret and a ConfigMap set as variables."""
    _check(place_of(None, NEED, given.settings(None) | given.keys()))


def test_folder_of_a_pod(tmp_path: Path, given: Handover) -> None:
    """A mounted Secret or ConfigMap: a file for each variable, and links that begin with dots."""
    (tmp_path / "..data").mkdir()
    for name, value in (given.settings(None) | given.keys()).items():
        (tmp_path / name).write_text(value + "\n")

    _check(place_of(tmp_path, NEED, {}))


def test_published_deployment(tmp_path: Path) -> None:
    """The stack's two outputs, as files."""
    (tmp_path / "d.json").write_text(DEPLOYMENT.model_dump_json())
    pairs = {NEED.identity: {"access_key_id": "archiver-key-1", "secret_access_key": SECRET}}
    (tmp_path / "c.json").write_text(json.dumps(pairs))

    _check(place_of(tmp_path / "d.json", NEED, {}, tmp_path / "c.json"))
    (tmp_path / "c.json").write_text(json.dumps({"worker": pairs[NEED.identity]}))
    with pytest.raises(InvalidInputError, match="has no key pair of session-archiver"):
        place_of(tmp_path / "d.json", NEED, {}, tmp_path / "c.json")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "S3_BUCKETS: is missing"),
        ("S3_BUCKETS='[]'", "is not a JSON object of buckets"),
        ("S3_BUCKETS='{'", "S3_BUCKETS"),
        ("S3_BUCKETS='{}'\nAWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID is not set"),
    ],
)
def test_lack_is_named(tmp_path: Path, lines: str, said: str) -> None:
    """The message names the file and the command that writes it."""
    path = tmp_path / "a.env"
    path.write_text(f"{lines}\n")

    with pytest.raises(InvalidInputError) as caught:
        place_of(path, NEED, {})

    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_bucket_that_is_not_granted_is_named(given: Handover) -> None:
    """A name is never built."""
    place = place_of(None, NEED, given.settings(None) | given.keys())

    with pytest.raises(InvalidInputError, match="names no bucket of vault-backups"):
        place.bucket("vault-backups")


def test_secret_is_redacted_once_read(given: Handover) -> None:
    """No output of the process shows it from then on."""
    place_of(None, NEED, given.settings(None) | given.keys())

    assert SECRET not in redacted(f"a {SECRET} b")
