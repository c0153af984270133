"""Folders of yt-dlp: whole ones with any title and format, and what is refused by name."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from workloads.media.download import BYTES_MAXIMUM, DownloadError, read_download

if TYPE_CHECKING:
    from pathlib import Path

INFO = {"id": "dQw4", "extractor": "youtube", "extractor_key": "Youtube", "vcodec": "avc1", "upload_date": "20091025"}
LONG = "日" * 80


def folder_of(tmp_path: Path, stem: str, *names: str, info: dict[str, Any] | None = None) -> Path:
    """A folder with `info.json` and further files, each named by the stem and what is given."""
    folder = tmp_path / "download"
    folder.mkdir()
    (folder / f"{stem}.info.json").write_text(json.dumps(INFO if info is None else info))
    for name in names:
        (folder / f"{stem}{name}").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("stem", ["a", LONG, "😀 a\uff0fb", "Monza.f1", "-x", " a  b ", "a [dQw4]", "a [b c]"])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("mp4", "video/mp4"), ("mkv", "video/x-matroska"), ("webm", "video/webm"), ("MP4", "video/mp4")],
)
def test_whole_downloads(tmp_path: Path, stem: str, suffix: str, kind: str) -> None:
    """Any title and format: the identity is the source's, and no file is left out."""
    folder = folder_of(tmp_path, stem, f".{suffix}", ".webp", ".en.vtt")
    (folder / ".DS_Store").write_bytes(b"x")

    found = read_download(folder)

    assert (found.extractor, found.identity, found.content_type, found.notes) == ("youtube", "dQw4", kind, ())
    assert found.main == folder / f"{stem}.{suffix}"
    assert found.info_file == folder / f"{stem}.info.json"
    assert found.thumbnail == folder / f"{stem}.webp"
    assert found.others == (folder / f"{stem}.en.vtt",)


def test_sound_alone(tmp_path: Path) -> None:
    """It is said as such, and so is a missing date."""
    found = read_download(folder_of(tmp_path, "a", ".m4a", info={"id": "i", "extractor": "X:y", "vcodec": "none"}))
    assert (found.extractor, found.content_type, found.thumbnail) == ("x:y", "audio/mp4", None)
    assert found.notes == ("it is sound alone", "it has no upload date")


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "unmerged": ((".f137.mp4", ".f140.m4a"), {}, r"a\.f137\.mp4 is a stream.*a\.f140\.m4a is a stream"),
    "unmerged beside it": ((".mp4", ".f251-drc.webm"), {}, r"a\.f251-drc\.webm is a stream that was not merged"),
    "part": ((".mp4.part",), {}, r"a\.mp4\.part is a part"),
    "fragment": ((".mp4", ".mp4.part-Frag572"), {}, r"a\.mp4\.part-Frag572 is a part"),
    "state": ((".mp4", ".mp4.ytdl"), {}, r"a\.mp4\.ytdl is a part"),
    "temporary": ((".mp4", ".temp.mp4"), {}, r"a\.temp\.mp4 is a part"),
    "none": ((), {}, r"0 files are a\.mp4"),
    "two": ((".mp4", ".mkv"), {}, r"2 files are a\.mp4"),
    "two infos": ((".mp4", "b.info.json"), {}, r"2 files end in \.info\.json: a\.info\.json, ab\.info\.json"),
    "another's": ((".mp4", "b.mp4"), {}, r"ab\.mp4 is of another download"),
    "sound of a video": ((".m4a",), {}, "the video is missing"),
    "no id": ((".mp4",), {"id": None}, "has no id"),
    "no extractor": ((".mp4",), {"extractor": None, "extractor_key": None}, "has no extractor"),
    "playlist": ((".mp4",), {"_type": "playlist"}, "is not of a video"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    """Leftovers, unmerged streams, and what is none or more than one: refused by name."""
    names, more, text = REFUSED[case]
    with pytest.raises(DownloadError, match=text):
        read_download(folder_of(tmp_path, "a", *names, info={**INFO, **more}))


def test_other_refusals(tmp_path: Path) -> None:
    """yt-dlp's exit status, an empty or a too large file, links, a broken and another's `info.json`."""
    folder = folder_of(tmp_path, "a [other]", ".mp4")
    with pytest.raises(DownloadError, match=r"named by the id other, and \.info\.json is of dQw4"):
        read_download(folder)
    with pytest.raises(DownloadError, match="yt-dlp ended with 1"):
        read_download(folder, exit_status=1)
    main = folder / "a [other].mp4"
    os.truncate(main, BYTES_MAXIMUM + 1)
    with pytest.raises(DownloadError, match=r"has 20,000,000,001 bytes"):
        read_download(folder)
    os.truncate(main, 0)
    with pytest.raises(DownloadError, match=r"\.mp4 is empty"):
        read_download(folder)
    main.unlink()
    main.symlink_to("/dev/null")
    (folder / "a [other].info.json").write_text("{")
    with pytest.raises(DownloadError, match=r"mp4 is not a regular file; .*info\.json is not JSON"):
        read_download(folder)
    (folder / "a [other].info.json").unlink()
    with pytest.raises(DownloadError, match=r"0 files end in \.info\.json, and one must"):
        read_download(folder)
