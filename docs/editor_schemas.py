"""JSON Schemas that let an editor complete and check `infra/taxonomy.yaml` and `Pulumi.<stack>.yaml`.

The rule: they come from the model and from `Pulumi.yaml`. An editor sees limits of one value; what needs more than one
value (a grant on an unknown domain), the program checks.
"""

from typing import Any

from model.taxonomy import Identity, Taxonomy

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What `pulumi config set` writes for a type, and what `--secret` writes.
_TYPES: dict[str, Any] = {
    "string": {"type": ["string", "number"]},
    "boolean": {"enum": [True, False, "true", "false"]},
    "integer": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]},
    "array": {"type": "array"},
    "object": {"type": "object"},
}
_SECRET = {"type": "object", "required": ["secure"], "properties": {"secure": {"type": "string"}}}
_VALUES = {
    "cloud": ["aistor", "aws"],
    "adminApi": ["", "v3", "v4"],
    "encryption": ["SSE-S3", "SSE-KMS"],
}


def taxonomy_schema() -> dict[str, Any]:
    """The schema of `infra/taxonomy.yaml`."""
    return {"$schema": DRAFT, **Taxonomy.model_json_schema()}


def stack_schema(declared: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The schema of a stack's config file.

    Args:
        declared: The section `config` of `Pulumi.yaml`.
    """
    taxonomy = Taxonomy.model_json_schema()
    definitions = taxonomy["$defs"]
    properties = {f"object-store:{key}": _key_schema(key, value) for key, value in declared.items()}
    domain = taxonomy["properties"]["domains"]["additionalProperties"]
    days = {
        "description": "days of a domain that infra/taxonomy.yaml declares",
        "type": "object",
        "not": {"required": ["band"]},
        "properties": {
            name: value
            for name, value in definitions["ColdDomain"]["properties"].items()
            if name not in ("band", "renamed_from")
        },
        "additionalProperties": False,
    }
    properties["object-store:domains"]["additionalProperties"] = {"anyOf": [domain, days]}
    properties["object-store:identities"]["additionalProperties"] = {"$ref": f"#/$defs/{Identity.__name__}"}
    return {
        "$schema": DRAFT,
        "title": "Config of a stack",
        "type": "object",
        "properties": {"config": {"type": "object", "properties": properties}},
        "$defs": definitions,
    }


def _key_schema(key: str, declared: dict[str, Any]) -> dict[str, Any]:
    form = {"enum": _VALUES[key]} if key in _VALUES else dict(_TYPES[declared["type"]])
    if key == "adminPassword":
        form = {"anyOf": [_SECRET, form]}
    if "items" in declared:
        form["items"] = {"type": ["string", "number"]}
    return {**form, "description": declared["description"]}
