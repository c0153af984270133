"""The plists of a Mac's jobs. Pure.

The rule: a plist holds all that its command needs: launchd gives it no PATH but the system's, no locale, and no
folder. It runs at a time of day (`StartCalendarInterval`), because launchd makes up for such a time after a sleep and
not for an interval that has passed. No secret is in it: the command reads the delivered file.
"""

import plistlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ops.schedule.jobs import Job, local_times

_PREFIX: Final = "com.joelclaw.object-store"
_SYSTEM_PATH: Final = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
_LOCALE: Final = "en_US.UTF-8"
_STOP_SECONDS: Final = 60
_PRIVATE: Final = 0o077


@dataclass(frozen=True)
class Mac:
    """The machine that the plists are for.

    Attributes:
        program: The path of `object-store`.
        interpreter: The Python that runs it: the program that macOS must grant the disk to.
        git: The path of git; None if there is none.
        home: The user's home folder.
        config: The path of `workloads.yaml`.
        zone: The machine's time zone.
    """

    program: Path
    interpreter: Path
    git: Path | None
    home: Path
    config: Path
    zone: ZoneInfo

    @property
    def logs(self) -> Path:
        """The folder of the logs; launchd does not make it."""
        return self.home / "Library/Logs/object-store"


def label_of(job: Job) -> str:
    """The name by which launchd knows a job."""
    return f"{_PREFIX}.{job.name}"


def plist_of(job: Job, mac: Mac, now: datetime) -> dict[str, Any]:
    """The plist of a job."""
    times = [
        {"Hour": hour, "Minute": minute} | ({} if weekday is None else {"Weekday": weekday})
        for weekday, hour, minute in local_times(job, mac.zone, now)
    ]
    log = str(mac.logs / f"{job.name}.log")
    return {
        "Label": label_of(job),
        "ProgramArguments": [str(mac.program), *job.words],
        "EnvironmentVariables": {
            "PATH": ":".join(_path(mac)),
            "HOME": str(mac.home),
            "LANG": _LOCALE,
            "LC_ALL": _LOCALE,
            "OBJECT_STORE_WORKLOADS": str(mac.config),
        },
        "WorkingDirectory": str(mac.home),
        "StartCalendarInterval": times if len(times) > 1 else times[0],
        "RunAtLoad": job.at_load,
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "ExitTimeOut": _STOP_SECONDS,
        "Umask": _PRIVATE,
        "Nice": 5,
    }


def text_of(plist: dict[str, Any], mac: Mac) -> str:
    """A plist as XML, with a comment that names the program that needs Full Disk Access."""
    head, kind, rest = plistlib.dumps(plist, sort_keys=False).decode().split("\n", 2)
    program = str(mac.interpreter).replace("--", "- -")  # which ends a comment
    note = f"<!-- Full Disk Access (System Settings, Privacy & Security): {program} -->"
    return f"{head}\n{kind}\n{note}\n{rest}"


def _path(mac: Mac) -> Sequence[str]:
    own = [str(mac.program.parent), *([str(mac.git.parent)] if mac.git else [])]
    return list(dict.fromkeys([*own, *_SYSTEM_PATH]))
