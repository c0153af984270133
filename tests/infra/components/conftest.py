"""Runs of the whole program in this process, on Pulumi's mocks: every resource as plain data."""

import asyncio
import gc
import json
import socket
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest
from pulumi.runtime import mocks, rpc
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.stack import Stack, run_pulumi_func

from infra.live_names import planned_names
from infra.program import main
from infra.settings import Settings
from infra.standing import STATE_FUNCTION
from model.plan import StorePlan
from model.policies import POLICY_SIZE
from model.user_names import ServerName, Taken

ROOT = Path(__file__).parents[3]
STACK_TYPE = "pulumi:pulumi:Stack"
ADMIN_PASSWORD = "planted-admin-password"  # noqa: S105 - planted
ASPECTS = ("public-access", "ownership", "encryption", "versioning", "retention", "lifecycle", "policy")


@dataclass(frozen=True)
class Declared:
    """One declared resource.

    Attributes:
        type: Its type token.
        name: Its logical name.
        inputs: Its inputs.
        parent: The URN of its parent.
        protect: Whether it is protected.
        retain_on_delete: Whether deleting it keeps the real resource.
        depends_on: Logical names of the resources it waits for, by dependency or by input.
        aliases: Its former logical names, without the types, which a provider's SDK adds.
        secret_outputs: Outputs that the engine must encrypt.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    protect: bool
    retain_on_delete: bool
    depends_on: frozenset[str]
    aliases: tuple[str, ...]
    secret_outputs: frozenset[str]


class Recorder(mocks.Mocks):
    """Answers every registration with its inputs, as the engine does after an update."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return an id and the outputs that the program reads."""
        outputs = dict(args.inputs)
        if args.typ.endswith("ServiceAccount"):
            outputs |= {"accessKey": f"AK-{args.name}", "secretKey": f"secret-of-{args.name}"}
        if args.typ == "pulumi-python:dynamic/identity:User":
            outputs |= {"secret": f"secret-of-{args.name}"}
        if args.typ.endswith("AccessKey"):
            outputs |= {"secret": f"secret-of-{args.name}"}
        if args.typ.endswith("Policy"):
            outputs |= {"arn": f"arn:aws:iam::123456789012:policy/{args.name}"}
        return f"{args.name}-id", outputs

    def __init__(self, state: dict[str, Any], unreadable: int = 0) -> None:
        """Start with the stack's resources, by URN; the first reads of the state fail, as many as given."""
        self.state = state
        self.unreadable = unreadable

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Return the stack's state, the only call that the program makes."""
        assert args.token == STATE_FUNCTION
        if self.unreadable:
            self.unreadable -= 1
            return {}, [("", "failed to load checkpoint: EOF")]
        return {"outputs": self.state}, []


class RecordingMonitor(mocks.MockMonitor):
    """A mock monitor that stores each registration request."""

    def __init__(self, own: mocks.Mocks) -> None:
        """Begin with none."""
        super().__init__(own)
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - gRPC's request and name
        """Store the request and answer as usual."""
        self.requests.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # pulumi's


@dataclass(frozen=True)
class Secret:
    """An exported value that is a Pulumi secret."""

    value: Any


@dataclass(frozen=True)
class Run:
    """A finished run of the program."""

    resources: list[Declared]
    outputs: dict[str, Any]

    def of(self, kind: str) -> dict[str, Declared]:
        """The resources whose type ends in `:kind`, by logical name."""
        return {r.name: r for r in self.resources if r.type.endswith(f":{kind}")}

    def children(self, domain: str) -> list[Declared]:
        """The resources of one bucket, in the order of declaration."""
        own = (domain, *(f"{domain}-{aspect}" for aspect in ASPECTS))
        return [r for r in self.resources if r.name in own]


@pytest.fixture(scope="session", name="run_program")
def _run_program() -> Iterator[Callable[..., Run]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def run(
            cloud: str,
            state: dict[str, Any] | None = None,
            existing: set[str] | None = None,
            unreadable: int = 0,
            gone: frozenset[str] = frozenset(),
            taken: Sequence[Taken] = (),
            **changes: object,
        ) -> Run:
            values: dict[str, object] = {"cloud": cloud, "env": "local", "region": "us-west-2", **changes}
            if cloud == "aistor":
                values = {"endpoint": endpoint, "adminUser": "provisioner", "adminPassword": ADMIN_PASSWORD, **values}
            there = existing or set()

            def foreign(plan: StorePlan, settings: Settings, held: Collection[ServerName]) -> list[Taken]:
                planned = planned_names(plan, settings).keys() - held
                return [one for one in taken if one.name in planned]

            with (
                patch("infra.standing.existing_buckets", lambda names, _, ours: set(names) & ({*there, *ours} - gone)),
                patch("infra.standing.foreign_names", foreign),
                patch("infra.standing.keys_of_users", lambda new, _: dict.fromkeys(new, ())),
                # Of each of pytest's own frames, for each resource: a sixth of the time.
                patch("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace),
            ):
                return _run(values, Recorder(state or {}, unreadable))

        yield run


@pytest.fixture(name="small_policies")
def _small_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies of half the size, or less: a plan of a few domains needs two."""
    for cloud in POLICY_SIZE:
        monkeypatch.setitem(POLICY_SIZE, cloud, 3000)


def _run(values: dict[str, object], recorder: Recorder) -> Run:
    config = {
        f"object-store:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }
    monitor = RecordingMonitor(recorder)
    outputs: dict[str, Any] = {}

    async def body() -> None:
        main()
        root = runtime_settings.get_root_resource()
        assert isinstance(root, Stack)
        outputs.update({name: await _value(output) for name, output in root.outputs.items()})

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    mocks.set_mocks(monitor.mocks, project="object-store", stack="test", monitor=monitor)
    runtime_settings.SETTINGS.root_directory = str(ROOT)
    pulumi.runtime.set_all_config(config)
    with warnings.catch_warnings():
        # Pulumi's mock monitor creates an event loop on each worker thread and never closes it.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            loop.run_until_complete(run_pulumi_func(body))
        finally:
            pulumi.runtime.set_all_config({})
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            asyncio.set_event_loop(None)
            gc.collect()
    by_urn = {monitor.make_urn(r.parent, r.type, r.name): r.name for r in monitor.requests}
    # The stack itself is registered only in a process's first run.
    declared = [_declared(request, by_urn) for request in monitor.requests if request.type != STACK_TYPE]
    return Run(declared, outputs)


def _declared(request: Any, by_urn: dict[str, str]) -> Declared:  # noqa: ANN401 - gRPC's request
    waits = {urn for found in request.propertyDependencies.values() for urn in found.urns} | set(request.dependencies)
    return Declared(
        type=request.type,
        name=request.name,
        inputs=rpc.deserialize_properties(request.object),
        parent=request.parent,
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        depends_on=frozenset(by_urn[urn] for urn in waits),
        aliases=tuple(alias.spec.name for alias in request.aliases if alias.spec.name),
        secret_outputs=frozenset(request.additionalSecretOutputs),
    )


async def _value(output: object) -> Any:  # noqa: ANN401 - any exported value
    """The value of an export; a secret one is wrapped, so that a test can recognise it."""
    found = pulumi.Output.from_input(output)
    value = await found.future()
    return Secret(value) if await found.is_secret() else value
