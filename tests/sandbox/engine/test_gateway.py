"""Building versitygw, and running it without leftovers.

A script replaces Go in the tests of the build. The tests marked `versitygw` run the real one, which is built if the
cache does not hold it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from sandbox.engine import gateway
from sandbox.engine.finder import cache_root
from sandbox.engine.gateway import NoGatewayError, RunningGateway, existing_gateway, find_gateway, running_gateway
from sandbox.folder import SandboxError
from sandbox.progress import Progress
from tests.sandbox.fake_go import environment_without_go, let_build, put_go

GONE_SECONDS = 10.0


@pytest.fixture(name="environ")
def _environ(tmp_path: Path) -> dict[str, str]:
    return environment_without_go(tmp_path)


@pytest.fixture(name="go")
def _go(environ: dict[str, str], tmp_path: Path) -> Path:
    let_build(environ, gateway.PROGRAM)
    return put_go(environ, tmp_path)


def left_in_cache(environ: dict[str, str]) -> list[str]:
    """The content of the cache without the lock."""
    root = cache_root(environ)
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock") if root.exists() else []


class TestBuild:
    """Finding or building it."""

    def test_without_go_it_is_the_reason(self, environ: dict[str, str], tmp_path: Path) -> None:
        """The error says what is missing, and no file is left."""
        with pytest.raises(
            NoGatewayError, match=r"versitygw 1\.8\.0 is not built and cannot be built: `go` is not on PATH"
        ):
            find_gateway(environ, Progress(quiet=True))
        with (
            pytest.raises(NoGatewayError),
            running_gateway(tmp_path / "data", environ=environ, progress=Progress(quiet=True)),
        ):
            pass

        assert left_in_cache(environ) == []
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(
        ("variable", "value", "reason"),
        [
            ("FAKE_GO_VERSION", "go1.25.9", r"reports go1\.25\.9; it must be go1\.26 or newer"),
            ("FAKE_GO_FAILS", "yes", r"`go build` ended with 2: undefined: everything"),
            ("FAKE_GO_BUILDS", "1.7.0", r"the built versitygw does not report version 1\.8\.0"),
        ],
    )
    @pytest.mark.usefixtures("go")
    def test_build_that_fails_leaves_nothing(
        self, environ: dict[str, str], variable: str, value: str, reason: str
    ) -> None:
        """The reason is Go's own message, and the cache is unchanged."""
        environ[variable] = value

        with pytest.raises(NoGatewayError, match=reason):
            find_gateway(environ, Progress(quiet=True))

        assert left_in_cache(environ) == []
        assert existing_gateway(environ) is None

    def test_build_is_of_the_pinned_module_and_happens_once(self, environ: dict[str, str], go: Path) -> None:
        """The build uses the committed module and contains no paths, and the next search finds it without Go."""
        found = find_gateway(environ, Progress(quiet=True))
        again = find_gateway({**environ, "PATH": "/usr/bin:/bin"}, Progress(quiet=True))

        (build,) = [line for line in go.read_text().splitlines() if line.startswith("build ")]
        assert found == again == existing_gateway(environ)
        assert "-trimpath" in build
        assert build.endswith(gateway.PROGRAM.package)
        assert Path(f"{go}.mod").read_text() == (gateway.PROGRAM.module / "go.mod").read_text()
        assert left_in_cache(environ) == [gateway.PROGRAM.entry]

    def test_module_pins_the_version_and_names_no_host_of_a_registry(self) -> None:
        """go.mod requires the version in the code, go.sum has its sum, and tools.go imports the package."""
        texts = {path.name: path.read_text() for path in gateway.PROGRAM.module.iterdir()}

        assert set(texts) == {"go.mod", "go.sum", "tools.go"}
        assert f"require github.com/versity/versitygw v{gateway.VERSION}\n" in texts["go.mod"]
        assert re.search(rf"^github\.com/versity/versitygw v{gateway.VERSION} h1:", texts["go.sum"], re.MULTILINE)
        assert f'import _ "{gateway.PROGRAM.package}"' in texts["tools.go"]
        assert "replace" not in texts["go.mod"]


def client_of(running: RunningGateway) -> object:
    """A boto3 client for it."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=running.endpoint,
        region_name=running.region,
        aws_access_key_id=running.access_key_id,
        aws_secret_access_key=running.secret_access_key,
    )


def is_gone(endpoint: str) -> bool:
    """Whether the port is soon free; a killed process releases its port a moment later."""
    parts, deadline = urlsplit(endpoint), time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((parts.hostname or "", parts.port or 0)):
                return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module", name="built")
def _built() -> None:
    """The real one, built if necessary; if that fails, the test is skipped with the reason."""
    try:
        find_gateway(os.environ, Progress())
    except NoGatewayError as reason:
        pytest.skip(str(reason))


@pytest.mark.versitygw
@pytest.mark.usefixtures("built")
class TestRun:
    """Running a gateway, and its end."""

    def test_answers_with_a_key_of_its_own_and_leaves_nothing(self, tmp_path: Path) -> None:
        """It stores objects during the block; afterwards process, port and data are gone, and other files remain."""
        (tmp_path / "kept").touch()
        with running_gateway(tmp_path) as first, running_gateway(tmp_path) as second:
            for running in (first, second):
                client = client_of(running)
                client.create_bucket(Bucket="bucket")  # type: ignore[attr-defined]  # boto3's
                client.put_object(Bucket="bucket", Key="k", Body=b"x", Metadata={"a": "b"})  # type: ignore[attr-defined]  # likewise
                assert client.head_object(Bucket="bucket", Key="k")["Metadata"] == {"a": "b"}  # type: ignore[attr-defined]  # likewise
                client.close()  # type: ignore[attr-defined]  # likewise
            assert first.endpoint != second.endpoint
            assert first.secret_access_key != second.secret_access_key
            assert first.secret_access_key not in repr(first)
            assert first.secret_access_key not in Path(f"/proc/{first.process_id}/cmdline").read_text()

        assert is_gone(first.endpoint)
        assert is_gone(second.endpoint)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]

    def test_error_in_the_block_ends_it(self, tmp_path: Path) -> None:
        """An error leaves the block, and no leftovers remain."""
        with pytest.raises(KeyError), running_gateway(tmp_path) as running:
            raise KeyError

        assert is_gone(running.endpoint)
        assert list(tmp_path.iterdir()) == []

    def test_starter_that_is_killed_leaves_nothing(self, tmp_path: Path) -> None:
        """Even a SIGKILL of the starter leaves no gateway and no data."""
        program = (
            "import sys, pathlib\nfrom sandbox.engine.gateway import running_gateway\n"
            "with running_gateway(pathlib.Path(sys.argv[1])) as g:\n"
            "    print(g.endpoint, flush=True)\n    sys.stdin.read()\n"
        )
        root = str(Path(gateway.__file__).parents[2])
        with subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        ) as starter:
            assert starter.stdout is not None
            endpoint = starter.stdout.readline().strip()
            starter.send_signal(signal.SIGKILL)

        assert endpoint
        assert is_gone(endpoint)
        deadline = time.monotonic() + GONE_SECONDS
        while list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(tmp_path.iterdir()) == []

    def test_folder_without_attributes_has_them_beside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a file system without user attributes, the gateway keeps metadata in files, and returns it."""
        monkeypatch.setattr(gateway, "_has_attributes", lambda _: False)
        with running_gateway(tmp_path) as running:
            assert "--sidecar" in Path(f"/proc/{running.process_id}/cmdline").read_text().split("\0")
            client = client_of(running)
            client.create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True)  # type: ignore[attr-defined]  # boto3's
            client.put_object(Bucket="bucket", Key="a/k", Body=b"x", Metadata={"a": "b"})  # type: ignore[attr-defined]  # likewise
            assert client.head_object(Bucket="bucket", Key="a/k")["Metadata"] == {"a": "b"}  # type: ignore[attr-defined]  # likewise
            client.close()  # type: ignore[attr-defined]  # likewise

    def test_port_that_was_taken_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The gateway tries another port a few times, and then the error says so."""
        free = gateway._free_port
        ports: list[int] = []
        with socket.socket() as taken:
            taken.bind((gateway.HOST, 0))
            taken.listen()

            def chosen() -> int:
                ports.append(taken.getsockname()[1] if not ports else free())
                return ports[-1]

            monkeypatch.setattr(gateway, "_free_port", chosen)
            with running_gateway(tmp_path) as running:
                assert running.endpoint.endswith(f":{ports[1]}")
            monkeypatch.setattr(gateway, "_free_port", lambda: taken.getsockname()[1])
            with pytest.raises(SandboxError, match="no free port"), running_gateway(tmp_path):
                pass

    def test_gateway_that_does_not_start_says_why(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error holds the output of the gateway."""
        monkeypatch.setattr(gateway, "HOST", "256.0.0.1")
        monkeypatch.setattr(gateway, "_free_port", lambda: 1)
        with (
            pytest.raises(SandboxError, match=r"(?s)versitygw ended with \d+: .*256\.0\.0\.1"),
            running_gateway(tmp_path),
        ):
            pass
