"""The preflight under each faulty answer: findings and their report, or one sentence; an end; never a traceback."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from botocore.config import Config

from infra import admin_api
from model.exit_codes import ExitCode
from ops.preflight import server as preflight_server
from sandbox.server.temporary import RunningServer
from tests.ops.preflight.test_preflight import FakePulumi, _aistor, _pulumi, main, state_of  # noqa: F401  # fixtures
from tests.running_stores import config_of
from tests.sizes import sized
from trials.faults import On
from trials.faulty_answers import OPERATIONS, TABLE, FaultyAnswer
from trials.faulty_proxy import FaultyProxy

# For a change every few rows; each run takes half a second of CPU.
ROWS = TABLE[:: sized(17, 1)]
SECONDS = 1


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = preflight_server._BOUNDED.merge(Config(read_timeout=SECONDS))
    monkeypatch.setattr(preflight_server, "_BOUNDED", bounded)
    monkeypatch.setattr(preflight_server, "READ_TIMEOUT_SECONDS", SECONDS)
    monkeypatch.setattr(admin_api, "QUESTION_TIMEOUT", SECONDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}: {row.name}")
def test_preflight_ends_with_findings(
    pulumi: FakePulumi, aistor: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], row: FaultyAnswer
) -> None:
    """Exit status 0 or 1 with the findings in the report, 2 with one sentence; the password is nowhere."""
    fault = row.make(next(operation for operation in OPERATIONS if operation in row.happens))
    assert isinstance(fault.when, On)
    fault.when = On(skip=fault.when.skip, times=fault.when.times)
    report, admin = tmp_path / "found.json", aistor.admin
    with FaultyProxy(aistor.endpoint, aistor.ca_bundle, fault) as proxy:
        server = dataclasses.replace(aistor, endpoint=proxy.endpoint, ca_bundle=proxy.ca_bundle)
        pulumi.holds(
            "local",
            config_of(server, env="test"),
            state_of(server.endpoint, admin.user, admin.password, "joelclaw-test-usw2-media-raw"),
        )
        status = main(["--stack", "local", "--json", str(report)])

    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert admin.password not in told.out + told.err + (report.read_text("utf-8") if report.exists() else "")
    if status == ExitCode.CANNOT:
        assert re.fullmatch(r"preflight of local could not run: [^\n]+\n", told.err)
        return
    assert told.err == ""
    levels = {finding["level"] for finding in json.loads(report.read_text("utf-8"))["findings"]}
    assert levels
    assert status == ("STOP" in levels)
