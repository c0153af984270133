"""The program without this repository: a deployed stack's resources, written out one by one.

The rule: it is generated from the state of a deployed stack. So it declares the same resources with the same inputs on
the same provider, and nothing else: no taxonomy, no plan, no component, no check. Its names have another prefix, so
that both can exist on one server; `same_resources` proves that everything else is equal. It leaves out what Pulumi adds
by itself, and keys: the provider reads the administrator's keys from the environment.
"""

import importlib
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from model.resources import DYNAMIC
from stack.state_secret import is_secret

Resource = Mapping[str, Any]
# Our own dynamic resources: module, class and provider, by type.
_OWN = {
    f"{DYNAMIC}{kind}": where
    for kind, where in {
        "storage:DefaultRetention": ("infra.retention", "DefaultRetention", "DefaultRetentionProvider"),
        "storage:NoBucketPolicy": ("infra.bucket_policy", "NoBucketPolicy", "NoBucketPolicyProvider"),
        "identity:User": ("infra.identity.user", "User", "UserProvider"),
        "identity:Policy": ("infra.identity.policy", "Policy", "PolicyProvider"),
        "identity:Attachment": ("infra.identity.attachment", "Attachment", "AttachmentProvider"),
        "identity:ServiceAccount": ("infra.identity.service_account", "ServiceAccount", "ServiceAccountProvider"),
    }.items()
}
_SDKS = ("aws", "minio")
_FROM_ENVIRONMENT = {"minioUser": "AISTOR_ROOT_USER", "minioPassword": "AISTOR_ROOT_PASSWORD"}
_ADDED_BY_PROVIDER = ("tagsAll", "version", "__internal", "__provider")
HEADER = '''"""Made by bench.bare: every resource of a deployed stack, one by one."""

import os

import pulumi
{imports}
from pulumi import ResourceOptions, dynamic

made = {{}}


def own(name, cls, provider, properties, opts):
    resource = cls.__new__(cls)
    dynamic.Resource.__init__(resource, provider, name, properties, opts)
    return resource


'''


def program(resources: Iterable[Resource], prefix: str, own_prefix: str) -> str:
    """The text of a program that declares these resources.

    Args:
        resources: The resources of a state, from `pulumi stack export --show-secrets`, in its order.
        prefix: The prefix of the deployed names.
        own_prefix: The prefix of the names in the program, of the same length.
    """
    declared = [resource for resource in resources if _is_declared(resource)]
    packages = sorted({package for resource in declared if (package := _package(resource)) in _SDKS})
    imports = [f"import pulumi_{package}" for package in packages]
    own = sorted({_OWN[resource["type"]] for resource in declared if resource["type"] in _OWN})
    imports += [f"from {module} import {cls}, {provider}" for module, cls, provider in own]
    parts = [HEADER.format(imports="\n".join(sorted(imports))), *(_declaration(resource) for resource in declared)]
    return "\n".join(parts).replace(prefix, own_prefix) + "\n"


def same_resources(one: Iterable[Resource], other: Iterable[Resource], prefix: str, own_prefix: str) -> list[str]:
    """The differences between two states except for the names' prefix: one line each, empty if there are none."""
    here, there = (
        {
            f"{r['type']} {r['urn'].rsplit('::', 1)[1]}": json.dumps(_inputs(r), sort_keys=True).replace(
                own_prefix, prefix
            )
            for r in resources
            if _is_declared(r) and not r["type"].startswith("pulumi:providers:")
        }
        for resources in (one, other)
    )
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def _is_declared(resource: Resource) -> bool:
    """Whether a program declared it; Pulumi itself adds the providers of its own resource types."""
    own_provider = resource["type"].startswith("pulumi:providers:pulumi")
    return bool(resource.get("custom")) and resource["type"] != "pulumi:pulumi:Stack" and not own_provider


def _package(resource: Resource) -> str:
    package, _, kind = str(resource["type"]).split(":")
    return kind if package == "pulumi" else package


def _class(resource: Resource) -> tuple[str, type]:
    """The name and the class of a resource's type, such as `aws:s3/bucket:Bucket`."""
    package, module, name = str(resource["type"]).split(":")
    if package == "pulumi":
        package, module, name = name, "index", "Provider"
    module = module.split("/")[0]
    written = f"pulumi_{package}" if module == "index" else f"pulumi_{package}.{module}"
    return f"{written}.{name}", getattr(importlib.import_module(written), name)


def _inputs(resource: Resource) -> dict[str, Any]:
    """The inputs that the program set, without those that the provider added and lists under `__defaults`."""
    plain: dict[str, Any] = _plain(
        {key: value for key, value in resource.get("inputs", {}).items() if key not in _ADDED_BY_PROVIDER}
    )
    return plain


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if is_secret(value):
        return _plain(json.loads(value["plaintext"]))
    added = value.get("__defaults", [])
    return {key: _plain(item) for key, item in value.items() if key != "__defaults" and key not in added}


def _declaration(resource: Resource) -> str:
    urn = resource["urn"]
    name, depends_on = urn.rsplit("::", 1)[1], resource.get("dependencies", [])
    options = [f"depends_on=[{', '.join(f'made[{other!r}]' for other in depends_on)}]"] if depends_on else []
    if resource["type"] in _OWN:
        _, cls_name, provider = _OWN[resource["type"]]
        written, arguments = "own", [f"cls={cls_name}", f"provider={provider}()", f"properties={_inputs(resource)!r}"]
        if resource.get("additionalSecretOutputs"):
            options.append(f"additional_secret_outputs={resource['additionalSecretOutputs']!r}")
    else:
        written, cls = _class(resource)
        is_provider = resource["type"].startswith("pulumi:providers:")
        if not is_provider:
            options.insert(0, f"provider=made[{resource['provider'].rsplit('::', 1)[0]!r}]")
        names = {to_camel(parameter): parameter for parameter in inspect.signature(cls._internal_init).parameters}  # type: ignore[attr-defined]  # every generated class has it
        arguments = [f"{names[key]}={_text(key, value, is_provider)}" for key, value in _inputs(resource).items()]
    arguments.append(f"opts=ResourceOptions({', '.join(options)})")
    return f"made[{urn!r}] = {written}(\n    {name!r},\n" + "".join(f"    {each},\n" for each in arguments) + ")"


def _text(key: str, value: object, is_provider: bool) -> str:  # noqa: FBT001 - one caller
    if not is_provider:
        return repr(value)
    if key in _FROM_ENVIRONMENT:
        variable = f"os.environ[{_FROM_ENVIRONMENT[key]!r}]"
        return f"pulumi.Output.secret({variable})" if key == "minioPassword" else variable
    # A provider's inputs are text in a state; values of other types are JSON.
    return repr(json.loads(value) if isinstance(value, str) and value[:1] in "{[tf" and _is_json(value) else value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
