"""The programs of a delivery: what they get from the environment."""

import pytest

from ops.keys.outside import run


@pytest.mark.parametrize(
    "name",
    ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN", "AISTOR_ROOT_PASSWORD", "PYTHONWARNINGS", "PYTHONINSPECT"],
)
def test_program_does_not_get_what_is_not_for_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`kubectl` and `secrets` get neither the state's secrets nor Python's switches, but their own variables."""
    monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("KUBECONFIG", "/own/config")

    lines = run(["env"]).output.splitlines()
    assert "KUBECONFIG=/own/config" in lines
    assert f"{name}=planted" not in lines
