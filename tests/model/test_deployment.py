"""model.deployment: the contract, its version, its schema, and what the backend cannot do."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from model.deployment import Credentials, Deployment, build_deployment, json_schema
from model.plan import StorePlan, build_plan
from model.problems import InvalidInputError
from model.taxonomy_file import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="plan")
def _plan() -> StorePlan:
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="x:")


@pytest.fixture(name="published")
def _published(plan: StorePlan) -> dict[str, Any]:
    deployment = build_deployment(
        plan,
        stack="local",
        cloud="aistor",
        region="us-west-2",
        endpoint="https://aistor-s3-api.aistor",
        provisioning_endpoint="https://localhost:31000",
        ca_pem="PEM",
    )
    content: dict[str, Any] = deployment.model_dump(mode="json")
    return content


def test_published_form_follows_the_schema(published: dict[str, Any]) -> None:
    """A stack's published deployment follows the committed schema."""
    schema = json.loads((ROOT / "schemas" / "deployment.schema.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(published, schema)


def test_schema_refuses_other_content(published: dict[str, Any]) -> None:
    """The schema refuses a key that is not in the contract."""
    with pytest.raises(jsonschema.ValidationError, match="secret"):
        jsonschema.validate({**published, "secret": "x"}, json_schema())


def test_is_read_back_as_the_same_value(published: dict[str, Any]) -> None:
    """A reader gets the value that the program published."""
    assert Deployment.parse(published, "stack local").model_dump(mode="json") == published


def test_engine_numbers_are_read(published: dict[str, Any]) -> None:
    """The engine stores numbers as floats; whole ones are read as days."""
    floated = json.loads(json.dumps(published), parse_int=float)
    floated["version"] = 1

    assert Deployment.parse(floated, "stack local").plan.buckets[0].retention is not None


@pytest.mark.parametrize("content", [{"version": 2}, {}, [], None, "x"])
def test_other_version_is_refused(content: object) -> None:
    """A deployment of another version is refused with the version that this checkout reads."""
    with pytest.raises(InvalidInputError, match="legal: version 1"):
        Deployment.parse(content, "FILE")


def test_malformed_deployment_names_the_place(published: dict[str, Any]) -> None:
    """A malformed file is refused with the key."""
    published["plan"]["buckets"][0]["band"] = "frozen"

    with pytest.raises(InvalidInputError, match=r"FILE: plan\.buckets\.0\.band"):
        Deployment.parse(published, "FILE")


def test_aistor_says_what_it_cannot_do(published: dict[str, Any]) -> None:
    """Each feature of the plan that AIStor lacks is listed with its reason."""
    deployment = Deployment.parse(published, "x")

    assert {item.feature for item in deployment.unsupported} == {
        "public_access_block",
        "ownership_controls",
        "abort_multipart",
        "transition",
        "encryption",
        "tags",
        "refusal_of_overwrites",
        "refusal_of_a_tar_in_place",
        "refusal_of_force_delete",
        "refusal_of_dated_puts",
        "refusal_of_lies_to_a_policy",
        "refusal_of_unlocking",
        "refusal_of_puts_without_a_secret",
        "refusal_of_puts_that_stop_listings",
        "refusal_of_classes_by_parameter",
    }
    assert "24 hours" in (deployment.cannot("abort_multipart") or "")
    assert deployment.cannot("versioning") is None
    assert deployment.encryption is None


@pytest.mark.parametrize(("kms", "expected"), [(False, "SSE-S3"), (True, "SSE-KMS")])
def test_aws_does_it_all(plan: StorePlan, expected: str, *, kms: bool) -> None:
    """On AWS no feature is missing, and the encryption is named."""
    deployment = build_deployment(
        plan,
        stack="aws",
        cloud="aws",
        region="us-west-2",
        kms_key="arn:aws:kms:us-west-2:123456789012:key/x" if kms else None,
    )

    assert (deployment.unsupported, deployment.encryption, deployment.endpoint) == ((), expected, None)


def test_credentials_hide_their_secret() -> None:
    """A key pair's representation shows no secret."""
    pairs = Credentials.validate_python({"worker": {"access_key_id": "AK", "secret_access_key": "planted-secret"}})

    assert "planted-secret" not in repr(pairs)
    assert pairs["worker"].secret_access_key.get_secret_value() == "planted-secret"
