"""The options of `media put`, and which of them go together."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from model.problems import InvalidInputError, Problem
from workloads.archive import clock
from workloads.context import Options
from workloads.settings import TIME_FORM, time_of

_SOURCE: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_CLOCKS_DIFFER: Final = timedelta(days=1)


@dataclass(frozen=True)
class PutOptions(Options):
    """The options of `put`.

    Attributes:
        path: The file, or the folder of a download.
        source: The chat's system.
        at: When the event happened.
        name: The file's original name, if the file has another one.
        content_type: Its media type; guessed from the name if it is empty.
        of: The URI of the stored file of which this one was made.
        exit_status: That of yt-dlp.
        remove: Whether the local files go once they are stored.
    """

    path: Path = Path()
    source: str = ""
    at: str = ""
    name: str = ""
    content_type: str = ""
    of: str = ""
    exit_status: int = 0
    remove: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a download."""
        return self.path.is_dir()

    def check(self) -> None:
        """Refuse options that do not go together. Raise InvalidInputError."""
        is_folder, wrong = self.is_folder, []
        chat = {"--source": self.source, "--at": self.at}
        if is_folder or self.of:
            kind = "a download" if is_folder else "what was made of a stored file"
            wrong = [
                Problem(option, f"is not for {kind}", "only with a file of a chat", f"media put {self.path.name}")
                for option, value in {**chat, **({"--name": self.name, "--of": self.of} if is_folder else {})}.items()
                if value
            ]
        elif not all(chat.values()):
            line = "media put FILE --source telegram --at 2026-11-30T04:00:00Z"
            wrong = [
                Problem(option, "is missing: a file of a chat has both", "FOLDER, or FILE with --of, has none", line)
                for option, value in chat.items()
                if not value
            ]
        if self.source and not _SOURCE.fullmatch(self.source):
            legal = "small letters, digits and '-', at most 31"
            wrong.append(Problem("--source", f"{self.source!r} is not a source", legal, "--source telegram"))
        if self.exit_status and not is_folder:
            wrong.append(Problem("--exit-status", "is not for a file", "only with a FOLDER", "media put FOLDER"))
        if wrong:
            raise InvalidInputError(wrong)

    def when(self) -> datetime:
        """The event's time in UTC. Raise InvalidInputError."""
        fault = ""
        try:
            when = time_of(self.at).astimezone(UTC)
            if when > clock.now_utc() + _CLOCKS_DIFFER:
                fault = "is to come"
        except (ValueError, OverflowError):
            fault = "is not a time"
        if fault:
            raise InvalidInputError([Problem("--at", f"{self.at!r} {fault}", TIME_FORM, "--at 2026-11-30T04:00:00Z")])
        return when

    def original_name(self) -> str:
        """The name under which the file is known."""
        name = self.name or self.path.name
        if "/" in name or name in ("", ".", ".."):
            raise InvalidInputError([Problem("--name", f"{name!r} is not a name", "a name without /", "--name a.jpg")])
        return name
