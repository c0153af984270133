"""`python -m verify`: exit statuses, the reports, the options, and that no probe is left."""

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.plan import build_plan
from model.taxonomy_file import load, parse
from trials.stores import running_store
from verify import gather
from verify.__main__ import main
from verify.checks import judge
from verify.gather import gather_facts
from verify.probe import new_keys
from verify.probe.smoke import writer_for
from verify.selection import Part, Selection
from verify.target import CannotRunError, Target, target_from_file, target_from_stack

if TYPE_CHECKING:
    from trials.stores import Store

PROBE = ".verify/"


@pytest.fixture(autouse=True, scope="module")
def _empty(store: "Store") -> None:
    """Other files' tests used this store."""
    store.remove_probes()


def probes_in(store: "Store") -> list[str]:
    """Every version under the probe prefix of any bucket."""
    found = []
    for bucket in store.deployment.plan.buckets:
        page = store.client.list_object_versions(Bucket=bucket.name, Prefix=PROBE)
        found += [v["Key"] for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return found


def test_right_store_exits_0(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check is proven or cannot tell, the report names every bucket, and nothing is left behind."""
    junit = tmp_path / "junit.xml"

    assert main([*files, "--junitxml", str(junit)]) == 0
    said = capsys.readouterr().out
    assert "5 buckets: 437 proven, 0 failed, 32 cannot tell" in said
    assert all(bucket.domain in said for bucket in store.deployment.plan.buckets)
    assert "cannot tell object_uploaded (joelclaw-test-usw2-ledger)" in said
    assert "cannot tell transition_as_planned (3 of: " in said
    assert "AIStor has no storage classes" in said
    assert "who may do what" in said
    assert 'failures="0"' in junit.read_text(encoding="utf-8")
    assert probes_in(store) == []


def test_reports_and_facts_are_written_and_judged_again(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The saved facts give the same reports later, without a store and without keys."""
    first, again = (
        {option: str(tmp_path / f"{name}{option[2:]}") for option in ("--json", "--html", "--save-facts")}
        for name in ("first-", "again-")
    )
    narrowed = ["--bucket", "scratch", "--identity", "worker"]

    assert main([*files, *narrowed, *(word for pair in first.items() for word in pair)]) == 0
    assert main(["--from-facts", first["--save-facts"], *(word for pair in again.items() for word in pair)]) == 0
    capsys.readouterr()
    for option, path in first.items():
        assert Path(path).read_text("utf-8") == Path(again[option]).read_text("utf-8")
    report = json.loads(Path(first["--json"]).read_text("utf-8"))
    assert (report["stack"], report["counts"].get("FAIL", 0)) == (store.deployment.stack, 0)
    assert {f["identity"] for f in report["findings"]} == {None, "worker"}
    assert {f["bucket"] for f in report["findings"]} == {None, store.plan.bucket("scratch").name}


def test_only_some_checks_ask_only_for_their_facts(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--only` runs the named checks, and those that make the others reliable."""
    report = tmp_path / "report.json"

    asked = ["--only", "range_read", "--only", "bucket_in_region", "--bucket", "scratch"]

    assert main([*files, *asked, "--json", str(report)]) == 0
    capsys.readouterr()
    checks = {finding["check"] for finding in json.loads(report.read_text("utf-8"))["findings"]}
    assert checks == {"range_read", "bucket_in_region", "endpoint_reached", "certificate_valid"}
    assert probes_in(store) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--only", "bucket_is_nice"], "--only: unknown name bucket_is_nice; known names: endpoint_reached, "),
        (["--bucket", "attic"], "--bucket: unknown name attic; known names: joelclaw-test-usw2-scratch, "),
        (["--identity", "nobody"], "--identity: unknown name nobody; known names: worker, reader, verifier"),
        (["--jobs", "0"], "--jobs: must be at least 1"),
        (["--from-facts", "none"], "give one of --stack NAME, --deployment FILE, --from-facts FILE"),
    ],
)
def test_wrong_option_is_refused_before_anything_is_sent(
    files: list[str], options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the legal values."""
    assert main([*files, *options]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "option"),
    [("--stack", "--credentials=x"), ("--from-facts", "--bucket=scratch"), ("--from-facts", "--deep")],
)
def test_option_that_would_do_nothing_is_refused(source: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option without effect is refused, not ignored."""
    assert main([source, "none", option]) == 2
    assert f"{option.partition('=')[0]}: no effect with {source}; remove it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ('{"version": 9}', "facts of version 9"),
        ('{"version": 1}', "malformed"),
        ("", "is empty"),
        ("[" * 3000, "1:202: is not JSON: recursion limit exceeded"),
        ('{"version": ' + "1" * 5000 + "}", "is not JSON: number out of range"),
        ('{"version": 1, "version": 1}', "1:16: the key 'version' appears twice"),
    ],
)
def test_facts_that_cannot_be_judged(
    tmp_path: Path, content: str | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not a record is refused with the reason."""
    path = tmp_path / "facts.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    assert main(["--from-facts", str(path)]) == 2
    assert expected in capsys.readouterr().err


def test_record_with_emptied_facts_is_refused(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the selection says was gathered must be there: an emptied part or answer is no reason to pass over it."""
    path = tmp_path / "facts.json"
    bucket = store.plan.bucket("archive").name
    assert main([*files, "--bucket", "archive", "--save-facts", str(path)]) == 0
    saved = path.read_text("utf-8")
    parts = [[bucket, part] for part in ("probe", "objects", "links", "lock", "strangers")]
    answers = [[bucket, "versioning", "value"], [bucket, "probe", "uploaded", "value"]]
    for keys in [["store"], ["store", "bucket_names", "value"], *(["buckets", *one] for one in (*parts, *answers))]:
        content = json.loads(saved)
        within = content["facts"]
        for key in keys[:-1]:
            within = within[key]
        within[keys[-1]] = None
        path.write_text(json.dumps(content), encoding="utf-8")

        assert main(["--from-facts", str(path)]) == 2
        place = ".".join(["facts", *keys]).removesuffix(".value")
        assert f"no facts at {place}, which its selection says were gathered" in capsys.readouterr().err


def test_full_disk_keeps_every_old_report(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is one line of error, its old file stays whole, and nothing else is left beside it."""
    options = ("--json", "--html", "--save-facts", "--junitxml")
    reports = {option: tmp_path / "reports" / option[2:] for option in options}
    (tmp_path / "reports").mkdir()
    for path in reports.values():
        path.write_text("old", encoding="utf-8")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("model.whole_file.os.fsync", full)
    given = [word for option, path in reports.items() for word in (option, str(path))]
    assert main([*files, "--only", "bucket_in_region", *given]) == 2

    said = capsys.readouterr().err
    assert "Traceback" not in said
    for path in reports.values():
        assert f"{path}: cannot be written: No space left on device" in said
        assert path.read_text("utf-8") == "old"
    assert len(list((tmp_path / "reports").iterdir())) == len(reports)


def test_report_that_cannot_be_written(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report that cannot be written is an error, and the run does not succeed."""
    assert main([*files, "--only", "bucket_in_region", "--json", str(tmp_path / "none" / "report.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_removed_rule_exits_1(store: "Store", files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The failure names the bucket and the rule, what was wanted and found, and the remedy."""
    bucket = store.deployment.plan.bucket("replay")
    store.put_rules(bucket, without="band-warm")
    try:
        assert main([*files, "-k", "replay", "--only", "lifecycle_as_planned"]) == 1
    finally:
        store.put_rules(bucket)
    said = capsys.readouterr().out
    assert "failed joelclaw-test-usw2-replay lifecycle_as_planned" in said
    assert "wanted: rule band-warm: all keys, expire after 180 d" in said
    assert "found:  rule band-warm: no such rule" in said
    assert re.search("object-store recover --stack [a-z]+`, then `pulumi up --refresh --stack [a-z]+`", said)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["--help"], 0), (["--stack", "a", "--deployment", "b"], 2), (["--jobs", "x"], 2), (["-k", "x"], 2)],
)
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Help exits with 0; a run that cannot start exits with 2."""
    assert main(arguments) == status
    capsys.readouterr()


def test_refused_identity_is_facts(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """The run waits for an unknown key, its checks fail, and the run ends."""
    wrong = store.target.credentials["worker"].model_copy(update={"access_key_id": "UNKNOWNKEY0000000000"})
    target = replace(store.target, credentials={**store.target.credentials, "worker": wrong})
    monkeypatch.setattr(new_keys, "PAUSES", {"InvalidAccessKeyId": 2})
    monkeypatch.setattr(new_keys, "PAUSE_SECONDS", 0.1)
    name = store.plan.bucket("scratch").name
    selection = Selection(parts=frozenset({Part.SMOKE, Part.GRANTS}), buckets=frozenset({name}))

    facts = gather_facts(target, selection=selection)

    probe = facts.buckets[name].probe
    assert probe is not None
    assert (probe.uploaded.code, probe.presigned.code) == ("InvalidAccessKeyId", "InvalidAccessKeyId")
    assert facts.grants["worker"][name]["list"].code == "InvalidAccessKeyId"


def test_locked_probe_is_left_by_wish() -> None:
    """A workload writes in a COMPLIANCE bucket only with the option; its probe stays, and the report says so."""
    with running_store("aistor") as store:
        bucket = store.plan.bucket("ledger")
        selection = Selection(parts=frozenset({Part.SMOKE}), buckets=frozenset({bucket.name}), leave_locked_probe=True)
        facts = gather_facts(store.target, selection=selection)

    probe = facts.buckets[bucket.name].probe
    assert probe is not None
    assert (probe.identity, probe.uploaded.ok, facts.buckets[bucket.name].left.value) == ("worker", True, 1)
    verdicts = {f.check: f.status.value for f in judge(store.deployment, facts, selection)}
    assert {verdicts[name] for name in ("object_uploaded", "retention_applied", "probes_removed")} == {"PASS"}


def test_matrix_is_sampled_where_there_are_many_buckets() -> None:
    """Each identity is tried in all buckets that it holds and in a sample of the others, the same every time."""
    content = {
        "bands": load().bands.model_dump(),
        "domains": {f"d{number:02}": {"band": "hot"} for number in range(40)},
        "identities": {
            "worker": {"grants": {"d07": "write"}},
            "reader": {"grants": {"*": "read"}},
            "verifier": {"verifies": True},
        },
    }
    plan = build_plan(parse(content, "x"), env="test", region_code="usw2", tls_only=True, where="x:")
    cells = [(identity.name, bucket.domain) for identity, bucket in Selection().cells(plan)]

    assert cells == [(identity.name, bucket.domain) for identity, bucket in Selection().cells(plan)]
    assert ("worker", "d07") in cells
    assert [sum(name == who for name, _ in cells) for who in ("worker", "reader", "verifier")] == [17, 40, 40]
    assert Selection().untried(plan) == 23
    assert len(Selection(full_matrix=True).cells(plan)) == 120
    assert Selection(full_matrix=True).untried(plan) == 0


def test_plan_without_verifier_cannot_be_gathered(store: "Store") -> None:
    """Without a verifier no identity may read the configuration."""
    plan = store.deployment.plan
    without = plan.model_copy(update={"identities": tuple(i for i in plan.identities if not i.verifies)})
    target = Target(store.deployment.model_copy(update={"plan": without}), store.target.credentials)

    with pytest.raises(LookupError, match="the plan has no verifier identity"):
        gather_facts(target)
    with pytest.raises(LookupError, match="no identity may write"):
        writer_for(without, plan.bucket("orphan"))
    assert gather.JOBS > 1


class TestTarget:
    """The sources of a target."""

    def test_environment_credentials(self, store: "Store", files: list[str]) -> None:
        """Each identity's key pair comes from its two variables."""
        environ = {
            f"OBJECTSTORE_{name.upper()}_{part}": value
            for name, pair in store.target.credentials.items()
            for part, value in (
                ("ACCESS_KEY_ID", pair.access_key_id),
                ("SECRET_ACCESS_KEY", pair.secret_access_key.get_secret_value()),
            )
        }
        found = target_from_file(Path(files[1]), None, environ)

        assert found.credentials == store.target.credentials
        assert store.target.credentials["worker"].secret_access_key.get_secret_value() not in repr(found)

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("deployment", "{", "is not JSON"),
            ("deployment", '{"version": 9}', "the deployment has version 9"),
            ("deployment", '{"version":' * 3000, "is not JSON: recursion limit exceeded"),
            ("deployment", "[1" + "0" * 5000 + "]", "is not JSON: number out of range"),
            ("deployment", '{"version": 1,\n"version": 1}', "2:1: the key 'version' appears twice"),
            ("credentials", '{"worker":' * 3000, "is not JSON: recursion limit exceeded"),
            ("credentials", '{"worker": {}, "worker": {}}', "1:16: the key 'worker' appears twice"),
            ("credentials", '{"w\\u001b[31m": 1}', "the credentials are malformed at w\\x1b[31m"),
            ("credentials", "{", "is not JSON"),
            ("credentials", '{"worker": 1}', "the credentials are malformed at worker"),
            ("credentials", "{}", "no credentials for worker, reader, verifier"),
            (
                "credentials",
                json.dumps(
                    {
                        "worker": {"access_key_id": "minioadmin", "secret_access_key": "x"},
                        "reader": {"access_key_id": "b", "secret_access_key": "x"},
                        "verifier": {"access_key_id": "a", "secret_access_key": "x"},
                    }
                ),
                "the credentials of worker are the vendor's publicly known defaults",
            ),
        ],
    )
    def test_malformed_file(self, files: list[str], name: str, content: str, expected: str) -> None:
        """A malformed file is refused before anything is sent, and the error names it."""
        path = Path(files[1 if name == "deployment" else 3])
        path.write_text(content, encoding="utf-8")

        with pytest.raises(CannotRunError) as caught:
            target_from_file(Path(files[1]), Path(files[3]))
        assert expected in str(caught.value)

    def test_pipe_without_a_writer(self, files: list[str], tmp_path: Path) -> None:
        """A named pipe into which nobody writes is refused, and the command does not wait for ever."""
        os.mkfifo(tmp_path / "pipe", 0o600)
        with pytest.raises(CannotRunError, match="is a pipe into which no program writes"):
            target_from_file(tmp_path / "pipe", Path(files[3]))
        with pytest.raises(CannotRunError, match="is a pipe into which no program writes"):
            target_from_file(Path(files[1]), tmp_path / "pipe")

    @pytest.mark.parametrize("identities", [5, [5], [None], {"name": "worker"}])
    def test_plan_of_another_form(self, files: list[str], identities: object) -> None:
        """With pairs in the environment, a plan of another form is refused like any malformed deployment."""
        path = Path(files[1])
        content = json.loads(path.read_text(encoding="utf-8"))
        content["plan"]["identities"] = identities
        path.write_text(json.dumps(content), encoding="utf-8")

        with pytest.raises(CannotRunError, match=r"plan\.identities"):
            target_from_file(path, None, {})

    def test_open_or_missing_credentials_file(self, files: list[str], tmp_path: Path) -> None:
        """A credentials file that other users can read, or that is missing, is refused."""
        Path(files[3]).chmod(0o640)
        with pytest.raises(CannotRunError, match="chmod 600"):
            target_from_file(Path(files[1]), Path(files[3]))
        with pytest.raises(CannotRunError, match="No such file"):
            target_from_file(Path(files[1]), tmp_path / "none")
        with pytest.raises(CannotRunError, match="No such file"):
            target_from_file(tmp_path / "none", None)

    def test_plan_without_verifier(self, store: "Store", files: list[str]) -> None:
        """A deployment without a verifier is refused."""
        content = json.loads(store.deployment.model_dump_json())
        content["plan"]["identities"] = content["plan"]["identities"][:1]
        Path(files[1]).write_text(json.dumps(content), encoding="utf-8")

        with pytest.raises(CannotRunError, match="the plan has no verifier identity"):
            target_from_file(Path(files[1]), Path(files[3]))

    def test_malformed_endpoint(self, store: "Store", files: list[str]) -> None:
        """An endpoint that is not a URL stops the run."""
        content = json.loads(store.deployment.model_dump_json())
        content["endpoint"] = "127.0.0.1:9000"
        Path(files[1]).write_text(json.dumps(content), encoding="utf-8")

        with pytest.raises(CannotRunError, match="has no scheme"):
            target_from_file(Path(files[1]), Path(files[3]))
        assert target_from_file(Path(files[1]), Path(files[3]), via="provisioning").endpoint is not None

    def test_on_aws_the_sdk_variables_count(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """AWS_ENDPOINT_URL is used; the caller's S3_ENDPOINT is not."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")
        monkeypatch.setenv("S3_ENDPOINT", "https://other.example")
        target = replace(store.target, endpoint=None)

        assert target.config("worker").endpoint == "https://aws.example"

    def test_stack_outputs(
        self, store: "Store", files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stack's outputs are read with the `pulumi` on the PATH."""
        outputs = {
            key: json.loads(Path(path).read_text("utf-8"))
            for key, path in zip(("deployment", "credentials"), files[1::2], strict=True)
        }
        program = tmp_path / "pulumi"
        (tmp_path / "outputs").write_text(json.dumps(outputs), encoding="utf-8")
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *--stack\\ gone*) echo "error: no stack named gone" >&2; exit 255;;\n'
            f'*--stack\\ empty*) echo "{{}}";; *) cat {tmp_path}/outputs;; esac\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        assert target_from_stack("test").deployment == store.deployment
        with pytest.raises(CannotRunError, match="no stack named gone"):
            target_from_stack("gone")
        with pytest.raises(CannotRunError, match="has published nothing yet"):
            target_from_stack("empty")
        with pytest.raises(CannotRunError, match="is not a stack name"):
            target_from_stack("; rm")
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(CannotRunError, match="pulumi is not on the path"):
            target_from_stack("test")
