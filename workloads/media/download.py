"""What a folder of yt-dlp holds: one whole download, or the reasons why it is none.

The rule: yt-dlp's exit status and the names in the folder decide, never the order of the folder. All files of a
download begin with the name of its `info.json`, so a leftover of another run or an unmerged stream is named, and not
taken for the video. The identity is the extractor and its id, never a title or a slug.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from object_store.written import json_of

BYTES_MAXIMUM: Final = 20 * 10**9
"""A larger file is refused."""
INFO_BYTES_MAXIMUM: Final = 64 * 2**20
INFO: Final = ".info.json"
VIDEO: Final[Mapping[str, str]] = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "mov": "video/quicktime",
}
"""The content types of videos by suffix."""
AUDIO: Final[Mapping[str, str]] = {
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
}
PICTURES: Final = ("jpg", "jpeg", "png", "webp", "avif")
_PARTIAL: Final = re.compile(r"\.part$|\.ytdl$|\.part-Frag\d+(\.part)?$|\.temp\.[^.]+$")
_STREAM: Final = re.compile(r"\.f\d[^.]*\.[^.]+")
_NAMED_ID: Final = re.compile(r"\[([^\[\]\s]+)\]$")
_OF_THE_SYSTEM: Final = re.compile(r"\._.*|\.DS_Store")


class DownloadError(Exception):
    """A folder holds no whole download.

    Attributes:
        reasons: Why, each with a name.
    """

    def __init__(self, folder: Path, reasons: list[str]) -> None:
        """List all reasons."""
        self.reasons = tuple(reasons)
        super().__init__(f"{folder} holds no whole download: {'; '.join(reasons)}")


@dataclass(frozen=True)
class Download:
    """A whole download.

    Attributes:
        extractor: Where it comes from, in lower case, as in yt-dlp's own archive.
        identity: Its id there.
        info: The content of `info.json`.
        main: The video, or the sound if there is none.
        content_type: Of it.
        info_file: `info.json`.
        thumbnail: The thumbnail, if there is one.
        others: All other files.
        notes: What a reader should know.
    """

    extractor: str
    identity: str
    info: Mapping[str, Any]
    main: Path
    content_type: str
    info_file: Path
    thumbnail: Path | None
    others: tuple[Path, ...]
    notes: tuple[str, ...]


def read_download(folder: Path, *, exit_status: int = 0) -> Download:
    """Read a folder.

    Args:
        folder: The folder into which yt-dlp wrote this one download.
        exit_status: That of yt-dlp.

    Raises:
        DownloadError: It is not whole, or not one.
        OSError: The folder or `info.json` cannot be read.
    """
    reasons = [f"yt-dlp ended with {exit_status}"] if exit_status else []
    names = sorted(one.name for one in folder.iterdir() if not _OF_THE_SYSTEM.fullmatch(one.name))
    reasons += [fault for name in names for fault in _faults(folder / name)]
    infos = [name for name in names if name.endswith(INFO)]
    if len(infos) != 1:
        listed = f": {', '.join(infos)}" if infos else ""
        raise DownloadError(folder, [*reasons, f"{len(infos)} files end in {INFO}{listed}, and one must"])
    stem = infos[0].removesuffix(INFO)
    streams = [name for name in names if name.startswith(stem) and _STREAM.fullmatch(name[len(stem) :])]
    reasons += [f"{name} is a stream that was not merged" for name in streams]
    mains = [name for name in names if _suffix(stem, name) in {*VIDEO, *AUDIO}]
    if len(mains) != 1 and not streams:
        reasons.append(f"{len(mains)} files are {stem}.mp4 or of another format, and one must be")
    of_others = [
        name
        for name in names
        if not name.startswith(f"{stem}.") and name.rpartition(".")[2].lower() in {*VIDEO, *AUDIO}
    ]
    reasons += [f"{name} is of another download" for name in of_others]
    info, faults = _info_of(folder / infos[0])
    reasons += faults
    if reasons:
        raise DownloadError(folder, reasons)
    suffix = _suffix(stem, mains[0])
    reasons, notes = _judged(stem, info, is_sound=suffix in AUDIO)
    if reasons:
        raise DownloadError(folder, reasons)
    pictures = [name for name in names if _suffix(stem, name) in PICTURES]
    thumbnail = pictures[0] if pictures else None
    return Download(
        extractor=str(info.get("extractor_key") or info["extractor"]).lower(),
        identity=info["id"],
        info=info,
        main=folder / mains[0],
        content_type={**VIDEO, **AUDIO}[suffix],
        info_file=folder / infos[0],
        thumbnail=folder / thumbnail if thumbnail else None,
        others=tuple(folder / name for name in names if name not in (mains[0], infos[0], thumbnail)),
        notes=tuple(notes),
    )


def _faults(path: Path) -> list[str]:
    """What is wrong with one file by itself."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return [f"{path.name} is not a regular file"]
    if _PARTIAL.search(path.name):
        return [f"{path.name} is a part of a download that did not end"]
    if not found.st_size:
        return [f"{path.name} is empty"]
    if found.st_size > BYTES_MAXIMUM:
        return [f"{path.name} has {found.st_size:,} bytes, and {BYTES_MAXIMUM:,} are the most"]
    return []


def _suffix(stem: str, name: str) -> str:
    """The suffix of a file that is the stem and a suffix; empty for any other."""
    rest = name[len(stem) + 1 :] if name.startswith(f"{stem}.") else ""
    return "" if "." in rest else rest.lower()


def _info_of(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The content of `info.json`, and what is wrong with it."""
    if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > INFO_BYTES_MAXIMUM:
        return {}, [f"{path.name} is not a regular file of at most {INFO_BYTES_MAXIMUM:,} bytes"]
    try:
        info = json_of(path.read_bytes())
    except ValueError:
        return {}, [f"{path.name} is not JSON"]
    if not isinstance(info, dict) or info.get("_type", "video") != "video":
        return {}, [f"{path.name} is not of a video"]
    lacks = [
        name
        for name in ("id", "extractor")
        if not isinstance(info.get(name) or (name == "extractor" and info.get("extractor_key")), str)
    ]
    return info, [f"{path.name} has no {name}" for name in lacks]


def _judged(stem: str, info: Mapping[str, Any], *, is_sound: bool) -> tuple[list[str], list[str]]:
    """What is wrong with a download, and what a reader should know."""
    named = _NAMED_ID.search(stem)
    reasons = []
    if named is not None and named[1] != info["id"]:
        reasons.append(f"the files are named by the id {named[1]}, and {INFO} is of {info['id']}")
    has_picture = info.get("vcodec") not in (None, "none")
    if is_sound and has_picture:
        reasons.append("the video is missing, and only its sound is there")
    notes = ["it is sound alone"] if is_sound else []
    if not info.get("upload_date"):
        notes.append("it has no upload date")
    return reasons, notes
