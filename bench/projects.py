"""Pulumi projects to measure: a program, a stack and a state in a folder, on the sandbox's stand-ins or any server.

The rule: the caller's own stacks stay untouched. State, passphrase and Pulumi's home belong to the folder. Without an
endpoint the benchmark starts a server and its stand-in plugin. With an endpoint the real plugin talks to that server as
the administrator whose keys are in the environment, and the deployed resources are destroyed at the end.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
CLOUDS = {"local": "aistor", "aws": "aws"}
KEPT = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME")  # of the caller; others could change the target
REGION = "us-west-2"
_TAIL_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Place:
    """A server with an administrator, and the environment in which the engine and its plugins reach it.

    Attributes:
        stack: `local` or `aws`: which of the two stores is measured.
        endpoint: The server's URL.
        ca_file: The CA that signed its certificate; None for the system's CAs.
        pulumi: The engine's executable.
        lasting: Whether the server still exists after the run.
        environment: The environment of every command; it holds the administrator's keys.
    """

    stack: str
    endpoint: str
    ca_file: Path | None
    pulumi: Path
    lasting: bool
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder with one stack.

    Attributes:
        place: The server that it deploys to.
        folder: The folder with Pulumi.yaml.
    """

    place: Place
    folder: Path

    def pulumi(self, *arguments: str) -> str:
        """Run the engine in the folder and return what it prints.

        Raises:
            SystemExit: The engine failed; the message has the end of its output.
        """
        done = subprocess.run(  # noqa: S603 - the engine
            [str(self.place.pulumi), *arguments, "--non-interactive"],
            cwd=self.folder,
            env=dict(self.place.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr)[-_TAIL_CHARACTERS:]
            raise SystemExit(f"`pulumi {arguments[0]}` in {self.folder.name} failed ({done.returncode}):\n{said}")
        return done.stdout

    def preview_seconds(self) -> float:
        """Seconds of a preview that must find no changes."""
        started = time.monotonic()
        self.pulumi("preview", "--expect-no-changes", "--suppress-progress")
        return time.monotonic() - started


@contextmanager
def place(stack: str, endpoint: str | None, folder: Path) -> Iterator[Place]:
    """The sandbox's server of that stack, started for this run, or the given server.

    Args:
        stack: `local` or `aws`.
        endpoint: A server's URL; keys from AISTOR_ROOT_USER and AISTOR_ROOT_PASSWORD (local), AWS_ACCESS_KEY_ID and
            AWS_SECRET_ACCESS_KEY (aws), its CA from S3_CA_BUNDLE.
        folder: The folder for files of the server and the engine.
    """
    # Imported here: another server needs only the sandbox's engine finder.
    from sandbox.engine.finder import find_engine  # noqa: PLC0415
    from sandbox.progress import Progress  # noqa: PLC0415

    search = find_engine(os.environ, Progress())
    if search.engine is None:
        raise SystemExit("no Pulumi engine found: " + "; ".join(search.tried))
    environment = {key: os.environ[key] for key in KEPT if key in os.environ} | _engine_environment(folder)
    if search.engine.plugins is not None:
        environment["PATH"] = f"{search.engine.plugins}{os.pathsep}{environment['PATH']}"
    if endpoint is not None:
        ca = os.environ.get("S3_CA_BUNDLE")
        pair = _pair(stack, *(os.environ[name] for name in _pair_names(stack)))
        environment |= pair | _leads_to(stack, endpoint, ca)
        yield Place(
            stack, endpoint, Path(ca) if ca else None, search.engine.executable, lasting=True, environment=environment
        )
        return
    from sandbox.server.temporary import running_server  # noqa: PLC0415 - likewise

    with running_server(CLOUDS[stack], folder / "server", plugin=True) as own:
        plugin = {"local": "minio", "aws": "aws"}[stack]
        environment |= _pair(stack, own.admin.user, own.admin.password)
        environment |= _leads_to(stack, own.endpoint, own.ca_bundle)
        environment |= {
            "PULUMI_DEBUG_PROVIDERS": f"{plugin}:{own.plugin_port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        }
        yield Place(
            stack, own.endpoint, Path(own.ca_bundle), search.engine.executable, lasting=False, environment=environment
        )


def _engine_environment(folder: Path) -> dict[str, str]:
    from sandbox.engine import language_host  # noqa: PLC0415 - only a self-built engine starts it

    for name in ("state", "home", "server"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(24),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "OBJECT_STORE_PYTHON": sys.executable,
        "OBJECT_STORE_LANGUAGE_HOST": str(Path(language_host.__file__).resolve()),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _pair_names(stack: str) -> tuple[str, str]:
    if stack == "aws":
        return "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    return "AISTOR_ROOT_USER", "AISTOR_ROOT_PASSWORD"


def _pair(stack: str, user: str, password: str) -> dict[str, str]:
    return dict(zip(_pair_names(stack), (user, password), strict=True))


def _leads_to(stack: str, endpoint: str, ca_file: str | None) -> dict[str, str]:
    if stack != "aws":
        return {}
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION} | ({"AWS_CA_BUNDLE": ca_file} if ca_file else {})


@contextmanager
def deployed(where: Place, folder: Path, main: Path, config: Mapping[str, Any]) -> Iterator[Project]:
    """A deployed project of a program; it is destroyed at the end if the server lasts.

    Args:
        where: The server.
        folder: A new folder for the project; its name is the project's name.
        main: The folder of the program.
        config: The stack's config, by full key.
    """
    folder.mkdir(parents=True)
    project_file: dict[str, Any] = {
        "name": folder.name,
        "main": os.path.relpath(main, folder),
        "runtime": {"name": "python", "options": {"virtualenv": sys.prefix} if sys.prefix != sys.base_prefix else {}},
    }
    if where.ca_file is not None:
        (folder / "ca.pem").write_bytes(where.ca_file.read_bytes())
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project_file), encoding="utf-8")
    project = Project(where, folder)
    project.pulumi("stack", "init", where.stack)  # it writes the salt for secrets into the stack's file
    stack_file = folder / f"Pulumi.{where.stack}.yaml"
    document = {**(yaml.safe_load(stack_file.read_text(encoding="utf-8")) or {}), "config": dict(config)}
    stack_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        project.pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress")
        yield project
    finally:
        if where.lasting:
            project.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress")


def stack_config(where: Place, env: str, domains: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a disposable stack of our own program, with domains in addition to the taxonomy's."""
    config: dict[str, Any] = {
        "cloud": CLOUDS[where.stack],
        "env": env,
        "region": REGION,
        "protect": False,
        "emptyOnDestroy": True,
        "domains": dict(domains),
    }
    if where.stack == "local":
        config["endpoint"] = where.endpoint
        if where.ca_file is not None:
            config["caBundle"] = "ca.pem"
    return {f"object-store:{key}": value for key, value in config.items()}
