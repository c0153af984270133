"""The generic half of the stand-ins: wire form, checks, plans, diffs and the gRPC service, on a toy plugin."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.standin.checking import Autonaming
from sandbox.standin.properties import Property, blocks, boolean, integer, string, string_map
from sandbox.standin.rpc import PartialFailureError, ProviderError, ResourceType, StandIn, serve_plugin
from sandbox.standin.values import UNKNOWN, Secret, from_wire, has_unknown, plain, to_wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag

SHELF = "toy:index/shelf:Shelf"
_ANY_LENGTH = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
URN = f"urn:pulumi:dev::project::{SHELF}::top"


class Shelf(ResourceType[dict[str, Any]]):
    """A shelf of boxes; the connection is the room, a plain dict."""

    token: ClassVar[str] = SHELF
    table: ClassVar[Table] = {
        "boxes": blocks(
            {
                "label": string(required=True),
                "size": integer(optional=True),
                "seal": string(computed=True),
            },
            optional=True,
        ),
        "code": string(optional=True, computed=True, secret=True),
        "colour": string(optional=True, default="white"),
        "lit": boolean(optional=True, default=False),
        "name": string(required=True, force_new=True, autonamed=True),
        "notes": string_map(optional=True),
        "sides": Property("list", optional=True),
        "wall": string(optional=True, force_new=True),
    }

    def create_live(self, connection: dict[str, Any], planned: Bag) -> tuple[str, Bag] | None:
        """Put the shelf up, unless its name asks for a failure."""
        name = planned["name"]
        if name == "vanishing":
            return None
        if name == "crooked":
            raise PartialFailureError("it hangs crooked", name, {"code": "1234"})
        if name in connection:
            raise ProviderError("there is one already")
        connection[name] = planned
        return name, {"code": planned["code"] or "0000"}

    def read_live(self, connection: dict[str, Any], resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Check whether it still exists."""
        return {"name": resource_id} if resource_id in connection else None

    def update_live(self, connection: dict[str, Any], resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Paint it."""
        if planned["colour"] == "invisible":
            raise ProviderError("no such paint")
        return {} if resource_id in connection else None

    def delete_live(self, connection: dict[str, Any], resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Take it down."""
        if connection.pop(resource_id, None) is None:
            raise ProviderError("it is not there")


def _room(config: Bag) -> dict[str, Any]:
    if config["door"] == "locked":
        raise ProviderError("the door is locked")
    return {}


def _stand_in() -> StandIn[dict[str, Any]]:
    config = {"door": string(required=True, description="Which door"), "lights": boolean(optional=True)}
    return StandIn(name="toy", version="1.2.3", config=config, types=[Shelf()], connect=_room)


@contextmanager
def _plugin() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    server, port = serve_plugin(_stand_in())
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=_ANY_LENGTH) as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            stub.Configure(provider_pb2.ConfigureRequest(args=to_wire({"door": "open"})))
            yield stub
    finally:
        server.stop(grace=None).wait()


@pytest.fixture(name="stub", scope="module")
def _stub() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    with _plugin() as stub:
        yield stub


class TestWireForm:
    """Encoding and decoding."""

    def test_goes_through_unchanged(self) -> None:
        """Every kind of value, including the unknown and the secret, survives the wire."""
        bag = {"a": None, "b": True, "c": 3, "d": 1.5, "e": "x", "f": [1, {"g": UNKNOWN}], "h": Secret({"i": UNKNOWN})}

        assert from_wire(to_wire(bag)) == bag

    def test_takes_unknowns_of_every_type(self) -> None:
        """The engine's unknown number is unknown like its unknown string."""
        assert from_wire(to_wire({"a": "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"})) == {"a": UNKNOWN}

    def test_opens_output_values(self) -> None:
        """An output without a value is unknown, a secret one a secret."""
        output = {"4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4"}

        assert from_wire(to_wire({"a": output})) == {"a": UNKNOWN}
        assert {"a": Secret("x")} == from_wire(to_wire({"a": {**output, "value": "x", "secret": True}}))

    def test_refuses_what_is_no_property(self) -> None:
        """A value of another type is an error that names the type and the legal ones."""
        with pytest.raises(TypeError, match=r"a set cannot be sent.*UNKNOWN or Secret"):
            to_wire({"a": {1}})

    def test_secret_does_not_show(self) -> None:
        """A secret's text form does not hold the secret."""
        assert "hush" not in repr(Secret("hush"))

    def test_plain_opens_secrets(self) -> None:
        """Secrets are opened at any depth and unknowns found at any depth."""
        assert plain({"a": [Secret("x")]}) == {"a": ["x"]}
        assert has_unknown({"a": [Secret({"b": UNKNOWN})]})
        assert not has_unknown({"a": [Secret({"b": 1})]})


class TestCheck:
    """Defaults, generated names, markers and failures."""

    def test_marks_defaults(self) -> None:
        """A truthy default is among the inputs and marked, a falsy one is not; blocks have markers of their own."""
        checked = Shelf().check({"name": "x", "boxes": [{"label": "a"}]}, logical_name="top")

        assert checked.failures == []
        assert checked.inputs == {
            "name": "x",
            "colour": "white",
            "boxes": [{"label": "a", "__defaults": []}],
            "__defaults": ["colour"],
        }

    def test_keeps_an_invented_name(self) -> None:
        """A generated name stays as long as the program gives no name."""
        first = Shelf().check({}, logical_name="top", seed=b"1").inputs
        again = Shelf().check({}, first, logical_name="top", seed=b"2").inputs

        assert first["name"].startswith("top-")
        assert first["__defaults"] == ["colour", "name"]
        assert first == again

    def test_invents_anew_after_a_given_name(self) -> None:
        """A name that the program gave and then omits is not kept."""
        old = {"name": "given", "__defaults": []}

        assert Shelf().check({}, old, logical_name="top").inputs["name"] != "given"

    def test_takes_the_engines_proposal(self) -> None:
        """The engine's own naming pattern wins, and if it forbids generated names, the program must give one."""
        assert Shelf().check({}, autonaming=Autonaming("dev-top", "enforce")).inputs["name"] == "dev-top"
        with pytest.raises(ProviderError, match="automatic naming is disabled"):
            Shelf().check({}, autonaming=Autonaming("", "disable"))

    def test_names_every_failure(self) -> None:
        """Missing, unknown and unconfigurable properties are all reported, each with its place."""
        checked = Shelf().check({"name": "x", "colur": "red", "boxes": [{"seal": "s"}]}, logical_name="top")

        reasons = {
            "top.colur": "Invalid or unknown key",
            "top.boxes[0].label": (
                'Missing required argument. The argument "boxes.0.label" is required, but no definition was found.'
            ),
            "top.boxes[0].seal": (
                'Value for unconfigurable attribute. Can\'t configure a value for "boxes.0.seal": its value will be '
                "decided automatically based on the result of applying this configuration."
            ),
        }

        assert {f"{why}. Examine values at '{where}'." for where, why in reasons.items()} == set(checked.failures)

    def test_leaves_unknowns_alone(self) -> None:
        """An unknown value is not validated."""
        assert Shelf().check({"name": UNKNOWN, "boxes": UNKNOWN, "sides": [UNKNOWN]}).failures == []


class TestPlan:
    """The state in a preview and after an apply."""

    def test_previews_a_creation(self) -> None:
        """In a preview, computed values are unknown, defaults are present, the rest is null, secrets are marked."""
        made = Shelf().create(None, {"name": "x", "boxes": [{"label": "a"}]}, preview=True)

        assert made.id == ""
        assert {
            "boxes": [{"label": "a", "size": None, "seal": UNKNOWN}],
            "code": Secret(UNKNOWN),
            "colour": "white",
            "lit": False,
            "name": "x",
            "notes": None,
            "sides": None,
            "wall": None,
            "id": UNKNOWN,
        } == made.properties

    def test_creates(self) -> None:
        """After an apply nothing is unknown, and a block's missing number is zero."""
        made = Shelf().create({}, {"name": "x", "boxes": [{"label": "a"}]})

        assert made.id == "x"
        assert Secret("0000") == made.properties["code"]
        assert made.properties["boxes"] == [{"label": "a", "size": 0, "seal": ""}]
        assert not has_unknown(made.properties)

    def test_drift_is_a_change(self) -> None:
        """A diff compares states, so a difference that a refresh finds is a change."""
        inputs = Shelf().check({"name": "x", "sides": ["left", "right"]}).inputs
        state = plain(Shelf().create({}, inputs).properties)

        assert Shelf().diff(state, inputs).detailed == {}
        assert Shelf().diff({**state, "sides": ["left"]}, inputs).detailed == {"sides[1]": "ADD"}

    @pytest.mark.parametrize(
        ("change", "detailed"),
        [
            ({"colour": "red"}, {"colour": "UPDATE"}),
            ({"notes": {"a": "1"}}, {"notes": "ADD"}),
            ({"wall": "north"}, {"wall": "ADD_REPLACE"}),
            ({"name": "y"}, {"name": "UPDATE_REPLACE"}),
            ({"code": UNKNOWN}, {"code": "UPDATE"}),
            ({"boxes": [{"label": "b", "size": 2}]}, {"boxes[0].label": "UPDATE"}),
            ({"boxes": []}, {"boxes": "DELETE"}),
            ({"sides": ["right", "back"]}, {"sides[0]": "DELETE", "sides[1]": "ADD"}),
        ],
    )
    def test_tells_what_changes(self, change: Bag, detailed: dict[str, str]) -> None:
        """Each kind of change has its path and its kind."""
        inputs = {"name": "x", "boxes": [{"label": "a", "size": 2}], "sides": ["left", "right"], "__defaults": []}
        state = plain(Shelf().create({}, inputs).properties)

        assert detailed == Shelf().diff(state, {**inputs, **change}).detailed

    def test_deletes_first_what_has_a_given_name(self) -> None:
        """A replacement deletes first if the name was given; a generated name needs no such order."""
        state = plain(Shelf().create({}, {"name": "x", "wall": "north"}).properties)

        assert Shelf().diff(state, {"name": "x", "wall": "south", "__defaults": []}).delete_before_replace
        assert not Shelf().diff(state, {"name": "x", "wall": "south", "__defaults": ["name"]}).delete_before_replace

    def test_ignores_changes(self) -> None:
        """An ignored property is not a change, at the top and inside a list."""
        inputs = {"name": "x", "boxes": [{"label": "a"}], "__defaults": []}
        state = plain(Shelf().create({}, inputs).properties)
        changed = {"name": "x", "colour": "red", "boxes": [{"label": "b"}], "__defaults": []}

        assert Shelf().diff(state, changed).diffs == ["boxes", "colour"]
        assert Shelf().diff(state, changed, ["colour", "boxes[0].label"]).diffs == []


class TestService:
    """The plugin over gRPC."""

    def test_tells_its_version(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """The plugin reports the real plugin's version, and returns a schema with its types."""
        schema = json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)

        assert (schema["name"], schema["version"]) == ("toy", "1.2.3")
        assert schema["resources"][SHELF]["required"][-1:] == ["name"]

    def test_goes_through_a_life(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """Check, create, diff, update, read, delete, and then it is gone."""
        checked = stub.Check(provider_pb2.CheckRequest(urn=URN, news=to_wire({"name": "life"})))
        made = stub.Create(provider_pb2.CreateRequest(urn=URN, properties=checked.inputs))
        news = to_wire({"name": "life", "colour": "red", "__defaults": []})
        found = stub.Diff(provider_pb2.DiffRequest(urn=URN, id=made.id, olds=made.properties, news=news))
        new = stub.Update(provider_pb2.UpdateRequest(urn=URN, id=made.id, olds=made.properties, news=news))
        read = stub.Read(provider_pb2.ReadRequest(urn=URN, id=made.id, properties=new.properties, inputs=news))
        stub.Delete(provider_pb2.DeleteRequest(urn=URN, id=made.id, properties=read.properties))
        gone = stub.Read(provider_pb2.ReadRequest(urn=URN, id=made.id, properties=read.properties))

        assert MessageToDict(found) == {
            "changes": "DIFF_SOME",
            "diffs": ["colour"],
            "detailedDiff": {"colour": {"kind": "UPDATE"}},
            "hasDetailedDiff": True,
            "stables": ["name", "wall"],
        }
        assert from_wire(read.properties)["colour"] == "red"
        assert from_wire(read.inputs) == {"name": "life", "colour": "red"}
        assert gone.id == ""

    @pytest.mark.parametrize(
        ("name", "details"),
        [("vanishing", f"expected non-nil error with nil state during Create of {URN}"), ("crooked", "crooked")],
    )
    def test_says_why_a_creation_failed(
        self, stub: provider_pb2_grpc.ResourceProviderStub, name: str, details: str
    ) -> None:
        """A refusal is an error with code UNKNOWN and the reason, as in the bridge."""
        with pytest.raises(grpc.RpcError, match=details) as caught:
            stub.Create(provider_pb2.CreateRequest(urn=URN, properties=to_wire({"name": name})))

        assert grpc.StatusCode.UNKNOWN is caught.value.code()

    def test_hands_over_what_was_left_half_made(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """A partially failed creation sends the resource's id and state to the engine."""
        with pytest.raises(grpc.RpcError) as caught:
            stub.Create(provider_pb2.CreateRequest(urn=URN, properties=to_wire({"name": "crooked"})))
        metadata = dict(caught.value.trailing_metadata())
        left = provider_pb2.ErrorResourceInitFailed()
        status_pb2.Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(left)

        assert left.id == "crooked"
        assert [f"creating {URN}: 1 error occurred:\n\t* it hangs crooked\n\n"] == list(left.reasons)
        assert Secret("1234") == from_wire(left.properties)["code"]

    def test_refuses_an_unknown_type(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """The error for an unknown type names it and the known types."""
        with pytest.raises(grpc.RpcError, match=rf"unrecognized resource type \(Check\): toy:index/x:X.*{SHELF}"):
            stub.Check(provider_pb2.CheckRequest(urn="urn:pulumi:dev::p::a:b:C$toy:index/x:X::n"))

    def test_takes_no_parameters(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """Parameterization fails with the code for "not implemented", which the engine expects."""
        with pytest.raises(grpc.RpcError) as caught:
            stub.Parameterize(provider_pb2.ParameterizeRequest())

        assert grpc.StatusCode.UNIMPLEMENTED is caught.value.code()

    def test_takes_large_messages(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """A message of 8 MB, twice gRPC's default limit, is accepted."""
        news = to_wire({"name": "large", "colour": "x" * 8_000_000})

        assert list(stub.Check(provider_pb2.CheckRequest(urn=URN, news=news)).failures) == []

    def test_compares_provider_inputs(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """The diff lists added, changed and removed provider inputs; none of them replaces the provider."""
        answer = stub.DiffConfig(
            provider_pb2.DiffRequest(
                old_inputs=to_wire({"door": "open", "a": "1"}), news=to_wire({"door": "ajar", "lights": "true"})
            )
        )

        assert {key: one.kind for key, one in answer.detailedDiff.items()} == {"a": 2, "door": 4, "lights": 0}
        assert list(answer.replaces) == []

    @pytest.mark.parametrize(
        ("name", "news", "reason"),
        [
            (
                "default_1",
                {},
                "Provider is missing a required configuration key, try `pulumi config set toy:door`",
            ),
            ("mine", {}, "Missing required property 'door': Which door"),
            ("default_1", {"door": "x", "ligths": "true"}, "Did you mean `toy:lights`?"),
            ("mine", {"door": "x", "nope": "1"}, "Invalid or unknown key. Examine values at 'mine.nope'."),
        ],
    )
    def test_checks_provider_inputs(
        self, stub: provider_pb2_grpc.ResourceProviderStub, name: str, news: Bag, reason: str
    ) -> None:
        """A wrong provider input is a failure with the remedy."""
        request = provider_pb2.CheckRequest(urn=f"urn:pulumi:dev::p::pulumi:providers:toy::{name}", news=to_wire(news))

        assert any(reason in failure.reason for failure in stub.CheckConfig(request).failures)

    def test_sends_booleans_of_the_provider_as_text(self, stub: provider_pb2_grpc.ResourceProviderStub) -> None:
        """Provider inputs that are not strings return as JSON text, whether they came as text or not."""
        for given in (True, "true"):
            news = to_wire({"door": "x", "lights": given})

            assert from_wire(stub.CheckConfig(provider_pb2.CheckRequest(news=news)).inputs)["lights"] == "true"


class TestInProcess:
    """The same plugin without gRPC."""

    def test_creates_in_one_step(self) -> None:
        """Without an engine, check and create are one step."""
        stand_in = _stand_in()
        stand_in.configure({"door": "open"})

        assert "top-" in stand_in.create(SHELF, {}, logical_name="top").id
        with pytest.raises(ProviderError, match="resource 'top' has a problem: Invalid or unknown key"):
            stand_in.create(SHELF, {"x": 1}, logical_name="top")

    def test_wants_to_be_configured(self) -> None:
        """Without configure there is no connection, and the error names the call to make."""
        with pytest.raises(ProviderError, match=r"not configured: call configure\(\)"):
            _stand_in().create(SHELF, {}, logical_name="top")

    def test_says_why_it_cannot_connect(self) -> None:
        """A refused connection has the form of Terraform's list of errors."""
        with pytest.raises(ProviderError, match=r"^1 error occurred:\n\t\* the door is locked\n\n$"):
            _stand_in().configure({"door": "locked"})

    def test_update_failure_keeps_the_plan(self) -> None:
        """A failed update leaves the planned values in the state, as Terraform's SDK does."""
        state = Shelf().create({}, {"name": "x"}).properties
        with pytest.raises(PartialFailureError, match=r"(?s)updating .*no such paint") as caught:
            Shelf().update({"x": {}}, "x", state, {"name": "x", "colour": "invisible"})

        assert caught.value.properties["colour"] == "invisible"

    def test_update_of_what_is_gone(self) -> None:
        """An update of a missing resource reports that and names the remedy."""
        state = Shelf().create({}, {"name": "x"}).properties
        with pytest.raises(ProviderError, match=r"(?s)did not exist while updating .*pulumi refresh"):
            Shelf().update({}, "x", state, {"name": "x", "colour": "red"})
