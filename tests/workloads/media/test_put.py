"""Media: by content and source, once, whole, with the event that leads there; local files go last."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from object_store import EndpointUnreachable, ObjectStore, resolve
from tests.sizes import sized
from tests.workloads.conftest import SECRET
from tests.workloads.media.conftest import AT, film
from tests.workloads.media.ending import begun, joined
from workloads.archive.commit import sha256_of
from workloads.events.event import Event
from workloads.media.keys import NAME_METADATA, name_decoded

if TYPE_CHECKING:
    from tests.workloads.media.conftest import Gallery

CHAT = {"source": "telegram", "at": AT}
STAGES = (("put", 2), ("put", 3), ("read back", 1), ("file", 1), ("file", 3), ("put", 5), ("manifest", 1), ("sent", 1))


def manifests(gallery: Gallery) -> list[str]:
    """The keys of manifests."""
    return [key for key in gallery.stored() if key.endswith("/manifest.json")]


def test_file_of_a_chat(gallery: Gallery) -> None:
    """The key has source, the day in UTC, the content and the name; the event leads to the bytes."""
    path = gallery.file("image.jpg", b"jpg")
    assert gallery.chat(path) == ExitCode.DONE, gallery.errors
    printed = gallery.printed
    digest = sha256_of(b"jpg")
    assert gallery.stored() == [f"chat/telegram/2026/12/01/{digest[:16]}/image.jpg"]
    event = Event.parse(json.dumps(printed["event"]))
    assert (event.name, event.given["type"], event.given["fileSize"]) == ("media/received", "image", 3)
    with gallery.world.store() as store, resolve(printed["event"]["data"], store) as copy:
        assert (copy.path.name, copy.path.read_bytes()) == ("image.jpg", b"jpg")

    again = gallery.file("elsewhere/tmp123", b"jpg")
    assert gallery.chat(again, name="image.jpg") == ExitCode.DONE
    assert gallery.printed == printed
    assert len(gallery.stored()) == 1


def test_same_name_with_other_bytes(gallery: Gallery) -> None:
    """A second `image.jpg` of the day is another object, as is the same one in another chat."""
    for content, source in ((b"one", "telegram"), (b"two", "telegram"), (b"one", "slack")):
        assert gallery.chat(gallery.file("image.jpg", content), source=source) == ExitCode.DONE
    assert len(gallery.stored()) == 3


@pytest.mark.parametrize(
    "name",
    ["包天宇 72  2026.pdf", "Silk road  Self driving.mp4", "ß.jpg", "trailing .jpg ", "日" * 83 + ".m", "a%20b.pdf"],
)
def test_name_comes_back(gallery: Gallery, name: str) -> None:
    """Any name of a file is stored, and comes back byte for byte from the metadata."""
    assert gallery.chat(gallery.file(name, b"x")) == ExitCode.DONE, gallery.errors
    ref = gallery.printed["objectRef"]
    with gallery.world.store() as store:
        assert name_decoded(store.stat(ref["bucket"], ref["key"]).metadata[NAME_METADATA]) == name
    assert all(len(one.encode()) <= 200 for one in ref["key"].split("/"))


def test_name_that_is_not_utf8(gallery: Gallery) -> None:
    """It is kept in the metadata; key and event hold what JSON can."""
    path = os.fsdecode(os.fsencode(gallery.root) + b"/\xff.jpg")
    gallery.root.joinpath(path).write_bytes(b"x")
    assert gallery.chat(gallery.root / path) == ExitCode.DONE, gallery.errors
    ref = gallery.printed["objectRef"]
    with gallery.world.store() as store:
        held = store.stat(ref["bucket"], ref["key"]).metadata[NAME_METADATA]
    assert os.fsencode(name_decoded(held)) == b"\xff.jpg"


def test_what_was_made_of_it(gallery: Gallery) -> None:
    """It is in the bucket of derived media, below the original's key."""
    assert gallery.chat(gallery.file("talk.m4a", b"sound")) == ExitCode.DONE
    ref = gallery.printed["objectRef"]
    uri = f"s3://{ref['bucket']}/{ref['key']}"
    assert gallery.put(gallery.file("talk.txt", b"words"), of=uri) == ExitCode.DONE, gallery.errors
    (key,) = gallery.stored(gallery.derived)
    assert key == f"{ref['key'].rpartition('/')[0]}/{sha256_of(b'words')[:16]}/talk.txt"
    assert gallery.printed["of"] == ref
    for wrong, says in (("s3://other/x", "names no media file"), (f"{uri}x", "NoSuchKey")):
        assert gallery.put(gallery.file("talk.txt", b"words"), of=wrong) == ExitCode.CANNOT
        assert says in gallery.errors


def test_download(gallery: Gallery) -> None:
    """Film, description, thumbnail, and a manifest that names them; the same again, also from another folder."""
    assert gallery.put(gallery.download()) == ExitCode.DONE, gallery.errors
    printed = gallery.printed
    keys = gallery.stored()
    assert len(keys) == 4
    assert all(key.startswith("video/youtube/dQw4w9WgXcQ/") for key in keys)
    data = Event.parse(json.dumps(printed["event"])).given
    assert [data[name] for name in ("slug", "title", "channel", "duration", "publishedDate")] == [
        *("never-gonna", "Never Gonna…", "Rick"),
        *(212, "2009-10-25"),
    ]
    with gallery.world.store() as store:
        manifest = json.loads(store.download(data["manifestRef"]["bucket"], data["manifestRef"]["key"]))
        assert store.download(data["objectRef"]["bucket"], data["objectRef"]["key"]) == film(212)
    named = {one["key"]: one["sha256"] for one in manifest["files"]}
    assert set(named) == {key for key in keys if not key.endswith("manifest.json")}
    assert named[data["objectRef"]["key"]] == sha256_of(film(212)) == printed["sha256"]
    assert data["objectRef"]["contentType"] == "video/mp4"

    assert gallery.put(gallery.download("again")) == ExitCode.DONE
    assert (gallery.printed, gallery.stored()) == (printed, keys)


def test_later_description_of_the_same_video(gallery: Gallery) -> None:
    """The film stays one object; description and manifest are others."""
    assert gallery.put(gallery.download()) == ExitCode.DONE
    first = gallery.printed
    assert gallery.put(gallery.download("later", view_count=2)) == ExitCode.DONE
    assert gallery.printed["objectRef"] == first["objectRef"]
    assert gallery.printed["manifestRef"] != first["manifestRef"]
    assert len(gallery.stored()) == 6


def test_two_videos_of_one_title(gallery: Gallery) -> None:
    """Their ids keep them apart, and a title in Japanese gives a slug that is not empty."""
    for number, title in (("one", "Talk"), ("two", "Talk"), ("three", "日本語")):
        assert gallery.put(gallery.download(number, id=number, title=title)) == ExitCode.DONE, gallery.errors
    assert len({key.split("/")[2] for key in gallery.stored()}) == 3
    assert gallery.printed["event"]["data"]["slug"] == "three"


def test_download_that_says_little(gallery: Gallery) -> None:
    """Without an upload date, a channel, a length, an address: empty in the event, and said."""
    nothing: dict[str, Any] = dict.fromkeys(("upload_date", "channel", "duration", "webpage_url", "title"))
    assert gallery.put(gallery.download(**nothing)) == ExitCode.DONE, gallery.errors
    data = gallery.printed["event"]["data"]
    assert (data["publishedDate"], data["channel"], data["duration"], data["sourceUrl"]) == ("", "", 0, "")
    assert gallery.printed["notes"] == ["it has no upload date"]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("unmerged", "a stream that was not merged"),
        ("partial", "a part of a download that did not end"),
        ("status", "yt-dlp ended with 1"),
        ("short", "is 100 s long, and .info.json says 3600 s"),
        ("empty", "is empty"),
        ("no info", "0 files end in .info.json"),
        ("folder", "is not a regular file"),
        ("no server", "cannot be reached"),
    ],
)
def test_refused(gallery: Gallery, case: str, says: str) -> None:
    """A folder that is not one whole download is refused with the reason, and nothing of it is stored."""
    folder = gallery.download()
    stem = "download/Never Gonna… [dQw4w9WgXcQ]"
    more: dict[str, Any] = {}
    if case == "unmerged":
        gallery.file(f"{stem}.f137.mp4", b"x")
    elif case == "partial":
        gallery.file(f"{stem}.mp4.part", b"x")
    elif case == "status":
        more = {"exit_status": 1}
    elif case == "short":
        folder = gallery.download(duration=3600)
        gallery.file(f"{stem}.mp4", film(100))
    elif case == "empty":
        gallery.file(f"{stem}.mp4", b"")
    elif case == "no info":
        (gallery.root / f"{stem}.info.json").unlink()
    elif case == "folder":
        (gallery.root / "download" / "inside").mkdir()
    else:
        gallery.world.endpoint = "http://127.0.0.1:1"
    assert gallery.put(folder, **more) == ExitCode.CANNOT
    assert not gallery.printed
    assert says in gallery.errors
    assert SECRET not in gallery.errors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "--source: is missing"),
        ({"source": "telegram"}, "--at: is missing"),
        ({"source": "Tele gram", "at": AT}, "is not a source"),
        ({"source": "telegram", "at": "yesterday"}, "is not a time"),
        ({"source": "telegram", "at": "2999-01-01"}, "is to come"),
        ({"source": "telegram", "at": AT, "name": "a/b"}, "is not a name"),
        ({"source": "telegram", "at": AT, "exit_status": 1}, "--exit-status: is not for a file"),
        ({"of": "s3://b/k", "at": AT}, "--at: is not for what was made"),
    ],
)
def test_options_that_do_not_go_together(gallery: Gallery, options: dict[str, Any], says: str) -> None:
    """They are refused before anything is read or sent."""
    assert gallery.put(gallery.file("a.jpg", b"x"), **options) == ExitCode.CANNOT
    assert says in gallery.errors
    assert gallery.stored() == []


@pytest.mark.parametrize("case", ["fifo", "empty", "missing", "large"])
def test_file_that_is_none(gallery: Gallery, case: str) -> None:
    """A pipe, an empty file, no file, and one of more than 20 GB: the step fails with the reason."""
    path = gallery.root / "a.mp4"
    if case == "fifo":
        os.mkfifo(path)
    elif case != "missing":
        path.touch()
    if case == "large":
        os.truncate(path, 20_000_000_001)
    assert gallery.chat(path) == ExitCode.CANNOT
    says = {"fifo": "it is not a file", "empty": "it is empty", "missing": "No such file", "large": "are the most"}
    assert says[case] in gallery.errors
    assert gallery.stored() == []


def test_large_sparse_file(gallery: Gallery) -> None:
    """A sparse file is stored whole (3 GB with `make long`)."""
    path = gallery.file("a.mp4", b"")
    size = sized(20_000_000, 3_000_000_000)
    os.truncate(path, size)
    assert gallery.chat(path) == ExitCode.DONE, gallery.errors
    assert gallery.printed["objectRef"]["size"] == size


@pytest.mark.parametrize("point", STAGES, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_at_a_stage(gallery: Gallery, point: tuple[str, int]) -> None:
    """SIGKILL at each stage: no manifest before all files are there; the same command completes it, once."""
    folder = gallery.download()
    assert joined(begun(gallery.config(), folder, {"remove": True}, *point)) == -signal.SIGKILL
    assert len(manifests(gallery)) == (point in {("manifest", 1), ("sent", 1)})
    assert len(list(folder.iterdir())) == 3
    before = gallery.stored()
    assert gallery.put(folder) == ExitCode.DONE, gallery.errors
    assert set(before) <= set(gallery.stored())
    assert len(gallery.stored()) == 4


def test_two_at_once(gallery: Gallery) -> None:
    """Both end well, and each object is there once."""
    folder = gallery.download()
    processes = [begun(gallery.config(), folder, {}) for _ in range(2)]
    assert [joined(process) for process in processes] == [0, 0]
    assert len(gallery.stored()) == 4


@pytest.mark.parametrize("number", [2, 3, 5])
def test_lost_answer(gallery: Gallery, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The store took an object and its answer was lost: the step fails, and the next call stores nothing twice."""
    folder, upload, puts = gallery.download(), ObjectStore.upload, []

    def lost(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        puts.append(upload(*given, **named))
        if len(puts) == number:
            raise EndpointUnreachable("the connection was lost")
        return puts[-1]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "upload", lost)
        assert gallery.put(folder, remove=True) == ExitCode.CANNOT
    assert len(list(folder.iterdir())) == 3
    assert gallery.put(folder) == ExitCode.DONE
    assert len(gallery.stored()) == 4


def test_local_files_go_last(gallery: Gallery) -> None:
    """On request, after the read-back; the folder goes, too."""
    folder, path = gallery.download(), gallery.file("image.jpg", b"jpg")
    assert gallery.put(folder, remove=True) == ExitCode.DONE, gallery.errors
    assert not folder.exists()
    assert gallery.chat(path, remove=True) == ExitCode.DONE
    assert not path.exists()


def test_local_file_that_is_another_one_now_stays(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that came in its place after it was read is not removed; what was stored is printed all the same."""
    path = gallery.file("image.jpg", b"jpg")
    upload = ObjectStore.upload

    def replaced(store: ObjectStore, bucket: str, key: str, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        if key.startswith("chat/"):
            gallery.file("other", b"other").replace(path)
        return upload(store, bucket, key, *given, **named)

    monkeypatch.setattr(ObjectStore, "upload", replaced)
    assert gallery.chat(path, remove=True) == ExitCode.WRONG
    assert "image.jpg stays: it is another file now" in gallery.errors
    assert path.read_bytes() == b"other"
    assert gallery.printed["sha256"] == sha256_of(b"jpg")


def test_file_that_grows_while_it_is_read(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused: what was hashed is not what would be sent."""
    path = gallery.file("a.mp4", bytes(9_000_000))
    pread = os.pread

    def grown(descriptor: int, size: int, at: int) -> bytes:
        with path.open("ab") as file:
            file.write(b"x")
        return pread(descriptor, size, at)

    monkeypatch.setattr(os, "pread", grown)
    assert gallery.chat(path) == ExitCode.CANNOT
    assert "it changed while it was read" in gallery.errors
    assert gallery.stored() == []


def test_link_is_followed(gallery: Gallery) -> None:
    """A link to a file of a chat is stored as the file; a link in a download's folder is refused."""
    target = gallery.file("target", b"jpg")
    link = gallery.root / "image.jpg"
    link.symlink_to(target)
    assert gallery.chat(link) == ExitCode.DONE
    folder = gallery.download()
    (folder / "more.txt").symlink_to(target)
    assert gallery.put(folder) == ExitCode.CANNOT
    assert "more.txt is not a regular file" in gallery.errors
