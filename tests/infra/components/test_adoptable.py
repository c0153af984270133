"""ops.adopt.adoptable describes every resource as the program declares it; otherwise the import would differ."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.program import plan_for
from infra.settings import settings_from
from model.resources import PROVIDER, STORE
from ops.adopt.adoptable import Held, adoptables, import_file
from ops.provider_in_state import provider_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.policies import Cloud
    from model.resources import AdminApiVersion
    from tests.infra.components.conftest import Run

# `pulumi up` creates these: a key's secret cannot be read back, and AIStor's other two can be set again.
LEFT_TO_UP = ("ServiceAccount", "AccessKey", "DefaultRetention", "NoBucketPolicy")
OURS = ("pulumi:providers:", "object-store:", "pulumi:pulumi:")
# With so many and such long names the verifier gets several small policies.
DOMAINS = {"a": {"band": "hot"}, "b": {"band": "cold"}, **{f"{'long' * 10}-{n}": {"band": "hot"} for n in range(9)}}


@pytest.mark.usefixtures("small_policies")
@pytest.mark.parametrize(("cloud", "by"), [("aistor", "v3"), ("aistor", "v4"), ("aws", "v4")])
def test_names_types_and_provider_are_the_programs(
    run_program: "Callable[..., Run]", cloud: "Cloud", by: "AdminApiVersion"
) -> None:
    """Type, name and parent of each resource, and every input of the provider, are as declared."""
    more: dict[str, Any] = {"domains": DOMAINS}
    if cloud == "aws":
        more["allowedAccountIds"] = ["123456789012"]
    else:
        more["adminApi"] = by
    run = run_program(cloud, **more)
    (declared,) = [one for one in run.resources if one.type == PROVIDER[cloud]]
    values = {
        "cloud": cloud,
        "env": "local",
        "region": "us-west-2",
        "domains": json.dumps(DOMAINS),
    }
    if cloud == "aws":
        values["allowedAccountIds"] = '["123456789012"]'
    else:
        server = declared.inputs["minioServer"]
        values |= {
            "endpoint": f"http://{server}",
            "adminUser": "provisioner",
            "adminPassword": "planted-admin-password",
        }
    # The stack's name is in the tags, and the mocks use "test".
    settings = settings_from(values, "test", Path.cwd(), {})
    plan = plan_for(settings, None)

    found = adoptables(plan, cloud, "123456789012", [bucket.name for bucket in plan.buckets], by)
    by_engine = [one for one in found if not one.own]
    file = import_file(by_engine, Held(frozenset(), {}, 0), cloud, provider_inputs(settings, None, password=True))

    wanted = {
        (one.type, one.name)
        for one in run.resources
        if not one.type.startswith(OURS) and not one.type.endswith(LEFT_TO_UP)
    }
    assert {(one.kind, one.name) for one in found} == wanted
    assert [one.id for one in found if one.name == "verifier-policy-2"]
    store, provider, *rest = file["resources"]
    assert (store["type"], store["logicalName"]) == (STORE[cloud], "store")
    assert (store["type"], store["logicalName"]) in {(one.type, one.name) for one in run.resources}
    assert (provider["type"], provider["logicalName"]) == (declared.type, declared.name)
    inputs = {key: value for key, value in declared.inputs.items() if key not in ("__internal", "minioPassword")}
    assert {key: value for key, value in provider["inputs"].items() if key != "minioPassword"} == inputs
    assert {one["parent"] for one in rest} == {store["name"]}
    assert {one["provider"] for one in rest} == {provider["name"]}
