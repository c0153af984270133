"""A repository is kept as a bundle at its commit; git asks one checked server, and nothing of the repository runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.discovery.test_put import PAGE
from tests.workloads.discovery.web import answer, git_server, leading, make_repository, serving
from workloads.discovery.address import Address
from workloads.discovery.repository import is_repository, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.discovery.conftest import Finder
    from tests.workloads.discovery.web import Handler

FILES = {"README.md": "# A tool\n\nIt does it.\n", "src/main.py": "print()\n", "ä\tb": "odd\n"}


@pytest.fixture(name="hosting")
def _hosting(finder: Finder, tmp_path: Path) -> Finder:
    """A machine that may clone from the server, whose name only this project's own answers know."""
    finder.more = {"clone": [f"git.test:{finder.web.port}"]}
    finder.names["git.test"] = [finder.web.host]
    finder.web.routes["/owner"] = git_server(tmp_path / "repositories")
    (tmp_path / "repositories/owner").mkdir(parents=True)
    return finder


def url(finder: Finder, path: str = "/owner/tool") -> str:
    """The address of a repository."""
    return finder.url(path, "git.test")


def restored(finder: Finder, folder: Path) -> Path:
    """The repository of the printed bundle."""
    bundle = folder / "back.bundle"
    bundle.write_bytes(finder.body("rawRef"))
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(folder / "back")], check=True)  # noqa: S603, S607
    return folder / "back"


def test_repository_is_bundled(hosting: Finder, tmp_path: Path) -> None:
    """A plain clone of the bundle gives the files at the recorded commit; the text is the README with all names."""
    commit = make_repository(tmp_path / "repositories/owner/tool", FILES)

    assert hosting.put(url(hosting)) == 0, (hosting.printed, hosting.errors)

    printed = hosting.printed
    assert (printed["kind"], printed["commit"], printed["notes"]) == ("repository", commit, [])
    assert printed["rawRef"]["key"].endswith(f"/{commit[:16]}/repository.bundle")
    back = restored(hosting, tmp_path)
    assert {name: (back / name).read_text() for name in FILES} == FILES
    text = hosting.body("extractRef").decode()
    assert text.startswith(FILES["README.md"])
    assert [line for line in text.splitlines() if line.startswith("- ")] == ["- README.md", "- src/main.py", "- ä\tb"]
    assert hosting.record()["branch"] == "main"
    first = printed
    assert hosting.put(url(hosting)) == 0
    assert hosting.printed == first


def test_plain_files_of_a_repository(hosting: Finder, tmp_path: Path) -> None:
    """A server that only serves files, as a bare repository does with `update-server-info`."""
    folder = tmp_path / "repositories/owner/tool.git"
    commit = make_repository(folder, FILES)
    subprocess.run(["git", "update-server-info"], cwd=folder, check=True)  # noqa: S607
    for path in folder.rglob("*"):
        if path.is_file():
            hosting.web.routes[f"/owner/tool.git/{path.relative_to(folder)}"] = answer(
                path.read_bytes(), kind="text/plain"
            )
    hosting.web.routes["/owner"] = answer(b"", "404 Not Found")

    assert hosting.put(url(hosting, "/owner/tool.git")) == 0, (hosting.printed, hosting.errors)
    assert hosting.printed["commit"] == commit


def test_nothing_runs_and_nothing_else_is_asked(
    hosting: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks, filters, templates, submodules, LFS, alternates, credentials, proxies and settings of this machine."""
    with serving("127.0.0.2") as inside:
        place = f"http://{inside.host}:{inside.port}"
        home = tmp_path / "machine"
        hooks = home / "template/hooks"
        hooks.mkdir(parents=True)
        mark = tmp_path / "it-ran"
        for name in ("post-checkout", "reference-transaction", "post-update"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
            (hooks / name).chmod(0o755)
        (home / ".gitconfig").write_text(
            f"[init]templateDir={home}/template\n[core]hooksPath={hooks}\nfsmonitor=touch {mark}\n"
            f'[http]proxy={place}\n[credential]helper=!touch {mark}\n[url "{place}/"]insteadOf=http://\n'
        )
        (home / ".netrc").write_text("machine git.test login u password PLANT1\n")
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "git").write_text(f'#!/bin/sh\nenv >> {tmp_path}/seen\nexec {shutil.which("git")} "$@"\n')
        (programs / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "PLANT6")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("GIT_TEMPLATE_DIR", str(home / "template"))
        for name in ("http_proxy", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, place)
        monkeypatch.setenv("no_proxy", f"127.0.0.1:{hosting.world.endpoint.rpartition(':')[2]}")
        files = {
            **FILES,
            ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
            "a.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = {place}/s\n',
            ".lfsconfig": f"[lfs]\n\turl = {place}/lfs\n",
        }
        link = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
        make_repository(tmp_path / "repositories/owner/tool", files, link)

        assert hosting.put(url(hosting)) == 0, (hosting.printed, hosting.errors)

        assert not inside.asked
    assert not mark.exists()
    seen = (tmp_path / "seen").read_text()
    assert "HOME=" in seen
    assert "PLANT6" not in seen
    assert not [head for head in hosting.web.heads if "Authorization" in head]
    assert [note.partition(":")[0] for note in hosting.printed["notes"]] == [
        "submodules are not in it",
        "objects of Git LFS are not in it",
    ]


def test_server_that_asks_git_for_a_password(hosting: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the check it answers 401: what this machine knows, a .netrc or a helper, is not asked and not sent."""
    make_repository(tmp_path / "repositories/owner/tool", FILES)
    home, mark = tmp_path / "machine", tmp_path / "it-ran"
    home.mkdir()
    (home / ".netrc").write_text("machine git.test login u password PLANT1\n")
    (home / ".gitconfig").write_text(f"[credential]helper=!touch {mark}\n[core]askPass={mark}\n")
    monkeypatch.setenv("HOME", str(home))
    answers = git_server(tmp_path / "repositories")

    def turns(handler: Handler) -> None:
        if len(hosting.web.asked) == 1:
            answers(handler)
        else:
            handler.wfile.write(answer(b"", "401 Unauthorized", WWW_Authenticate='Basic realm="x"'))

    hosting.web.routes["/owner"] = turns
    assert "git clone failed" in hosting.failed(url(hosting))
    assert len(hosting.web.heads) > 1
    assert not [head for head in hosting.web.heads if "Authorization" in head]
    assert not mark.exists()


def test_alternates_of_a_server(hosting: Finder, tmp_path: Path) -> None:
    """A server of plain files may name other servers that have the objects; they are not asked."""
    folder = tmp_path / "repositories/owner/tool"
    make_repository(folder, FILES)
    subprocess.run(["git", "update-server-info"], cwd=folder, check=True)  # noqa: S607
    with serving("127.0.0.2") as inside:
        place = f"http://{inside.host}:{inside.port}/objects\n".encode()
        hosting.web.routes = {
            "/owner/tool/info/refs": answer((folder / "info/refs").read_bytes(), kind="text/plain"),
            "/owner/tool/HEAD": answer(b"ref: refs/heads/main\n", kind="text/plain"),
            "/owner/tool/objects/info/http-alternates": answer(place, kind="text/plain"),
            "/owner/tool/objects/info/alternates": answer(place, kind="text/plain"),
        }
        assert "git clone failed" in hosting.failed(url(hosting))
        assert not inside.asked


def test_server_that_leads_elsewhere(hosting: Finder, tmp_path: Path) -> None:
    """A renamed repository is found at its new place; another host is not cloned, and a private one is not asked."""
    commit = make_repository(tmp_path / "repositories/owner/tool", FILES)
    refs = "/info/refs?service=git-upload-pack"
    hosting.web.routes["/old"] = leading(f"/owner/tool{refs}", "301 Moved Permanently")
    assert hosting.put(url(hosting, "/old/tool")) == 0
    assert hosting.printed["commit"] == commit

    with serving("127.0.0.2") as inside:
        hosting.web.routes["/old"] = leading(f"http://{inside.host}:{inside.port}/x{refs}")
        hosting.names["127.0.0.2"] = [inside.host]
        assert hosting.put(url(hosting, "/old/tool"), at="2026-11-30T05:00:00Z") == 1
        assert "outside the public internet" in hosting.printed["reason"]
        hosting.web.routes["/old"] = leading(hosting.url(f"/owner/tool{refs}"))
        assert hosting.put(url(hosting, "/old/tool"), at="2026-11-30T05:00:00Z") == 1
        assert "which is none of the hosts that are cloned" in hosting.printed["reason"]
        assert not inside.asked


def test_server_that_leads_git_elsewhere(hosting: Finder, tmp_path: Path) -> None:
    """What the check was answered does not bind what git is answered: it follows no redirect."""
    make_repository(tmp_path / "repositories/owner/tool", FILES)
    with serving("127.0.0.2") as inside:
        answers = git_server(tmp_path / "repositories")

        def turns(handler: Handler) -> None:
            if len(hosting.web.asked) == 1:
                answers(handler)
            else:
                handler.wfile.write(leading(f"http://{inside.host}:{inside.port}/"))

        hosting.web.routes["/owner"] = turns
        assert "git clone failed" in hosting.failed(url(hosting))
        assert not inside.asked


def test_repository_without_a_commit(hosting: Finder, tmp_path: Path) -> None:
    """Nothing was made yet, so there is nothing to keep."""
    make_repository(tmp_path / "repositories/owner/tool", {})
    assert "no commit" in hosting.failed(url(hosting))


@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found"])
def test_repository_that_is_not_there(hosting: Finder, status: str) -> None:
    """Or not for everybody: no password is asked for."""
    hosting.web.routes["/owner"] = answer(b"", status, WWW_Authenticate='Basic realm="x"')
    assert "there is no such repository, or not for everybody" in hosting.failed(url(hosting))


def test_limits_of_a_repository(hosting: Finder, tmp_path: Path) -> None:
    """Too large, or too slow: it is failed, git ends, and nothing is left on the disk."""
    make_repository(tmp_path / "repositories/owner/tool", {**FILES, "big": os.urandom(400_000).hex()})
    hosting.more |= {"clone_max_bytes": 100_000}
    assert "more than 100000 bytes" in hosting.failed(url(hosting))
    hosting.web.routes["/owner"] = git_server(tmp_path / "repositories", stalls_after=200_000)
    assert "more than 100000 bytes" in hosting.failed(url(hosting))

    answers, hosting.more["clone_max_seconds"] = git_server(tmp_path / "repositories"), 2

    def hang(handler: Handler) -> None:
        if len(hosting.web.asked) == 1:
            answers(handler)
        handler.server.over.wait(20)

    hosting.web.asked.clear()
    hosting.web.routes["/owner"] = hang
    assert hosting.failed(url(hosting)) == "it was not there within 2 seconds"
    assert not list((hosting.world.folder / "state/discovery").rglob("put-*"))


@pytest.mark.parametrize(
    "limits",
    [{"clone_max_bytes": 2_000_000}, {"clone_max_bytes": 10**10, "clone_max_seconds": 3}],
    ids=["size", "time"],
)
def test_few_objects_that_are_very_many_files(hosting: Finder, tmp_path: Path, limits: dict[str, int]) -> None:
    """Each tree has the next one ten times: the list of 10^12 paths ends at the limit of the size, or of the time."""
    folder = tmp_path / "repositories/owner/tool"
    commit = make_repository(folder, FILES)

    def git(*words: str, given: str = "") -> str:
        return subprocess.run(  # noqa: S603 - arguments of ours
            ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *words],  # noqa: S607
            cwd=folder, input=given, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip

    tree = git("rev-parse", f"{commit}^{{tree}}")
    for _ in range(12):
        tree = git("mktree", given="".join(f"040000 tree {tree}\td{number}\n" for number in range(10)))
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "second"))
    hosting.more |= limits
    reason = hosting.failed(url(hosting))
    assert reason in (
        "its list of files has more than 2000000 bytes, which is the limit",
        "it was not there within 3 seconds",
    )


def test_folder_that_git_removes_while_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When git fails it removes what it began; the rest is counted, and the reason is git's."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"12345")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/file").write_bytes(b"123")
    scandir = os.scandir
    removed: list[Any] = []

    def remove(path: Any) -> Any:  # noqa: ANN401 - of os.scandir
        if str(path).endswith("/b") and not removed:
            removed.append(path)
            shutil.rmtree(tmp_path / "a")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", remove)
    assert size_of(tmp_path) == 3
    assert removed


@pytest.mark.parametrize(("path", "says"), [(None, "is not installed"), ("git version 2.30.0", "which cannot be led")])
def test_git_that_is_missing_or_old(
    hosting: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, says: str
) -> None:
    """It is said before anything is fetched, and the step fails."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if path is not None:
        (programs / "git").write_text(f"#!/bin/sh\necho {path}\n")
        (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))

    assert hosting.put(url(hosting)) == 2

    assert says in hosting.errors
    assert not hosting.web.asked


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("https://github.com/owner/tool", True),
        ("https://GitHub.com/owner/tool.git/", True),
        ("https://github.com/owner/tool/issues/1", False),
        ("https://github.com/topics/python", False),
        ("https://github.com/owner", False),
        ("https://github.com/owner/tool?tab=readme", False),
        ("https://github.com.evil.test/owner/tool", False),
        ("https://evil.test/github.com/owner", False),
        ("https://evil.test/?u=github.com", False),
        ("https://github.com:444/owner/tool", False),
    ],
)
def test_what_is_cloned(address: str, *, is_one: bool) -> None:
    """Only what has the form of a repository, on just the named hosts."""
    assert is_repository(Address.parse(address), ["github.com"]) == is_one


def test_page_of_a_host_that_is_cloned(hosting: Finder) -> None:
    """Its other pages are pages."""
    hosting.web.routes["/owner/tool/issues"] = answer(PAGE)
    assert hosting.put(url(hosting, "/owner/tool/issues")) == 0
    assert hosting.printed["kind"] == "page"
