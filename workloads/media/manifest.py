"""The manifest of a download: which objects are its files. Pure.

The rule: it is put last and alone says that a download is whole. It has no run's time, so the same download gives the
same manifest; a later `info.json` of the same video gives another one, which names the same film.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from object_store import ObjectRef
from workloads.media.download import Download

NAME: Final = "manifest.json"
CONTENT_TYPE: Final = "application/json"


def manifest_of(download: Download, refs: Mapping[str, tuple[ObjectRef, str]]) -> bytes:
    """The manifest's bytes.

    Args:
        download: The download.
        refs: Object and SHA-256 of each file, by its name.
    """
    content = {
        "version": 1,
        "extractor": download.extractor,
        "id": download.identity,
        "main": download.main.name,
        "info": download.info_file.name,
        "thumbnail": download.thumbnail.name if download.thumbnail else None,
        "notes": list(download.notes),
        "files": [
            {"name": name, **ref.model_dump(mode="json"), "sha256": sha256}
            for name, (ref, sha256) in sorted(refs.items())
        ],
    }
    return json.dumps(content, indent=1, sort_keys=True).encode()


def described(download: Download) -> dict[str, Any]:
    """What the event says of a video, as `info.json` has it; what is missing there is empty."""
    info = download.info
    title = _text(info.get("title")) or download.identity
    length = info.get("duration")
    return {
        "slug": slug(title, download.identity),
        "title": title,
        "channel": _text(info.get("channel")) or _text(info.get("uploader")),
        "duration": length if isinstance(length, int | float) and not isinstance(length, bool) else 0,
        "sourceUrl": _text(info.get("webpage_url")) or _text(info.get("original_url")),
        "publishedDate": _date(_text(info.get("upload_date"))),
    }


def slug(title: str, identity: str) -> str:
    """The slug as the owner's function makes it; a title without a letter of a-z or a digit gives the id.

    >>> slug("Never Gonna…", "dQw4")
    'never-gonna'
    >>> slug("日本語", "dQw4")
    'dQw4'
    """
    words = "".join(one if one.isascii() and one.isalnum() else " " for one in title.lower()).split()
    return "-".join(words)[:80].strip("-") or identity


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _date(given: str) -> str:
    """`20091025` as `2009-10-25`; empty if it is not of that form."""
    return f"{given[:4]}-{given[4:6]}-{given[6:]}" if len(given) == 8 and given.isdecimal() else ""  # noqa: PLR2004 - yyyymmdd
