"""A provider plugin over a table of resource types, for the Pulumi engine (gRPC) and in process.

The interface, for the author or the caller of a stand-in:

* A resource type is a subclass of `ResourceType[Connection]` with a `token`, a `table` of `Property` (see
  `properties.py`: `string(...)`, `integer`, `boolean`, `string_map`, `block`, `blocks`) and five hooks.
  `create_live(connection, planned) -> (id, values) | None`, `read_live(connection, id, state) -> values | None`,
  `update_live(connection, id, state, planned) -> values | None`, `delete_live(connection, id, state)` and
  `import_live(connection, id) -> (id, state) | None`. `values` holds only what the hook learned or changed; None
  means "does not exist". A refusal is `ProviderError(message)`, or `PartialFailureError` if a part remains.
* A plugin is `StandIn(name=…, version=…, config=table, types=[…], connect=function)`; `connect(config) ->
  Connection` runs at Configure and may raise `ProviderError`.
* In process, all on plain dicts with `UNKNOWN` and `Secret(x)` from `values.py`:
  `stand_in.configure({"minioServer": …})`, then `stand_in.type_of(token)` gives the `ResourceType` and
  `stand_in.connection` the connection: `checked = kind.check(inputs, logical_name="x")` (`.inputs`, `.failures`),
  `kind.diff(state, checked.inputs)` (`Difference`), `kind.create(connection, checked.inputs, preview=…, urn=…)`
  (`Resource` with `.id`, `.properties`, `.inputs`), `kind.read(connection, id, state, inputs)`,
  `kind.update(connection, id, state, checked.inputs)`, `kind.delete(connection, id, state)`.
  `stand_in.create(token, inputs, logical_name=…)` does check and create in one step, for mocks.
* With an engine: `server, port = serve_plugin(stand_in)`, and `PULUMI_DEBUG_PROVIDERS=<name>:<port>`.

The one rule: an attached plugin is one process for all provider instances of the program. The engine's calls do not
name the instance, so the last Configure applies. Left out: functions, components, parameterization, streamed calls.
"""

# ruff: noqa: N802 - the method names are those of the gRPC service

from __future__ import annotations

import json
from concurrent import futures
from typing import TYPE_CHECKING, Generic, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.standin.checking import Autonaming, AutonamingMode, Checked
from sandbox.standin.configuration import checked_config, config_changes, decoded_config
from sandbox.standin.package_schema import package_schema
from sandbox.standin.resource import (
    Connection,
    PartialFailureError,
    ProviderError,
    Resource,
    ResourceType,
)
from sandbox.standin.values import Bag, from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.standin.differing import Difference
    from sandbox.standin.properties import Table

__all__ = ["PartialFailureError", "ProviderError", "Resource", "ResourceType", "StandIn", "serve_plugin"]

MAX_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit (rpcutil.GrpcChannelOptions)
_MAX_CALLS_AT_ONCE = 64  # the engine's default parallelism is 4 x cores; the hooks mostly wait
_AUTONAMING_MODES: tuple[AutonamingMode, ...] = ("propose", "enforce", "disable")  # in the protocol's order


class StandIn(provider_pb2_grpc.ResourceProviderServicer, Generic[Connection]):
    """A provider plugin that consists of resource types.

    Attributes:
        name: the package, `minio`.
        version: the version of the real plugin.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        config: Table,
        types: Iterable[ResourceType[Connection]],
        connect: Callable[[Bag], Connection],
    ) -> None:
        """Keep the tables; the plugin contacts nothing before `configure`."""
        self.name = name
        self.version = version
        self._config = config
        self._types = {kind.token: kind for kind in types}
        self._connect = connect
        self._connection: Connection | None = None

    # In process

    @property
    def connection(self) -> Connection:
        """The connection of the last `configure`."""
        if self._connection is None:
            raise ProviderError(
                f"the {self.name} stand-in is not configured: call configure() with the provider's inputs before "
                "creating, reading, updating or deleting"
            )
        return self._connection

    def configure(self, config: Mapping[str, object]) -> None:
        """Connect with the provider's inputs; booleans and numbers may be text."""
        try:
            self._connection = self._connect(decoded_config(self._config, config))
        except ProviderError as error:
            raise ProviderError(error.listed) from error

    def type_of(self, token: str, call: str = "Check") -> ResourceType[Connection]:
        """Return the resource type of a token."""
        try:
            return self._types[token]
        except KeyError:
            raise ProviderError(
                f"unrecognized resource type ({call}): {token}. The {self.name} stand-in has "
                f"{', '.join(sorted(self._types))}; use one of these, or add a ResourceType for it"
            ) from None

    def create(self, token: str, inputs: Mapping[str, object], *, logical_name: str, preview: bool = False) -> Resource:
        """Check and create in one step; a failed check is a `ProviderError`."""
        kind = self.type_of(token, "Create")
        checked = kind.check(inputs, logical_name=logical_name)
        if checked.failures:
            raise ProviderError(f"{token} resource '{logical_name}' has a problem: {'; '.join(checked.failures)}")
        urn = f"urn:pulumi:rehearsal::rehearsal::{token}::{logical_name}"
        connection = None if preview else self.connection
        return kind.create(connection, checked.inputs, preview=preview, urn=urn)

    # The service, about the plugin

    def Handshake(
        self, _request: provider_pb2.ProviderHandshakeRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Report the plugin's capabilities, as the real one does at Configure."""
        return provider_pb2.ProviderHandshakeResponse(supports_autonaming_configuration=True)

    def Attach(self, _request: plugin_pb2.PluginAttach, _context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Accept the engine; the plugin does not log to it."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: empty_pb2.Empty, _context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Report the version of the real plugin."""
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(
        self, _request: provider_pb2.GetSchemaRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Return a schema from the tables, which `pulumi import` needs to write code."""
        schema = package_schema(self.name, self.version, self._config, self._types)
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Parameterize(self, _request: provider_pb2.ParameterizeRequest, context: grpc.ServicerContext) -> NoReturn:
        """Refuse, as a plugin without parameters does."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the {self.name} provider takes no parameters")
        raise AssertionError("abort() always raises")

    def Cancel(self, _request: empty_pb2.Empty, _context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Accept, because every call of a stand-in is short."""
        return empty_pb2.Empty()

    # The service, about the provider's configuration

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Validate the provider's inputs."""
        name = _logical_name(request.urn)
        checked = checked_config(self._config, from_wire(request.news), self.name, name)
        if checked.failures:
            return provider_pb2.CheckResponse(failures=_failures(checked))
        return provider_pb2.CheckResponse(inputs=to_wire(checked.inputs))

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Compare old and new provider inputs; no input of a stand-in forces a new provider."""
        detailed = config_changes(from_wire(request.old_inputs), from_wire(request.news), request.ignoreChanges)
        if not detailed:
            return provider_pb2.DiffResponse()
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=sorted(detailed),
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(kind), inputDiff=True)
                for path, kind in detailed.items()
            },
        )

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Connect."""
        try:
            self.configure(from_wire(request.args))
        except ProviderError as error:
            _abort(context, error)
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    # The service, about resources

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Validate and complete a resource's inputs."""
        wish = request.autonaming
        try:
            checked = self.type_of(_type(request.urn)).check(
                from_wire(request.news),
                from_wire(request.olds),
                logical_name=_logical_name(request.urn),
                seed=request.randomSeed,
                autonaming=Autonaming(wish.proposed_name, _AUTONAMING_MODES[wish.mode]),
            )
        except ProviderError as error:
            _abort(context, error)
        return provider_pb2.CheckResponse(inputs=to_wire(checked.inputs), failures=_failures(checked))

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare a resource's prior state with new inputs."""
        try:
            kind = self.type_of(_type(request.urn), "Diff")
        except ProviderError as error:
            _abort(context, error)
        return _diff_response(kind.diff(from_wire(request.olds), from_wire(request.news), request.ignoreChanges))

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Create a resource, or predict the result of a creation."""
        try:
            kind = self.type_of(_type(request.urn), "Create")
            connection = None if request.preview else self.connection
            made = kind.create(connection, from_wire(request.properties), preview=request.preview, urn=request.urn)
        except ProviderError as error:
            _abort(context, error)
        return provider_pb2.CreateResponse(id=made.id, properties=to_wire(made.properties))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Read a resource: refresh, import, or a program's `get`."""
        try:
            kind = self.type_of(_type(request.urn), "Read")
            found = kind.read(
                self.connection, request.id, from_wire(request.properties), from_wire(request.inputs), urn=request.urn
            )
        except ProviderError as error:
            _abort(context, error)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id, properties=to_wire(found.properties), inputs=to_wire(found.inputs)
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Update a resource in place, or predict the result of an update."""
        try:
            kind = self.type_of(_type(request.urn), "Update")
            properties = kind.update(
                None if request.preview else self.connection,
                request.id,
                from_wire(request.olds),
                from_wire(request.news),
                ignored=request.ignoreChanges,
                preview=request.preview,
                urn=request.urn,
            )
        except ProviderError as error:
            _abort(context, error)
        return provider_pb2.UpdateResponse(properties=to_wire(properties))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Delete a resource."""
        try:
            kind = self.type_of(_type(request.urn), "Delete")
            kind.delete(self.connection, request.id, from_wire(request.properties), urn=request.urn)
        except ProviderError as error:
            _abort(context, error)
        return empty_pb2.Empty()


def serve_plugin(stand_in: StandIn[Connection], port: int = 0) -> tuple[grpc.Server, int]:
    """Serve the plugin on the loopback interface; return the running server and its port (0: a free port)."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=_MAX_CALLS_AT_ONCE, thread_name_prefix=f"{stand_in.name}-plugin"),
        options=[
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # makes a used port an error, not a second silent listener
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _logical_name(urn: str) -> str:
    return urn.split("::", 3)[3] if urn else ""


def _failures(checked: Checked) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(reason=reason) for reason in checked.failures]


def _diff_response(found: Difference) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if found.changes else response.DIFF_NONE,
        replaces=found.replaces,
        stables=found.stables,
        deleteBeforeReplace=found.delete_before_replace,
        diffs=found.diffs,
        detailedDiff={
            path: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(kind))
            for path, kind in found.detailed.items()
        },
        hasDetailedDiff=True,
    )


def _abort(context: grpc.ServicerContext, error: ProviderError) -> NoReturn:
    """End the call with the error, and send the existing part, so that the engine keeps it in the state."""
    if isinstance(error, PartialFailureError):
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.resource_id, properties=to_wire(error.properties), reasons=[str(error)]
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort() always raises")
