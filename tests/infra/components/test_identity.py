"""infra.identity in the whole program: the same identities as the plugin's, with other types."""

from typing import TYPE_CHECKING

import pulumi
import pytest

from model.policy_meaning import same_meaning
from tests.infra.components.conftest import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.components.conftest import Declared, Run

PAIRS = {
    "IamUser": "User",
    "IamPolicy": "Policy",
    "IamUserPolicyAttachment": "Attachment",
    "IamServiceAccount": "ServiceAccount",
}
WAY = {"endpoint", "region", "caPem"}


@pytest.fixture(scope="module", name="plugins")
def _plugins(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aistor", adminApi="v3")


@pytest.fixture(scope="module", name="own")
def _own(run_program: "Callable[..., Run]") -> "Run":
    return run_program("aistor", adminApi="v4")


def given(resource: "Declared") -> dict[str, object]:
    """The inputs that describe the resource, without the connection."""
    return {key: value for key, value in resource.inputs.items() if not key.startswith("__") and key not in WAY}


@pytest.mark.parametrize(("theirs", "ours"), PAIRS.items())
def test_names_parents_and_order_are_those_of_the_plugins(plugins: "Run", own: "Run", theirs: str, ours: str) -> None:
    """Every resource has a counterpart with the same name, parent and dependencies, but our user waits for policies."""
    before, after = plugins.of(theirs), own.of(ours)

    assert set(before) == set(after) != set()
    for name, resource in after.items():
        assert resource.type == f"pulumi-python:dynamic/identity:{ours}"
        assert resource.parent == before[name].parent
        waits_for = set(resource.depends_on) - (set(own.of("Policy")) if ours == "User" else set())
        assert waits_for == set(before[name].depends_on)


def test_what_is_wanted_is_what_the_plugin_is_asked_for(plugins: "Run", own: "Run") -> None:
    """Names and documents are the same; this project's resources also have the status that they enforce."""
    for theirs, ours in PAIRS.items():
        for name, resource in own.of(ours).items():
            wanted, status = given(plugins.of(theirs)[name]), given(resource).get("status")
            found = {key: value for key, value in given(resource).items() if key != "status"}
            assert status == {"User": "enabled", "ServiceAccount": "on"}.get(ours)
            assert set(found) == set(wanted)
            for key, value in wanted.items():
                assert found[key] == value or same_meaning(str(found[key]), str(value))


def test_no_secret_is_an_input(own: "Run") -> None:
    """Inputs have the server's address but no credentials; the pickled provider is a clear-text reference."""
    for kind in PAIRS.values():
        for resource in own.of(kind).values():
            assert set(resource.inputs) >= WAY
            assert "planted-admin-password" not in str(resource.inputs)
            assert isinstance(resource.inputs["__provider"], str)


def test_everything_else_is_the_same(plugins: "Run", own: "Run") -> None:
    """Buckets, lifecycle, retention and the published outputs do not differ."""
    kinds = {resource.type for resource in plugins.resources} - {
        f"minio:index/{kind[0].lower()}{kind[1:]}:{kind}" for kind in PAIRS
    }
    for kind in kinds:
        same = [[(r.name, given(r)) for r in run.resources if r.type == kind] for run in (plugins, own)]
        assert sorted(same[0], key=str) == sorted(same[1], key=str), kind
    assert own.outputs["deployment"] == plugins.outputs["deployment"]


def test_credentials_are_the_accounts_keys_and_secret(own: "Run", plugins: "Run") -> None:
    """Each identity has one pair, published as a secret."""
    found = own.outputs["credentials"]

    assert isinstance(found, Secret)
    assert set(found.value) == set(plugins.outputs["credentials"].value)
    assert found.value["worker"]["access_key_id"] == "AK-worker-key-1"


@pytest.mark.parametrize(
    ("held", "setting"),
    [("minio:index/iamUser:IamUser", "v4"), ("pulumi-python:dynamic/identity:ServiceAccount", "v3")],
)
def test_stack_managed_by_the_other_is_refused(run_program: "Callable[..., Run]", held: str, setting: str) -> None:
    """The program stops before it declares anything, and names the command that moves the stack."""
    state = {"urn:x": {"type": held, "outputs": {}}}

    with pytest.raises(pulumi.RunError, match=f"object-store switch-admin-api --stack test --to {setting}"):
        run_program("aistor", state=state, adminApi=setting)


def test_stack_managed_as_set_goes_on(run_program: "Callable[..., Run]") -> None:
    """A state that matches the config is accepted."""
    state = {"urn:x": {"type": "pulumi-python:dynamic/identity:User", "outputs": {}}}

    assert run_program("aistor", state=state, adminApi="v4").of("User")
