"""docs.editor_schemas: what an editor checks in the taxonomy and in a stack's config."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {
    "infra/taxonomy.yaml": "schemas/taxonomy.schema.json",
    "Pulumi.local.yaml": "schemas/stack.schema.json",
    "Pulumi.aws.yaml": "schemas/stack.schema.json",
}


def validator(schema: str) -> jsonschema.Draft202012Validator:
    """A validator of a committed schema."""
    content = json.loads((ROOT / schema).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.mark.parametrize(("file", "schema"), FILES.items())
def test_file_names_its_schema_and_keeps_it(file: str, schema: str) -> None:
    """The first line leads an editor to the schema, and the shipped file is valid."""
    text = (ROOT / file).read_text(encoding="utf-8")
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")

    assert ((ROOT / file).parent / named).resolve() == ROOT / schema
    validator(schema).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("domain", "legal"),
    [
        ({"band": "hot", "expire_after_days": 7}, True),
        ({"band": "hot", "expire_after_days": 31}, False),
        ({"band": "hot", "retention_days": 365}, False),
        ({"band": "frozen"}, False),
        ({"band": "cold", "retention_days": 364}, False),
        ({"band": "cold", "retention_mode": "COMPLIANCE"}, True),
        ({"purpose": "no band"}, False),
        ({"band": "warm", "ttl": 3}, False),
    ],
)
def test_limits_of_a_domain_are_seen(domain: dict[str, object], legal: bool) -> None:  # noqa: FBT001 - a parameter
    """An editor marks a value out of the limits of its band, and an unknown key."""
    content = yaml.safe_load((ROOT / "infra" / "taxonomy.yaml").read_text(encoding="utf-8"))
    content["domains"]["tried"] = domain

    assert validator("schemas/taxonomy.schema.json").is_valid(content) is legal


@pytest.mark.parametrize(
    ("key", "value", "legal"),
    [
        ("cloud", "gcp", False),
        ("protect", "false", True),
        ("protect", "no", False),
        ("maxKeyAgeDays", 30, True),
        ("adminPassword", {"secure": "v1:abc"}, True),
        ("allowedAccountIds", ["123456789012"], True),
        ("domains", {"build-cache": {"band": "hot"}}, True),
        ("domains", {"media-raw": {"retention_days": 400}}, True),
        ("domains", {"media-raw": {"days": 400}}, False),
        ("identities", {"builder": {"grants": {"build-cache": "write"}}}, True),
        ("identities", {"builder": {"grants": {"build-cache": "admin"}}}, False),
    ],
)
def test_keys_of_a_stack_are_seen(key: str, value: object, legal: bool) -> None:  # noqa: FBT001 - a parameter
    """An editor marks an illegal value of a config key, in every form that `pulumi config set` writes."""
    content: dict[str, Any] = {"config": {f"object-store:{key}": value}}

    assert validator("schemas/stack.schema.json").is_valid(content) is legal


def test_other_namespaces_are_left_alone() -> None:
    """A stack may hold config of its providers, and its salt."""
    content = {"encryptionsalt": "v1:abc", "config": {"aws:region": "us-west-2"}}

    assert validator("schemas/stack.schema.json").is_valid(content)
