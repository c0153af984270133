"""`object-store preview` around the engine: its arguments, the buckets that it reads, its output and exit status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.deployment import KeyPair
from ops.preview import command, engine
from ops.preview.change import Aspect, Change, Risk
from ops.preview.shape import BucketShape, StoreShape
from stack.outputs import NothingPublishedError, Published
from stack.runner import EngineError
from tests.console import command as console
from trials.stores import Store

main = console("preview")

Pulumi = Callable[[str], Path]


def resource(kind: str, name: str, **inputs: object) -> dict[str, Any]:
    """The state of a resource."""
    return {"urn": f"urn:pulumi:local::object-store::{kind}::{name}", "type": kind, "inputs": inputs}


def shortened(bucket: str) -> dict[str, Any]:
    """A preview in which a bucket's expiry changes from 365 to 90 days."""

    def lifecycle(days: int) -> dict[str, Any]:
        rules = [{"id": "band-warm", "expiration": f"{days}d"}]
        return resource("minio:index/ilmPolicy:IlmPolicy", "scratch-lifecycle", bucket=bucket, rules=rules)

    kept = resource("minio:index/s3Bucket:S3Bucket", "scratch", bucket=bucket)
    return {
        "steps": [
            {"op": "same", "urn": kept["urn"], "oldState": kept, "newState": kept},
            {"op": "update", "urn": "x", "oldState": lifecycle(365), "newState": lifecycle(90)},
        ]
    }


@pytest.fixture(name="pulumi")
def _pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    """A `pulumi` on PATH that runs a script."""

    def make(script: str) -> Path:
        path = tmp_path / "bin" / "pulumi"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
        return path

    return make


def printing(tmp_path: Path, preview: dict[str, Any], status: int = 0) -> str:
    """A script that prints a preview."""
    path = tmp_path / "preview.json"
    path.write_text(json.dumps(preview), encoding="utf-8")
    return f'echo "$@" > {tmp_path}/asked; cat {path}; exit {status}'


def test_engine_is_asked_for_the_whole_and_never_interactively(pulumi: Pulumi, tmp_path: Path) -> None:
    """Unchanged resources are requested too; otherwise one side of the comparison would lack them."""
    pulumi(printing(tmp_path, {"steps": []}))
    assert engine.engine_preview("local", refresh=True) == ({"steps": []}, 0)

    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked[0] == "preview"
    assert {"--json", "--show-sames", "--refresh", "--non-interactive"} <= set(asked)
    assert asked[asked.index("--stack") + 1] == "local"


def test_failure_that_is_not_explained_is_an_error(
    pulumi: Pulumi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy pack's refusal is not in the engine's JSON, only in its exit status."""
    preview = {"steps": [], "diagnostics": [{"message": "error: preview failed", "severity": "error"}]}
    pulumi(printing(tmp_path, preview, status=255))

    assert main(["--stack", "local"]) == 2
    assert "pulumi preview --stack local" in capsys.readouterr().out


def test_refresh_that_fails_names_the_way_back(
    pulumi: Pulumi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A provider's error about what is gone does not say what helps; without a refresh the store was not read."""
    error = {"message": "unable to read policy joelclaw-local-worker", "severity": "error"}
    pulumi(printing(tmp_path, {"steps": [], "diagnostics": [error]}, status=255))
    line = "object-store recover --stack local"

    assert main(["--stack", "local", "--refresh"]) == 2
    said = capsys.readouterr().out
    assert "unable to read policy" in said
    assert line in said
    assert main(["--stack", "local"]) == 2
    assert line not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo \"error: no stack named 'x' found\" >&2; exit 255", "pulumi stack ls"),
        ('echo \'{"diagnostics": [{"message": "no backend"}]}\'; exit 1', "no backend"),
        ("echo '[]'", "printed no preview"),
    ],
)
def test_no_preview_is_an_error_with_what_the_engine_said(
    pulumi: Pulumi, capsys: pytest.CaptureFixture[str], script: str, expected: str
) -> None:
    """The exit status is 2, with the engine's message and what to do about it."""
    pulumi(script)

    assert main(["--stack", "local", "--quiet"]) == 2
    assert expected in capsys.readouterr().err


def test_no_engine_and_no_stack_name_are_said(monkeypatch: pytest.MonkeyPatch, pulumi: Pulumi) -> None:
    """A name that could be an option or a path never reaches a command line."""
    pulumi("exit 0")
    with pytest.raises(EngineError, match="is not a stack name"):
        engine.engine_preview("a;b", refresh=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="pulumi is not on the path"):
        engine.engine_preview("local", refresh=False)


def test_buckets_to_read_are_those_with_less_time_and_those_that_go() -> None:
    """A shorter life of objects or versions, deletion and replacement count; other dangers do not."""

    def changed(subject: str, aspect: Aspect, risk: Risk = Risk.DANGER) -> Change:
        return Change(subject, "changes", risk, aspect)

    before = StoreShape({name: BucketShape(name, f"b-{name}") for name in ("shorter", "gone", "other", "old")})
    after = StoreShape(
        {
            "shorter": BucketShape("shorter", "b-shorter"),
            "other": BucketShape("other", "b-other"),
            "new": BucketShape("new", "b-old"),
        }
    )
    changes = [
        changed("shorter", Aspect.LIFECYCLE),
        changed("gone", Aspect.WHOLE),
        changed("other", Aspect.VERSIONING),
        changed("new", Aspect.LIFECYCLE),
        changed("worker", Aspect.WHOLE),
    ]

    questions = command.questions_of(changes, before, after)
    assert [(q.domain, q.bucket, q.removed) for q in questions] == [
        ("shorter", "b-shorter", False),
        ("gone", "b-gone", True),
        ("new", "b-old", False),
    ]


def published_of(store: Store) -> Published:
    """The outputs that the stack of a test store would publish."""
    return Published(store.target.deployment, store.target.credentials, "stack local")


def test_data_at_risk_is_in_every_form(
    aged_store: Store,
    pulumi: Pulumi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The live bucket is read, and text, markdown and JSON have the same counts."""
    bucket = aged_store.plan.bucket("scratch").name
    pulumi(printing(tmp_path, shortened(bucket)))
    monkeypatch.setattr(command, "read_published", lambda _stack: published_of(aged_store))
    told: dict[str, str] = {}
    for form in ("text", "markdown", "json"):
        assert main(["--stack", "local", "--data-at-risk", "--format", form]) == 1
        told[form] = capsys.readouterr().out

    (found,) = json.loads(told["json"])["data_at_risk"]
    # All objects except the probe are older than 90 days.
    assert found["current"]["at_once"]["objects"] == 6
    assert found["current"]["at_once"]["size_bytes"] == 20 + 3 + 1000 + 7 + 4000 + 50
    assert found["current"]["at_once"]["oldest"].startswith("2025-01-02T10:00")
    sentence = found["sentences"][0]
    assert "6 objects (5.1 kB) would be eligible to expire at once" in sentence
    assert sentence in told["text"]
    assert "6 objects (5.1 kB) would be eligible to expire at once" in told["markdown"]


def test_bucket_that_cannot_be_read_is_said_and_the_rest_is_told(
    aged_store: Store,
    pulumi: Pulumi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each unreadable bucket gets a line: no grant, no key, refused keys, or a stack never deployed."""
    bucket = aged_store.plan.bucket("scratch").name
    pulumi(printing(tmp_path, shortened(bucket)))
    published = published_of(aged_store)
    deployment, pairs = published.deployment, published.credentials
    bad = {
        name: KeyPair.model_validate({"access_key_id": "AKnobody", "secret_access_key": "planted-secret"})
        for name in pairs
    }
    nobody = deployment.model_copy(update={"plan": deployment.plan.model_copy(update={"identities": ()})})

    def never_deployed(_stack: str) -> Published:
        raise NothingPublishedError

    monkeypatch.setattr(command, "read_published", never_deployed)
    assert main(["--stack", "local", "--data-at-risk"]) == 1
    assert "could not be read: the stack was never deployed" in " ".join(capsys.readouterr().out.split())
    for answer, expected in (
        (Published(nobody, pairs, ""), f"scratch: no identity of the stack may read {bucket}"),
        (Published(deployment, {}, ""), f"scratch: no identity of the stack may read {bucket}"),
        (Published(deployment, bad, ""), "InvalidAccessKeyId"),
    ):
        monkeypatch.setattr(command, "read_published", lambda _stack, answer=answer: answer)
        assert main(["--stack", "local", "--data-at-risk"]) == 1
        said = capsys.readouterr().out
        assert "could not be read" in said
        assert expected in said
        assert "planted-secret" not in said


def test_text_in_a_file_has_no_styles(pulumi: Pulumi, tmp_path: Path) -> None:
    """`--out` writes the terminal's text without escape codes."""
    pulumi(printing(tmp_path, shortened("b")))
    path = tmp_path / "said.txt"

    assert main(["--stack", "local", "--out", str(path)]) == 1
    text = path.read_text(encoding="utf-8")
    assert text.startswith("local: 1 dangerous, 0 to notice, 0 safe; 1 resources unchanged\n")
    assert "\x1b" not in text


def test_file_that_cannot_be_written_is_an_error(
    pulumi: Pulumi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 2, and the message has the path."""
    pulumi(printing(tmp_path, {"steps": []}))

    assert main(["--stack", "local", "--out", str(tmp_path / "none" / "x")]) == 2
    assert str(tmp_path / "none" / "x") in capsys.readouterr().err
