"""The process that drives the TypeScript package, step by step."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from trials.servers import Server
from trials.typescript_package import Package, bare


class TypeScriptDriver:
    """The TypeScript package as a driver of the contract's cases: one process, a line for each step."""

    def __init__(
        self, package: Package, server: Server | None, *, environ: Mapping[str, str] | None = None, **limits: int
    ) -> None:
        """Start it with the server's variables, or with those that are given."""
        self._server = server
        self._process = subprocess.Popen(  # noqa: S603 - node
            [package.node, str(package.folder / "build" / "test" / "driver.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=bare(os.environ)
            | (variables(server) if server else {})
            | dict(environ or {})
            | {"DRIVER_LIMITS": json.dumps(limits)},
            text=True,
        )

    def do(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Do one step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(step) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise AssertionError(f"the driver ended: {self._process.stderr.read()[-2000:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def opened(self, url: str, body: bytes | None) -> tuple[int, bytes]:
        """The server's answer to a URL."""
        assert self._server is not None
        return self._server.open(url, "GET" if body is None else "PUT", body)

    def close(self) -> str:
        """End it, and return what it said on standard error."""
        _, said = self._process.communicate(timeout=60)
        return said


def variables(server: Server) -> dict[str, str]:
    """The variables that lead to a server."""
    config = server.config
    found = {
        "S3_ENDPOINT": config.endpoint,
        "AWS_REGION": config.region,
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
        "AWS_SESSION_TOKEN": config.session_token,
        "S3_CA_BUNDLE": str(config.ca_bundle) if config.ca_bundle else None,
    }
    return {name: value for name, value in found.items() if value is not None}
