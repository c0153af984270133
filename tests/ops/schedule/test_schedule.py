"""`object-store schedule` prints what launchd and Kubernetes take; what cannot run is refused by its key."""

import json
import plistlib
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import kubernetes_validate
import pytest
import yaml

from cli.main import main
from ops.schedule.jobs import ZONE, jobs_of, local_times
from workloads.context import WORKS
from workloads.settings import SOURCES

#: The keys that we use, with their types, as `man 5 launchd.plist` has them (macOS 15:
#: https://keith.github.io/xcode-man-pages/launchd.plist.5.html); StartCalendarInterval is a dictionary or an array.
LAUNCHD: dict[str, type | tuple[type, ...]] = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "WorkingDirectory": str,
    "StartCalendarInterval": (dict, list),
    "StartInterval": int,
    "RunAtLoad": bool,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "ExitTimeOut": int,
    "Umask": (int, str),
    "Nice": int,
}
#: Of an entry of StartCalendarInterval, with the legal numbers there; in Weekday 0 and 7 are Sunday.
CALENDAR = {
    "Minute": range(60),
    "Hour": range(24),
    "Day": range(1, 32),
    "Weekday": range(8),
    "Month": range(1, 13),
}
SETTINGS: dict[str, Any] = {
    "machine": "box",
    "state": "/data/state",
    "receipts": "/data/state/receipts",
    "store": {"variables": "/delivered.env"},
    "sessions": {"sources": {"notes": "/data/notes"}},
    "vault": {"path": "/vault"},
    "otel": {"outbox": "/data/outbox", "password_file": "/data/clickhouse.password"},
}
IMAGE = f"ghcr.io/joelhooks/object-store@sha256:{'0' * 64}"
POD = ("--image", IMAGE, "--claim", "/data=joel-data", "--claim", "/vault=joel-vault")
JOBS = [job for name in WORKS for job in jobs_of(name, 1)]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def written(folder: Path, **more: object) -> str:
    """A configuration; a key that is None is left out."""
    path = folder / "workloads.yaml"
    merged = {name: value for name, value in {**SETTINGS, **more}.items() if value is not None}
    path.write_text(json.dumps(merged))
    return str(path)


def scheduled(capsys: pytest.CaptureFixture[str], what: str, config: str, *words: str, status: int = 0) -> str:
    """What the command prints, or says if it must fail."""
    capsys.readouterr()
    assert main(["schedule", "--for", what, "--config", config, *words]) == status
    said = capsys.readouterr()
    return said.err if status else said.out


def plists(text: str) -> Iterator[dict[str, Any]]:
    """The plists of a stream."""
    for one in re.findall(r"<\?xml.*?</plist>\n", text, re.DOTALL):
        yield plistlib.loads(one.encode())


def times(plist: dict[str, Any]) -> list[dict[str, int]]:
    """When a plist's job runs."""
    found = plist["StartCalendarInterval"]
    return found if isinstance(found, list) else [found]


def pods_of(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ConfigMap and the CronJobs."""
    first, *rest = yaml.safe_load_all(text)
    return first, rest


def off() -> dict[str, None]:
    """The default sources, switched off: they are below the home folder of a person."""
    return dict.fromkeys(SOURCES)


def cron_jobs(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[Any, list[dict[str, Any]]]:
    """The ConfigMap and the CronJobs of both workloads."""
    config = written(folder, sessions={"sources": {**off(), "notes": "/data/notes"}})
    return pods_of(scheduled(capsys, "kubernetes", config, *POD, *words))


class TestLaunchd:
    """Plists."""

    def test_launchd_takes_them(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each key is documented, and has the documented type; times are legal; paths are absolute."""
        config = written(folder)
        text = scheduled(capsys, "launchd", config, "--time-zone", "America/Los_Angeles")

        found = list(plists(text))
        assert [one["Label"].rpartition(".")[2] for one in found] == [job.name for job in JOBS]
        for one in found:
            assert {name: type(value) for name, value in one.items() if not isinstance(value, LAUNCHD[name])} == {}
            assert [type(word) for word in one["ProgramArguments"]] == [str] * len(one["ProgramArguments"])
            assert all(value in CALENDAR[key] for each in times(one) for key, value in each.items())
            for path in (one["ProgramArguments"][0], one["StandardErrorPath"], one["WorkingDirectory"]):
                assert Path(path).is_absolute()

    def test_what_was_missed_runs_later(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Launchd makes up for a time of day after a sleep; what was off at that time runs when it starts."""
        found = {one["Label"]: one for one in plists(scheduled(capsys, "launchd", written(folder)))}

        assert not [one for one in found.values() if "StartInterval" in one or not times(one)]
        assert [name for name, one in found.items() if one["RunAtLoad"]] == [
            "com.joelclaw.object-store.sessions-archive",
            "com.joelclaw.object-store.vault-snapshot",
            "com.joelclaw.object-store.otel-export",
        ]
        # A week has two drills, so one that was off at one of them proves a restore within 7 days.
        assert len(times(found["com.joelclaw.object-store.vault-drill"])) == 2

    def test_environment(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """PATH, HOME, locale and logs are in it, no secret is, and a comment names the program that reads the disk."""
        text = scheduled(capsys, "launchd", written(folder))

        for one in plists(text):
            environ = one["EnvironmentVariables"]
            assert environ["HOME"] == str(folder)
            assert {"/usr/bin", "/bin", "/opt/homebrew/bin"} <= set(environ["PATH"].split(":"))
            assert environ["LC_ALL"].endswith("UTF-8")
            assert set(environ) == {"PATH", "HOME", "LANG", "LC_ALL", "OBJECT_STORE_WORKLOADS"}
            assert one["StandardErrorPath"].startswith(f"{folder}/Library/Logs/object-store/")
        assert text.count("<!-- Full Disk Access") == len(JOBS)

    def test_written_to_a_folder(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each file is one plist; the folder of the logs exists, and the output has the lines that load them."""
        to = folder / "it's mine"
        to.mkdir()
        out = scheduled(capsys, "launchd", written(folder), "--to", str(to), "--workload", "vault")

        for path in to.glob("*.plist"):
            assert plistlib.loads(path.read_bytes())["Label"] == path.stem
        assert {shlex.split(line)[-1] for line in out.splitlines()} == set(map(str, to.glob("*.plist")))
        assert len(list(to.glob("*.plist"))) == len(jobs_of("vault", 1))
        assert (folder / "Library/Logs/object-store").is_dir()

    def test_several_days(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A workload that is archived every third day runs on days that are never further apart."""
        config = written(folder, vault={"every_days": 3})
        (one, *_) = plists(scheduled(capsys, "launchd", config, "--workload", "vault"))

        assert [each["Weekday"] for each in times(one)] == [0, 3, 6]


@pytest.mark.parametrize(
    "zone",
    ["America/Los_Angeles", "UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Kiritimati"],
)
def test_never_in_the_two_hours_of_maintenance(zone: str) -> None:
    """In each zone and on each day of a year, no job's time is between 01:00 and 03:00 in Los Angeles."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    for job in JOBS:
        for weekday, hour, minute in local_times(job, ZoneInfo(zone), now):
            days = []
            for day in range(366):
                at = datetime(2026, 12, 1, hour, minute, tzinfo=ZoneInfo(zone)) + timedelta(days=day)
                there = at.astimezone(ZoneInfo(ZONE))
                assert not 1 <= there.hour < 3, (zone, job.name, there)
                assert 4 <= there.hour < 8
                if weekday is not None and at.isoweekday() % 7 == weekday:
                    days.append(there.isoweekday() % 7)
            assert set(days) <= set(job.weekdays)


class TestKubernetes:
    """CronJobs."""

    @pytest.mark.parametrize("version", ["1.31.0", kubernetes_validate.latest_version()])
    def test_kubernetes_takes_them(self, folder: Path, capsys: pytest.CaptureFixture[str], version: str) -> None:
        """They follow the API's schemas exactly, and every name is short enough."""
        plain, jobs = cron_jobs(capsys, folder)

        for document in (plain, *jobs):
            kubernetes_validate.validate(document, version, strict=True)
        assert len(jobs) == len(JOBS)
        assert max(len(one["metadata"]["name"]) for one in jobs) <= 52

    def test_no_run_is_lost_and_none_blocks_others(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Late starts, overlaps, hanging pods and the time zone are all set; 1 is an answer and not tried again."""
        _, jobs = cron_jobs(capsys, folder)

        for one in jobs:
            spec, job = one["spec"], one["spec"]["jobTemplate"]["spec"]
            assert (spec["timeZone"], spec["concurrencyPolicy"]) == (ZONE, "Forbid")
            # The controller gives up after 100 starts that were missed within the deadline.
            assert 0 < spec["startingDeadlineSeconds"] < 86400
            minute, hour = map(int, spec["schedule"].split()[:2])
            assert hour * 60 + minute >= 3 * 60
            assert hour * 3600 + minute * 60 + spec["startingDeadlineSeconds"] < 25 * 3600
            assert 0 < job["activeDeadlineSeconds"] < 86400
            assert job["backoffLimit"] == 2
            assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [1]
            (container,) = job["template"]["spec"]["containers"]
            assert set(container["resources"]) == {"requests", "limits"}

    def test_volumes(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Keys come as files of the delivered Secret; what is only read is mounted so."""
        plain, jobs = cron_jobs(capsys, folder, "--workload", "vault")
        pod = jobs[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        volumes = {one["name"]: one for one in pod["volumes"]}

        mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
        assert not mounts["/data"].get("readOnly")
        assert mounts["/vault"]["readOnly"]
        assert volumes["store"]["projected"]["sources"][1] == {"secret": {"name": "objectstore-vault-backup"}}
        assert container["command"][-2:] == ["--store", "/etc/objectstore"]
        assert not [one for one in container["env"] if "valueFrom" in one]
        held = yaml.safe_load(plain["data"]["workloads.yaml"])
        assert (held["machine"], "store" in held) == ("box", False)


@pytest.mark.parametrize("workload", ["vault", "otel"])
def test_window_of_a_pod(folder: Path, capsys: pytest.CaptureFixture[str], workload: str) -> None:
    """The NAS is mounted to be written to, and only by the jobs of its workload."""
    window = {workload: {"nas": "/nas/here", "since": "2026-11-30", "reason": "both"}}
    sessions = {"sources": {**dict.fromkeys(SOURCES), "notes": "/data/notes"}}
    config = written(folder, window=window, sessions=sessions)
    _, *jobs = yaml.safe_load_all(scheduled(capsys, "kubernetes", config, *POD, "--claim", "/nas/=the-nas"))

    for one in jobs:
        pod = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
        assert ("/nas" in mounts) == (f"-{workload}-" in one["metadata"]["name"])
        assert not mounts.get("/nas", {}).get("readOnly")


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "another machine": ({}, ("launchd", "--machine", "other"), "machine: is box, and not other"),
    "no name": ({"machine": None}, ("launchd",), "machine: is missing"),
    "a workload that is not configured": ({"vault": None}, ("launchd", "--workload", "vault"), "vault: is missing"),
    "no workload": ({"vault": None, "sessions": None, "otel": None}, ("kubernetes", *POD), "sessions: is missing"),
    "a store in a shell": ({"store": None}, ("launchd",), "sessions.store: is missing"),
    "no zone": ({}, ("launchd", "--time-zone", "Mars/Olympus"), "--time-zone"),
    "a folder as the program": ({}, ("launchd", "--program", "/usr"), "--program"),
    "no program": ({}, ("launchd", "--program", "/nothing"), "--program"),
    "no image": ({}, ("kubernetes",), "--image"),
    "half an image": ({}, ("kubernetes", "--image", "x y"), "--image"),
    "half a claim": ({}, ("kubernetes", *POD, "--claim", "/data"), "--claim"),
    "a claim's name": ({}, ("kubernetes", *POD, "--claim", "/more=A_B"), "'/more=A_B' is not PATH=CLAIM"),
    "a claim above the pod's own": (
        {},
        ("kubernetes", *POD, "--claim", "/etc/=more"),
        "hides a folder that the pod has",
    ),
    "a claim of everything": ({}, ("kubernetes", *POD, "--claim", "/=more"), "hides a folder that the pod has"),
    "two claims of a path": (
        {},
        ("kubernetes", *POD, "--claim", "/data/=more"),
        "the claim joel-data that has this path",
    ),
    "a NAS on no volume": (
        {"window": {"vault": {"nas": "/nas", "since": "2026-11-30", "reason": "both"}}},
        ("kubernetes", *POD, "--workload", "vault"),
        "window.vault.nas: /nas is on no volume",
    ),
    "a namespace": ({}, ("kubernetes", *POD, "--namespace", "A_B"), "--namespace"),
    "no volume": ({}, ("kubernetes", *POD[:4], "--workload", "vault"), "vault.path: /vault is on no volume"),
    "a home folder": ({}, ("kubernetes", *POD), "sessions.sources.claude-projects: ~/.claude/projects is on no"),
    "a folder that is not there": ({}, ("launchd", "--to", "/nothing/there"), "/nothing/there"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The message names the key or the option; nothing is printed."""
    more, (what, *words), says = REFUSED[name]

    assert says in scheduled(capsys, what, written(folder, **more), *words, status=2)
