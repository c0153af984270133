"""`object-store schedule`: prints when the workloads of a machine run, for launchd or for Kubernetes.

The rule: what cannot run is refused by its key in `workloads.yaml`, before it is installed: a workload that is not
configured, a machine without a name, a store that only the environment of a shell knows.
"""

import os
import posixpath
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, key_path
from model.terminal_text import printable
from model.whole_file import write_whole
from ops.schedule.jobs import Job, jobs_of
from ops.schedule.kubernetes import OWN_FOLDERS, Pods, check_volumes, manifests, paths_of
from ops.schedule.launchd import Mac, label_of, plist_of, text_of
from verify.manifests import NAMESPACE, placement, to_yaml
from verify.target import CannotRunError
from workloads.context import WORKS
from workloads.settings import SOURCES, Workloads, load

_LOCAL_TIME: Final = Path("/etc/localtime")
_ZONES: Final = "zoneinfo/"
_CLAIM: Final = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class ScheduleOptions:
    """The options of the command.

    Attributes:
        target: What starts the jobs.
        config: `workloads.yaml`; None for the default.
        machine: The machine that is meant; None for the configured one.
        workloads: Only these; empty for all that are configured.
        to: The folder of the plists; None to print them.
        program: The path of `object-store` on this machine; None for the one that runs.
        time_zone: Of this machine; None for that of the system.
        image: The image of the pods.
        namespace: Of the CronJobs.
        claims: `PATH=CLAIM` for each volume of the pods.
    """

    target: Literal["launchd", "kubernetes"]
    config: Path | None = None
    machine: str | None = None
    workloads: Sequence[str] = ()
    to: Path | None = None
    program: Path | None = None
    time_zone: str | None = None
    image: str | None = None
    namespace: str = NAMESPACE
    claims: Sequence[str] = ()


def run(options: ScheduleOptions) -> ExitCode:
    """Print the plists or the CronJobs, or write the plists."""
    try:
        settings, where = load(options.config, os.environ)
        chosen = _workloads(options, settings, where)
        _check_machine(options, settings, where)
        jobs = [
            job for name in chosen for job in jobs_of(name, WORKS[name].every(settings).days, settings.scrub.every_days)
        ]
        if options.target == "launchd":
            _launchd(options, jobs, settings, where)
        else:
            sys.stdout.write(_kubernetes(options, jobs, settings, where))
    except (InvalidInputError, CannotRunError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    except OSError as error:
        sys.stderr.write(printable(f"{error.filename}: {error.strerror}\n"))
        return ExitCode.CANNOT
    return ExitCode.DONE


def _workloads(options: ScheduleOptions, settings: Workloads, where: str) -> list[str]:
    """The workloads that are configured and asked for."""
    configured = [name for name in WORKS if name in settings.model_fields_set]
    missing = [name for name in options.workloads if name not in configured]
    if not configured and not missing:
        missing = list(WORKS)
    if missing:
        known = ", ".join(configured) or "none is configured"
        raise InvalidInputError(
            [
                Problem(
                    key_path(where, name),
                    "is missing, so there is nothing to schedule",
                    f"the settings of the workload, {{}} for the defaults (configured: {known})",
                    f"{name}: {{}}",
                )
                for name in missing
            ]
        )
    return [name for name in configured if not options.workloads or name in options.workloads]


def _check_machine(options: ScheduleOptions, settings: Workloads, where: str) -> None:
    """Refuse a machine that the configuration is not for, or that has no fixed name."""
    place, asked = key_path(where, "machine"), options.machine
    if settings.machine is None:
        raise InvalidInputError(
            [
                Problem(
                    place,
                    "is missing, and a host's name changes with its network",
                    "the name that the machine keeps",
                    f"machine: {asked or 'NAME'}",
                )
            ]
        )
    if asked is not None and asked != settings.machine:
        raise InvalidInputError(
            [
                Problem(
                    place, f"is {settings.machine}, and not {asked}", settings.machine, f"--machine {settings.machine}"
                )
            ]
        )


def _launchd(options: ScheduleOptions, jobs: Sequence[Job], settings: Workloads, where: str) -> None:
    for name in dict.fromkeys(job.workload for job in jobs):
        place = settings.store_of(name)
        if place.variables is None and place.deployment is None:
            raise InvalidInputError(
                [
                    Problem(
                        key_path(where, f"{name}.store"),
                        "is missing, and launchd starts a job without the variables of a shell",
                        "the file that `object-store keys deliver` wrote",
                        "store: { variables: FILE }",
                    )
                ]
            )
    mac = _mac(options, where)
    now = datetime.now(UTC)
    texts = {f"{label_of(job)}.plist": text_of(plist_of(job, mac, now), mac) for job in jobs}
    if options.to is None:
        sys.stdout.write("".join(texts.values()))
        return
    mac.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in texts.items():
        write_whole(options.to / name, text, 0o644)
        sys.stdout.write(printable(f"launchctl bootstrap gui/$(id -u) {shlex.quote(str(options.to / name))}\n"))
    sys.stderr.write(printable(f"Full Disk Access (System Settings, Privacy & Security) needs: {mac.interpreter}\n"))


def _mac(options: ScheduleOptions, where: str) -> Mac:
    program = options.program or Path(sys.executable).with_name("object-store")
    if not program.is_absolute() or not program.is_file() or not os.access(program, os.X_OK):
        raise InvalidInputError(
            [Problem("--program", f"{program} is not a program", "its absolute path", "--program /…/bin/object-store")]
        )
    git = shutil.which("git")
    return Mac(
        program=program,
        interpreter=Path(os.path.realpath(sys.executable)),
        git=Path(git) if git else None,
        home=Path.home(),
        config=Path(os.path.abspath(Path(where).expanduser())),  # noqa: PTH100 - a link stays one
        zone=_zone(options.time_zone),
    )


def _zone(name: str | None) -> ZoneInfo:
    """The time zone of this machine, which launchd goes by."""
    found = name or os.path.realpath(_LOCAL_TIME).rpartition(_ZONES)[2]
    try:
        return ZoneInfo(found)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            [
                Problem(
                    "--time-zone",
                    f"{found!r} is not a time zone",
                    "a name of the IANA data base",
                    "--time-zone America/Los_Angeles",
                )
            ]
        ) from None


def _kubernetes(options: ScheduleOptions, jobs: Sequence[Job], settings: Workloads, where: str) -> str:
    place = placement("schedule", namespace=options.namespace, image=image_of(options.image))
    pods = Pods(place, claims_of(options.claims), settings, where)
    paths = {name: paths_of(settings, name, _roots(settings, name)) for name in {job.workload for job in jobs}}
    for each in paths.values():
        check_volumes(pods, each)
    return _HEADER.format(namespace=place.namespace) + to_yaml(manifests(jobs, pods, paths))


def claims_of(given: Sequence[str]) -> dict[str, str]:
    """The claim at each path, from `PATH=CLAIM`. Raise InvalidInputError."""
    claims: dict[str, str] = {}
    for one in given:
        path, _, claim = one.rpartition("=")
        folder, wrong = posixpath.normpath(path), ""
        if not path.startswith("/") or not _CLAIM.fullmatch(claim):
            wrong = "is not PATH=CLAIM"
        elif any(own == folder or own.startswith(f"{folder.rstrip('/')}/") for own in OWN_FOLDERS):
            wrong = "hides a folder that the pod has of its own"
        elif claims.setdefault(folder, claim) != claim:
            wrong = f"is not the claim {claims[folder]} that has this path already"
        if wrong:
            legal = f"an absolute path that is not above {', '.join(OWN_FOLDERS)}, and a claim's name"
            raise InvalidInputError([Problem("--claim", f"{one!r} {wrong}", legal, "--claim /vault=vault-notes")])
    return claims


def image_of(given: str | None) -> str:
    """The image that was named. Raise InvalidInputError if none was."""
    if given is None:
        raise InvalidInputError(
            [
                Problem(
                    "--image",
                    "is missing",
                    "an image with object-store and git (docs/schedule.md builds one)",
                    "--image ghcr.io/joelhooks/object-store:0.1.0",
                )
            ]
        )
    return given


def _roots(settings: Workloads, workload: str) -> dict[str, str]:
    """The path of each source of a workload, as it is written, by its key."""
    if workload == "vault":
        return {"vault.path": settings.vault.path}
    if workload == "otel":
        files = {"otel.outbox": settings.otel.outbox, "otel.password_file": settings.otel.password_file}
        return {key: path for key, path in files.items() if path is not None}
    merged = {**SOURCES, **settings.sessions.sources}
    return {f"sessions.sources.{name}": path for name, path in merged.items() if path is not None}


_HEADER: Final = """\
# Runs the workloads of one machine by the clock. Written by `object-store schedule`; it holds no secret.
# The pods mount what this applies, so do it first:
#   object-store keys deliver --stack STACK --identity IDENTITY --to kubernetes --namespace {namespace}
"""
