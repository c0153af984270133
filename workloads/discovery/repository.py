"""A git repository at its commit, as a bundle: fetched bare, by one address that was checked, and nothing of it is run.

The rule: git connects to the checked address of one server and to no other: it follows no redirect, no alternate, no
submodule and no address of a file of Git LFS, and takes no proxy, credential or setting of this machine. Nothing is
checked out, so no hook and no filter runs. What a bundle cannot hold is named.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from model.problems import InvalidInputError, Problem
from workloads.discovery.address import Address
from workloads.discovery.fetch import TOOL, Fetched, fetch
from workloads.discovery.reach import Deadline, Reach

_ADVERTISED: Final = "/info/refs?service=git-upload-pack"
_PATH: Final = re.compile(r"/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(\.git)?/?")
#: Pages of GitHub that look like a repository.
_PAGES: Final = (
    "about apps collections customer-stories enterprise events explore features login marketplace orgs pricing "
    "readme resources search security settings site solutions sponsors team topics trending users"
)
_GIT_MINIMUM: Final = (2, 37)
"""The first with `http.curloptResolve`, by which the checked address is the one that git connects to."""
_LOOK_SECONDS: Final = 0.1
_README: Final = re.compile(r"readme(\.(md|markdown|mdx|rst|txt|org|adoc))?", re.IGNORECASE)
_FILES: Final = (b"100644", b"100755")
_SUBMODULE: Final = b"160000"
_COPY: Final = 2**16
_ENVIRONMENT: Final = "PATH TMPDIR DEVELOPER_DIR SSL_CERT_FILE SSL_CERT_DIR NIX_SSL_CERT_FILE"
"""What git gets of this process; the keys of the store and a proxy are not among it."""


class RepositoryError(Exception):
    """The repository cannot be kept as a whole; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What a repository may take.

    Attributes:
        size: Bytes that come, and bytes of the bundle.
        deadline: When it must be over.
    """

    size: int
    deadline: Deadline


@dataclass(frozen=True)
class Bundle:
    """A bundle.

    Attributes:
        path: The file.
        commit: The commit that is its HEAD.
        branch: The branch of it.
        lacks: What the repository has and the bundle has not.
    """

    path: Path
    commit: str
    branch: str
    lacks: tuple[str, ...]


def is_repository(address: Address, hosts: Sequence[str]) -> bool:
    """Whether an address is that of a repository, and not of one of its pages."""
    found = _PATH.fullmatch(address.target)
    return address.authority in hosts and found is not None and found["owner"].lower() not in _PAGES.split()


def check_git() -> str:
    """The program. Raise InvalidInputError if git is missing or too old to be led to a checked address."""
    program = shutil.which("git")
    path = os.environ.get("PATH", "which is not set")
    if program is None:
        raise InvalidInputError([Problem("git", f"is not installed, or not in PATH ({path})", "2.37 or later", "git")])
    done = subprocess.run(  # noqa: S603 - as found
        [program, "version"], env={"PATH": path}, capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)\.(\d+)", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < _GIT_MINIMUM:
        given = done.stdout.strip() or "no version"
        raise InvalidInputError([Problem(program, f"is {given}, which cannot be led", "2.37 or later", "git")])
    return program


def fetch_repository(address: Address, folder: Path, limits: Limits, hosts: Sequence[str], reach: Reach) -> Fetched:
    """Ask where a repository is; a renamed one leads to its new place. `failure` says why it is none."""
    there = Address(address.scheme, address.host, address.port, f"{address.path.rstrip('/')}{_ADVERTISED}")
    found = fetch(there, folder / "refs", limits.size, limits.deadline, reach)
    if not found.failure and not (found.last.target.endswith(_ADVERTISED) and found.last.authority in hosts):
        found.failure = f"it leads to {found.last.authority}, which is none of the hosts that are cloned"
    if found.status in (401, 403, 404):
        found.failure = f"{found.failure}: there is no such repository, or not for everybody"
    return found


def bundled(found: Fetched, folder: Path, limits: Limits, reach: Reach) -> Bundle:
    """Fetch the repository whose place was found, and make a bundle of its HEAD with all of its history.

    Raises:
        InvalidInputError: git is missing or too old.
        ReachError: The server must not be reached, or it takes too long.
        RepositoryError: It cannot be kept as a whole.
        OSError: The disk is full.
    """
    there = found.last
    found_at = reach.addresses(there, limits.deadline)
    base = there.sent.removesuffix(_ADVERTISED)
    git = _Git(check_git(), folder, limits)
    bare = folder / "repository.git"
    led = ",".join(f"[{each}]" if ":" in each else each for each in found_at)
    git.run(
        "-c", f"http.curloptResolve={there.host}:{there.port}:{led}",
        "clone", "--quiet", "--bare", "--single-branch", "--no-tags", "--", base, str(bare),
    )  # fmt: skip
    commit = git.asked(bare, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True)
    if not commit:
        raise RepositoryError("the repository has no commit, or its HEAD has none")
    branch = git.asked(bare, "symbolic-ref", "--quiet", "--short", "HEAD", may_fail=True)
    path = folder / "repository.bundle"
    git.run(
        "-C", str(bare), "bundle", "create", "--quiet", str(path), "HEAD", *([f"refs/heads/{branch}"] * bool(branch))
    )
    git.run("-C", str(bare), "bundle", "verify", "--quiet", str(path))
    if path.stat().st_size > limits.size:
        raise _too_large(limits)
    return Bundle(path, commit, branch, tuple(_lacks(git, bare, commit, limits)))


def describe(bundle: Bundle, folder: Path, limits: Limits, to: Path) -> None:
    """Write what a note can be made of to a new file: the text that introduces the repository, and its files.

    Raises:
        RepositoryError: git does not read it, or the text is too large.
        OSError: The file cannot be written.
    """
    git, bare = _Git(check_git(), folder, limits), folder / "repository.git"
    with to.open("xb") as file:
        top = _listed(git, bare, bundle.commit, limits, is_deep=False)
        readmes = [name for mode, _, name in top if mode in _FILES and _README.fullmatch(os.fsdecode(name))]
        for name in sorted(readmes)[:1]:
            with git.reading(bare, "cat-file", "blob", f"{bundle.commit}:{os.fsdecode(name)}") as content:
                _copied(content, file, limits)
            file.write(b"\n\n")
        file.write(f"## Files at {bundle.commit}\n\n".encode())
        for _, _, name in _listed(git, bare, bundle.commit, limits):
            file.write(b"- " + name.replace(b"\n", b"?") + b"\n")


class _Git:
    """Runs git within the limits, without anything of this machine."""

    def __init__(self, program: str, folder: Path, limits: Limits) -> None:
        self._program, self._folder, self._limits = program, folder, limits
        settings = {
            "core.askPass": "",
            "core.bigFileThreshold": "16m",  # a larger file is not held in memory
            "core.fsmonitor": "false",
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "fetch.unpackLimit": "1",  # one pack, whose size can be seen while it comes
            "gc.auto": "0",
            "http.followRedirects": "false",  # also switches off what a server calls its alternates
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": "30",
            "http.proxy": "",
            "http.userAgent": f"git/{TOOL}",
            "pack.threads": "1",  # the same bytes for the same repository
            "protocol.allow": "never",
            "protocol.http.allow": "always",
            "protocol.https.allow": "always",
            "submodule.recurse": "false",
            "transfer.bundleURI": "false",
        }
        self._environ = {
            **{name: os.environ[name] for name in _ENVIRONMENT.split() if name in os.environ},
            "GIT_CONFIG_COUNT": str(len(settings)),
            **{f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(settings)},
            **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(settings.values())},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "HOME": str(folder),  # where no configuration is, and no .netrc with passwords
            "LC_ALL": "C",
        }

    def run(self, *arguments: str) -> None:
        """Run git. Raise RepositoryError and ReachError."""
        before = size_of(self._folder)
        with self._started(arguments, subprocess.DEVNULL) as process:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
                    break
                self._limits.deadline.left()
                if size_of(self._folder) - before > self._limits.size:
                    raise _too_large(self._limits)

    def asked(self, bare: Path, *arguments: str, may_fail: bool = False) -> str:
        """What git prints, in one line."""
        try:
            with self.reading(bare, *arguments) as file:
                return file.read(_COPY).decode("utf-8", "surrogateescape").strip()
        except RepositoryError:
            if may_fail:
                return ""
            raise

    @contextmanager
    def reading(self, bare: Path, *arguments: str) -> Iterator[IO[bytes]]:
        """What git prints, as a stream. Raise RepositoryError and ReachError."""
        with self._started(("-C", str(bare), *arguments), subprocess.PIPE) as process:
            if process.stdout is None:
                raise AssertionError
            yield process.stdout
            while process.stdout.read(_COPY):
                pass
            try:
                process.wait(self._limits.deadline.left())
            except subprocess.TimeoutExpired:
                raise self._limits.deadline.over() from None

    @contextmanager
    def _started(self, arguments: Sequence[str], out: int) -> Iterator[subprocess.Popen[bytes]]:
        words = [self._program, *arguments]
        log = self._folder / "git.log"
        with log.open("wb") as err, subprocess.Popen(  # noqa: S603 - no shell, arguments of ours
            words, env=self._environ, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            lines = log.read_bytes()[-_COPY:].decode("utf-8", "replace").strip().splitlines()
            wrong = next((line for line in lines if line.startswith("fatal:")), lines[-1] if lines else "no word")
            name = next(word for word in arguments if word in _COMMANDS)
            raise RepositoryError(f"git {name} failed: {_ADDRESS.sub('ADDRESS', wrong)}")


_COMMANDS: Final = frozenset({"clone", "rev-parse", "symbolic-ref", "bundle", "ls-tree", "cat-file"})
_ADDRESS: Final = re.compile(r"https?://[^\s']+")


def _lacks(git: _Git, bare: Path, commit: str, limits: Limits) -> Iterator[str]:
    submodules = 0
    attributes: set[str] = set()
    for mode, blob, name in _listed(git, bare, commit, limits):
        submodules += mode == _SUBMODULE
        if name.rpartition(b"/")[2] == b".gitattributes":
            attributes.add(blob.decode())
    if submodules:
        yield f"submodules are not in it: it names {submodules} other repositories"
    for each in sorted(attributes):
        if "filter=lfs" in git.asked(bare, "cat-file", "blob", each):
            yield "objects of Git LFS are not in it: it has their pointers"
            return


def _listed(
    git: _Git, bare: Path, commit: str, limits: Limits, *, is_deep: bool = True
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Mode, object and path of what a tree has, and of all below; a few objects can make a list without an end.

    Raises:
        ReachError: It takes too long.
        RepositoryError: The list is too large, or git does not give it.
    """
    size, rest = 0, b""
    with git.reading(bare, "ls-tree", "-z", "--full-tree", *(["-r"] * is_deep), commit) as file:
        while block := file.read(_COPY):
            limits.deadline.left()
            size += len(block)
            if size > limits.size:
                raise RepositoryError(f"its list of files has more than {limits.size} bytes, which is the limit")
            *lines, rest = (rest + block).split(b"\0")
            for line in lines:
                what, _, name = line.partition(b"\t")
                mode, _, blob = what.split(b" ")
                yield mode, blob, name


def _copied(source: IO[bytes], to: IO[bytes], limits: Limits) -> None:
    size = 0
    while block := source.read(_COPY):
        size += len(block)
        if size > limits.size:
            raise _too_large(limits)
        to.write(block)


def size_of(folder: Path) -> int:
    """The bytes of the files of a folder, also while its files go away."""
    size = 0
    for base, _, names in os.walk(folder):  # unlike `rglob`, it passes over a folder that git removes meanwhile
        for name in names:
            with suppress(OSError):
                size += Path(base, name).lstat().st_size
    return size


def _too_large(limits: Limits) -> RepositoryError:
    return RepositoryError(f"the repository has more than {limits.size} bytes, which is the limit")
