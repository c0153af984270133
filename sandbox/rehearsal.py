"""Runs the program without an engine: with Pulumi's mocks, each of which really creates its resource.

The mocks call the stand-in plugin of the stack's server, and Pulumi's own dynamic provider. They use the engine's
protocol in the engine's order: Check, then Create; or Read, Diff and Update for a resource of an earlier rehearsal.
rehearsal.json (0600) records the created resources, so that a second rehearsal changes nothing.

Left out, and the output says so: state, preview, refresh, replacement, deletion. The program runs in this process and
changes its working directory and environment, so a process can rehearse only once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pulumi
import yaml
from pulumi.runtime import Mocks, set_all_config, set_mocks, settings
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from pulumi.runtime.stack import Stack, run_pulumi_func

from infra.standing import STATE_FUNCTION
from sandbox.child import exclusive, process_group
from sandbox.environment import stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName, write_private
from sandbox.project import make_project
from sandbox.server.process import admin_credentials, running_server
from sandbox.standin.values import from_wire, plain, to_wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pulumi.runtime import MockCallArgs, MockResourceArgs

    from sandbox.progress import Progress

DYNAMIC = "pulumi-python"  # the package of Pulumi's dynamic resources
NOT_SHOWN = (
    "A rehearsal shows that the program, its resources and the server work together. It does not show what only the "
    "engine does: state, preview, refresh, replacement and deletion."
)


@dataclass(frozen=True)
class Rehearsal:
    """The result of a rehearsal, and the files that hold the program's exports."""

    counts: Mapping[str, int]  # created, updated, unchanged
    deployment: Path
    credentials: Path
    undeclared: tuple[str, ...]  # created earlier and no longer in the program; the rehearsal does not touch them


class Plugin:
    """A provider plugin as the engine calls it."""

    def __init__(self, port: int) -> None:
        """Connect to the plugin on that port of this machine."""
        self._stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def configure(self, urn: str, inputs: Mapping[str, Any]) -> None:
        """Check and set the provider's own inputs."""
        checked = self._stub.CheckConfig(provider_pb2.CheckRequest(urn=urn, news=to_wire(inputs)))
        _raise_failures(urn, checked)
        self._stub.Configure(provider_pb2.ConfigureRequest(args=checked.inputs))

    def configure_plainly(self, config: Mapping[str, str]) -> None:
        """Set the config of a provider that does not check its config."""
        self._stub.Configure(provider_pb2.ConfigureRequest(args=to_wire(config)))

    def realise(self, urn: str, inputs: Mapping[str, Any], held: Mapping[str, Any] | None) -> tuple[str, Any]:
        """Create or update the resource. Returns what was done, and the new entry for the record."""
        checked = self._stub.Check(
            provider_pb2.CheckRequest(urn=urn, news=to_wire(inputs), olds=to_wire(held["inputs"] if held else {}))
        )
        _raise_failures(urn, checked)
        news = plain(from_wire(checked.inputs))
        live = self._read(urn, held) if held else None
        if live is None:
            made = self._stub.Create(provider_pb2.CreateRequest(urn=urn, properties=to_wire(news)))
            return "created", _entry(made.id, news, made.properties)
        difference = self._stub.Diff(
            provider_pb2.DiffRequest(
                id=live["id"],
                urn=urn,
                olds=to_wire(live["outputs"]),
                news=to_wire(news),
                old_inputs=to_wire(live["inputs"]),
            )
        )
        if difference.replaces:
            raise SandboxError(
                f"{urn}: a change of {', '.join(difference.replaces)} replaces the resource, and a rehearsal cannot "
                "replace resources. Start with an empty sandbox: object-store sandbox down"
            )
        if difference.changes != provider_pb2.DiffResponse.DIFF_SOME:
            return "unchanged", {**live, "inputs": news}
        updated = self._stub.Update(
            provider_pb2.UpdateRequest(
                id=live["id"],
                urn=urn,
                olds=to_wire(live["outputs"]),
                news=to_wire(news),
                old_inputs=to_wire(live["inputs"]),
            )
        )
        return "updated", _entry(live["id"], news, updated.properties)

    def _read(self, urn: str, held: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._stub.Read(
            provider_pb2.ReadRequest(
                id=held["id"], urn=urn, properties=to_wire(held["outputs"]), inputs=to_wire(held["inputs"])
            )
        )
        if not found.id:
            return None
        inputs = plain(from_wire(found.inputs)) if found.HasField("inputs") else held["inputs"]
        return _entry(found.id, inputs, found.properties)


class LiveMocks(Mocks):
    """Mocks that create the requested resources."""

    def __init__(self, plugins: Mapping[str, Plugin], record: Path) -> None:
        """Call these plugins, by package, and record the created resources in `record`."""
        self.errors: list[SandboxError] = []
        self.counts: Counter[str] = Counter()
        self._plugins = plugins
        self._record = record
        self._held: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Answer questions about the state, as the engine would. No stand-in has functions."""
        if args.token == STATE_FUNCTION:
            with self._lock:
                known = {
                    urn: {"type": urn.split("::")[2], "outputs": entry["outputs"]} for urn, entry in self._held.items()
                }
            return {"outputs": known}, []
        raise self._failed(SandboxError(f"{args.token}: a rehearsal cannot call provider functions."))

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Create the resource; a component consists only of its name."""
        inputs = plain(from_wire(to_wire(args.inputs)))
        urn = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{args.typ}::{args.name}"
        try:
            if args.typ.startswith("pulumi:providers:"):
                self._plugin(args.typ.rpartition(":")[2]).configure(urn, inputs)
                return args.name, inputs
            if not args.custom:
                return None, inputs
            return self._realise(urn, args.typ, inputs)
        except grpc.RpcError as error:
            details = error.details() if isinstance(error, grpc.Call) else str(error)
            raise self._failed(SandboxError(f"{args.typ} {args.name}: {details}")) from None
        except SandboxError as error:
            raise self._failed(error) from None

    @property
    def undeclared(self) -> tuple[str, ...]:
        """The resources that an earlier rehearsal created and this one did not declare."""
        return tuple(sorted(set(self._held) - self._seen))

    def _realise(self, urn: str, typ: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        with self._lock:
            held = self._held.get(urn)
        done, entry = self._plugin(typ.partition(":")[0]).realise(urn, inputs, held)
        with self._lock:
            self.counts[done] += 1
            self._seen.add(urn)
            self._held[urn] = entry
            # Written after each resource, so that a created resource stays known when a later one fails.
            write_private(self._record, json.dumps(self._held))
        return entry["id"], entry["outputs"]

    def _plugin(self, package: str) -> Plugin:
        try:
            return self._plugins[package]
        except KeyError:
            known = ", ".join(sorted(self._plugins))
            raise SandboxError(f"No stand-in plugin exists for the package {package!r}; legal: {known}.") from None

    def _failed(self, error: SandboxError) -> SandboxError:
        self.errors.append(error)  # Pulumi wraps an exception of a mock in many frames; the first error is shown
        return error


def rehearse(stack: StackName, environ: Mapping[str, str], progress: Progress) -> Rehearsal:
    """Run the program of a stack whose server is running, and write its exports."""
    folder = StackFolder.of(stack)
    server = running_server(folder)
    if server is None:
        raise SandboxError(f"The {stack} server is not running. Start it: object-store sandbox up --stack {stack}")
    with exclusive(folder.lock, progress, f"another command on the {stack} sandbox"):
        wanted = make_project(folder, server, admin_credentials(folder))
        variables = stack_environment(folder, server, environ).applied_to(environ)
        os.environ.clear()
        os.environ.update(variables)
        project = yaml.safe_load(folder.project_file.read_text())
        config = _config(folder, project, wanted.secret_facts)
        program = (folder.project / project.get("main", ".")).resolve()
        dynamic_environ = {**variables, "PULUMI_PROJECT": project["name"]}  # the namespace of its config keys
        with progress.step(f"Rehearsing {stack} without an engine"), _dynamic_plugin(program, dynamic_environ) as port:
            dynamic = Plugin(port)
            dynamic.configure_plainly(config)
            mocks = LiveMocks({server.plugin: Plugin(server.plugin_port), DYNAMIC: dynamic}, folder.rehearsal)
            exports = _run(folder, program, project["name"], config, tuple(wanted.secret_facts), mocks)
    for name, path in (("deployment", folder.deployment), ("credentials", folder.credentials)):
        if name not in exports:
            raise SandboxError(
                f"{program}: the program does not export {name!r}; it exports {', '.join(exports) or 'nothing'}."
            )
        write_private(path, json.dumps(exports[name], indent=2) + "\n")
    return Rehearsal(dict(mocks.counts), folder.deployment, folder.credentials, mocks.undeclared)


def _config(folder: StackFolder, project: Mapping[str, Any], secret: Mapping[str, str]) -> dict[str, str]:
    """The config as the engine would pass it: declared defaults, the stack file, secrets in clear."""
    declared = {
        f"{project['name']}:{key}": entry.get("default") for key, entry in (project.get("config") or {}).items()
    }
    held = yaml.safe_load(folder.stack_file.read_text()).get("config") or {}
    plain_values = {key: value for key, value in held.items() if not (isinstance(value, dict) and "secure" in value)}
    given = {key: value for key, value in {**declared, **plain_values}.items() if value is not None}
    return {**{key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}, **secret}


@contextmanager
def _dynamic_plugin(program: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """Pulumi's own dynamic provider, as the engine would start it."""
    command = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:0"]
    with process_group(command, environ=environ, cwd=program, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line.strip().isdigit():
            rest = process.stdout.read() if process.stdout else ""
            raise SandboxError(f"Pulumi's dynamic provider did not start:\n{line}{rest}")
        yield int(line)


def _run(
    folder: StackFolder,
    program: Path,
    project: str,
    config: Mapping[str, str],
    secret_keys: tuple[str, ...],
    mocks: LiveMocks,
) -> dict[str, Any]:
    os.chdir(program)
    # When one resource fails, Pulumi abandons the calls for others, and asyncio would report each of them at length.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_mocks(mocks, project=project, stack=folder.stack.value, preview=False)
    settings.SETTINGS.root_directory = str(folder.project)
    set_all_config(dict(config), list(secret_keys))
    exported: dict[str, Any] = {}

    async def body() -> None:
        with redirect_stdout(sys.stderr):  # standard output is for the names of the files
            runpy.run_path(str(program), run_name="__main__")
        root = settings.get_root_resource()
        outputs = root.outputs if isinstance(root, Stack) else {}
        exported.update(await pulumi.Output.from_input(outputs).future() or {})

    try:
        loop.run_until_complete(run_pulumi_func(body))
    except pulumi.RunError as error:
        raise SandboxError(str(error)) from None
    except Exception:
        if mocks.errors:
            raise mocks.errors[0] from None
        raise
    finally:
        loop.close()
    return exported


def _entry(resource_id: str, inputs: Mapping[str, Any], outputs: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf Struct
    return {"id": resource_id, "inputs": dict(inputs), "outputs": plain(from_wire(outputs))}


def _raise_failures(urn: str, checked: provider_pb2.CheckResponse) -> None:
    if checked.failures:
        reasons = "; ".join(failure.reason for failure in checked.failures)
        raise SandboxError(f"{urn}: {reasons}")
