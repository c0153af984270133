"""The whole pack, and that the engine can start it from any folder."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pulumi_policy import EnforcementLevel, PolicyPack

from policy import pack
from tests.policy.conftest import BY_NAME

ROOT = Path(__file__).parents[2]


def test_every_policy_says_why() -> None:
    """Names are unique, and each description gives a reason after a colon."""
    assert len(BY_NAME) == len(pack.POLICIES)
    for policy in pack.POLICIES:
        assert re.fullmatch(r".+: .{20,}\.", policy.description, re.DOTALL), policy.name


def test_every_policy_is_mandatory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No policy has a lower level, and the pack's level is mandatory."""
    given: dict[str, object] = {}

    def record(_pack: PolicyPack, name: str, policies: object, **options: object) -> None:
        given.update(options, name=name, policies=policies)

    monkeypatch.setattr(PolicyPack, "__init__", record)
    pack.serve()

    assert given == {"name": pack.NAME, "policies": pack.POLICIES, "enforcement_level": EnforcementLevel.MANDATORY}
    assert {policy.enforcement_level for policy in pack.POLICIES} == {None}


def test_only_what_a_disposable_stack_needs_can_be_configured() -> None:
    """Exactly two policies have a config, and the shipped file sets both."""
    configurable = {policy.name for policy in pack.POLICIES if policy.config_schema}
    shipped = json.loads((ROOT / "policy" / "disposable.json").read_text(encoding="utf-8"))

    assert configurable == {"bucket-protect", "bucket-force-destroy"}
    assert shipped == {name: {"disposable": True} for name in configurable}


def test_pack_starts_by_its_folder_from_anywhere(tmp_path: Path) -> None:
    """The engine starts it by path, from another folder, without PYTHONPATH; it prints its port."""
    project = yaml.safe_load((ROOT / "policy" / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    assert project["runtime"]["options"]["virtualenv"] == "../.venv"

    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-u", str(ROOT / "policy")], cwd=tmp_path, env={}, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        port = started.stdout.readline()
        started.terminate()

    assert re.fullmatch(r"[0-9]+\n", port)
