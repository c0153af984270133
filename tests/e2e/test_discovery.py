"""A page and a repository on the two deployed stacks, with the delivered key of `worker` and nothing wider."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from model.exit_codes import ExitCode
from tests.e2e.conftest import delivered, emptied, resolved
from tests.workloads.discovery.ending import AT
from tests.workloads.discovery.web import answer, git_server, make_repository, serving
from tests.workloads.events.test_events import golden
from workloads.discovery.put import PutOptions, run
from workloads.discovery.reach import Reach

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e

PAGE = b"<!doctype html><title>A find</title><h1>A find</h1><p>Text of the page."


@pytest.fixture(name="delivered_key")
def _delivered_key(checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with delivered(checkout, stack, "worker", "discovery-raw", tmp_path, monkeypatch):
        yield
        emptied(checkout, stack, "media-derived")


@pytest.mark.usefixtures("delivered_key")
def test_discoveries_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Captured, found by a second call, failed with a reason, refused; the printed event leads to the same bytes."""
    commit = make_repository(tmp_path / "repositories/owner/tool", {"README.md": "# A tool\n"})
    with serving() as web:
        config = tmp_path / "workloads.yaml"
        paths = {name: str(tmp_path / name) for name in ("state", "receipts")}
        cloned = {"clone": [f"page.test:{web.port}"]}
        config.write_text(yaml.safe_dump({"machine": "box", **paths, "discovery": cloned}))
        reach = Reach(lambda *_: [web.host], frozenset({(web.host, web.port)}))
        web.routes |= {"/a": answer(PAGE), "/owner": git_server(tmp_path / "repositories")}

        def put(path: str) -> tuple[int, dict[str, object]]:
            url = f"http://page.test:{web.port}{path}"
            status = run(PutOptions(config, quiet=True, as_json=True, url=url, at=AT), reach=reach)
            return status, json.loads(capsys.readouterr().out)

        status, page = put("/a")
        assert (status, page["status"]) == (ExitCode.DONE, "captured")
        assert put("/a") == (ExitCode.DONE, page)
        status, repository = put("/owner/tool")
        assert (status, repository["commit"]) == (ExitCode.DONE, commit)
        status, failed = put("/missing")
        assert (status, failed["reason"]) == (ExitCode.WRONG, "the server answered 404")

    event: Any = page["event"]
    note = golden("discovery/captured", "before")["data"]
    assert set(page["eventNeeds"]) <= note.keys()  # type: ignore[call-overload]  # a list
    whole = {**event, "data": {**note, **event["data"]}}
    assert resolved(config, whole, tmp_path / "raw") == PAGE
    assert resolved(config, whole, tmp_path / "extract", "extractRef") == b"# A find\n\nText of the page.\n"
