"""`verify` under each faulty answer: one sentence or the right findings, every report, an end; never a traceback."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.exit_codes import ExitCode
from tests.sizes import sized
from trials.faults import Fault, On
from trials.faulty_answers import OPERATIONS, TABLE, FaultyAnswer
from trials.faulty_proxy import FaultyProxy
from verify import gather
from verify.__main__ import main
from verify.probe import new_keys, session

if TYPE_CHECKING:
    from trials.stores import Store

BUCKET = ["--bucket", "scratch", "--identity", "worker"]
REPORTS = {"--json": "r.json", "--html": "r.html", "--junitxml": "r.xml", "--save-facts": "facts.json"}
# For a change every few rows; each run of the suite takes a second of CPU.
ROWS = TABLE[:: sized(9, 1)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(gather, "READ_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(session, "BUSY_PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(new_keys, "PAUSE_SECONDS", 0.01)


@pytest.fixture(name="proxy")
def _proxy(store: "Store") -> Iterator[FaultyProxy]:
    with FaultyProxy(store.server.endpoint, store.server.ca_bundle) as proxy:
        yield proxy
    store.remove_probes()  # another file's tests use this store next, and a faulty answer keeps a run from its sweep


def _to_all(fault: Fault) -> Fault:
    given = fault.when
    assert isinstance(given, On)
    fault.when = On(skip=given.skip, times=given.times)
    return fault


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}: {row.name}")
def test_verify_ends_with_a_verdict(
    files: list[str],
    proxy: FaultyProxy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    row: FaultyAnswer,
) -> None:
    """Exit status 1 with findings, 2 with one sentence, or 0 without a finding; every report is written."""
    deployment = Path(files[1])
    content = json.loads(deployment.read_text("utf-8"))
    content["endpoint"] = content["provisioning_endpoint"] = proxy.endpoint
    content["ca_pem"] = proxy.ca_pem
    deployment.write_text(json.dumps(content), encoding="utf-8")
    proxy.faults = (_to_all(row.make(next(op for op in OPERATIONS if op in row.happens))),)

    status = main([*files, *BUCKET, *(word for o, n in REPORTS.items() for word in (o, str(tmp_path / n)))])

    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert {name for name in REPORTS.values() if not (tmp_path / name).stat().st_size} == set()
    if status == ExitCode.CANNOT:
        assert re.fullmatch(r"verify could not finish: [^\n]+\n", told.err)
        assert not re.search(r"Error at |usable certificate", told.err)  # a fault of ours, or the wrong one
    else:
        assert told.err == ""
        assert status == bool(json.loads((tmp_path / "r.json").read_text("utf-8"))["counts"].get("FAIL"))
