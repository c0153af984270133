"""Starts and removes the sandbox of one or more stacks, and reports its status.

The rule: `up` may run again at any time. It leaves running parts alone, creates missing ones, and never deploys.
Left out: how each part is created (server.process, engine, project, engine.wrapper), and the output (cli.sandbox).
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.child import exclusive
from sandbox.engine.finder import Search, existing_engine, find_engine
from sandbox.engine.wrapper import write_wrapper
from sandbox.environment import Environment, stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName
from sandbox.project import make_project, select_stack
from sandbox.server import process as server_process
from sandbox.server.process import RunningServer, admin_credentials, running_server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.progress import Progress


@dataclass(frozen=True)
class Standing:
    """The status of the sandbox of one stack."""

    folder: StackFolder
    server: RunningServer | None
    resources: int | None  # in the Pulumi state; None if the stack does not exist yet


def up(
    stacks: Sequence[StackName], environ: Mapping[str, str], progress: Progress, admin_api: str | None = None
) -> Search:
    """Start the servers, find or build the engine, and write the project folders.

    Args:
        stacks: The stacks to start.
        environ: The environment in which to look for an engine.
        progress: Shows each step.
        admin_api: The admin API version that the `local` server must speak; None keeps its present version. A server
            that runs with another version is restarted and keeps its data.

    Raises:
        SandboxError: A part does not start, or the caller asks AWS for an admin API.
    """
    if admin_api is not None and StackName.LOCAL not in stacks:
        raise SandboxError("--admin-api applies only to the local stack; legal: --stack local, --stack all")
    folders = [StackFolder.of(stack) for stack in stacks]
    with ExitStack() as ending:
        for folder in folders:
            ending.enter_context(exclusive(folder.lock, progress, f"another command on the {folder.stack} sandbox"))
        wanted = {folder: admin_api if folder.stack is StackName.LOCAL else None for folder in folders}
        for folder in folders:
            _stop_other(folder, wanted[folder], progress)
        # All servers start before the search for the engine, because a server takes seconds to start.
        starting = {
            folder: server_process.start(folder, wanted[folder]) for folder in folders if running_server(folder) is None
        }
        ending.callback(server_process.end, starting.values())  # the servers that never became ready
        search = find_engine(environ, progress)
        for folder in folders:
            server = running_server(folder)
            if folder in starting:
                with progress.step(f"Starting the {folder.stack} server") as step:
                    server = server_process.wait_until_ready(folder, starting[folder], step)
                del starting[folder]
            elif server is not None:
                progress.say(f"The {folder.stack} server is already running.")
            if server is None:
                raise SandboxError(f"The {folder.stack} server stopped unexpectedly; see {folder.server_log}.")
            _prepare(folder, server, search, environ, progress, admin_api_asked=wanted[folder] is not None)
    return search


def _stop_other(folder: StackFolder, admin_api: str | None, progress: Progress) -> None:
    """Stop a server that speaks another admin API version than the requested one. It keeps its data."""
    server = running_server(folder)
    if admin_api is None or server is None or server.admin_api == admin_api:
        return
    with progress.step(f"Stopping the {folder.stack} server, which speaks admin API {server.admin_api}"):
        server_process.stop(folder)


def _prepare(
    folder: StackFolder,
    server: RunningServer,
    search: Search,
    environ: Mapping[str, str],
    progress: Progress,
    *,
    admin_api_asked: bool,
) -> None:
    wanted = make_project(folder, server, admin_credentials(folder), admin_api_asked=admin_api_asked)
    if search.engine:
        write_wrapper(folder, search.engine)
        environment = stack_environment(folder, server, environ).applied_to(environ)
        with progress.step(f"Preparing the Pulumi project of {folder.stack}"):
            select_stack(folder, wanted, environment)
        if folder.rehearsal.exists():
            progress.say(
                f"A rehearsal without an engine created the resources of the {folder.stack} stack, and its Pulumi "
                "state does not hold them. Remove them before you deploy: "
                f"object-store sandbox down --stack {folder.stack}"
            )


def down(stacks: Sequence[StackName], progress: Progress, *, keep: bool) -> None:
    """Stop the servers and, unless `keep` is set, remove all data of the stacks."""
    for folder in (StackFolder.of(stack) for stack in stacks):
        if not folder.path.is_dir():
            progress.say(f"The {folder.stack} sandbox does not exist.")
            continue
        with exclusive(folder.lock, progress, f"another command on the {folder.stack} sandbox"):
            with progress.step(f"Stopping the {folder.stack} sandbox"):
                was_running = server_process.stop(folder)
            if keep:
                ended = "stopped" if was_running else "was not running"
                progress.say(f"The {folder.stack} server {ended}; {folder.path} remains.")
            else:
                shutil.rmtree(folder.path)
                progress.say(f"{folder.path} was removed.")
    home = StackFolder.of(StackName.LOCAL).home
    if home.is_dir() and not any(StackFolder(stack, home).path.exists() for stack in StackName):
        shutil.rmtree(home)


def environment_of(stack: StackName, environ: Mapping[str, str]) -> Environment:
    """The environment of a stack that is up."""
    folder = StackFolder.of(stack)
    server = running_server(folder)
    if server is None:
        raise SandboxError(f"The {stack} server is not running. Start it: object-store sandbox up --stack {stack}")
    return stack_environment(folder, server, environ)


def has_engine(stack: StackName) -> bool:
    """Whether `up` found an engine for the stack."""
    return StackFolder.of(stack).wrapper.exists()


def standing(stack: StackName) -> Standing:
    """The status of a stack. It runs no engine, so it is quick."""
    folder = StackFolder.of(stack)
    return Standing(folder, running_server(folder), _resource_count(folder))


def engine_at_hand(environ: Mapping[str, str]) -> Search:
    """The engine that `up` would use without building one."""
    return existing_engine(environ)


def _resource_count(folder: StackFolder) -> int | None:
    states = sorted(folder.state.glob(f".pulumi/stacks/*/{folder.stack.value}.json"))
    if not states:
        return None
    try:
        latest = json.loads(states[0].read_text())["checkpoint"]["latest"] or {}
    except (OSError, ValueError, KeyError):
        return None  # the file is incomplete or has another format; no number is better than a wrong one
    return len(latest.get("resources", []))
