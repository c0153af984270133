"""`ResourceType`: one type of resource, as plain methods on plain dicts, with or without an engine.

The one rule: the table of a type holds what it *is*; five hooks hold what it *does* (`create_live`, `read_live`,
`update_live`, `delete_live`, `import_live`). A hook returns only the properties that it learned from the server.
Everything else (defaults, unknowns, diffs, secrets) is computed from the table. Left out: the wire.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from sandbox.standin.checking import Autonaming, Checked, NamingDisabledError, check
from sandbox.standin.differing import Difference, difference, without_ignored
from sandbox.standin.extracting import imported_inputs, refreshed_inputs
from sandbox.standin.planning import applied, mark_secrets, plan_creation, plan_update, refreshed
from sandbox.standin.values import UNKNOWN, Bag, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.standin.properties import Table

Connection = TypeVar("Connection")


class ProviderError(Exception):
    """The server, or the plugin itself, refused; the user reads these messages."""

    @property
    def listed(self) -> str:
        """The messages in the form of Terraform's list of errors after the bridge."""
        count = "1 error" if len(self.args) == 1 else f"{len(self.args)} errors"
        return f"{count} occurred:\n" + "".join(f"\t* {message}\n" for message in self.args) + "\n"


class PartialFailureError(ProviderError):
    """The resource exists only in part, and the engine must keep that part in the state.

    Attributes:
        resource_id: the id of the existing resource.
        properties: its state.
    """

    def __init__(self, message: str, resource_id: str, properties: Bag, *outer_messages: str) -> None:
        """Keep the existing part beside the reason; Terraform lists an error's outer messages after it."""
        super().__init__(message, *outer_messages)
        self.resource_id = resource_id
        self.properties = properties


@dataclass(frozen=True)
class Resource:
    """A resource in an answer: id (empty in a preview), outputs, and the inputs that would give them."""

    id: str
    properties: Bag
    inputs: Bag


class ResourceType(ABC, Generic[Connection]):
    """One type of resource.

    Attributes:
        token: the Pulumi type, `minio:index/s3Bucket:S3Bucket`.
        table: its properties (without `id`).
    """

    token: ClassVar[str]
    table: ClassVar[Table]

    # The hooks: the actions of a concrete type on the live server. They get plain values, raise `ProviderError`, and
    # return the properties that they set, or None for "it does not exist" (the bridge's empty id).

    @abstractmethod
    def create_live(self, connection: Connection, planned: Bag) -> tuple[str, Bag] | None:
        """Create the resource; return its id and the learned properties."""

    @abstractmethod
    def read_live(self, connection: Connection, resource_id: str, state: Bag) -> Bag | None:
        """Read the live resource."""

    def update_live(self, connection: Connection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Update the live resource from the prior state to the planned one; unused if every change replaces it."""
        raise ProviderError(f"{self.token} ({resource_id}) is replaced by every change, never updated")

    @abstractmethod
    def delete_live(self, connection: Connection, resource_id: str, state: Bag) -> None:
        """Delete the live resource."""

    def import_live(self, connection: Connection, resource_id: str) -> tuple[str, Bag] | None:  # noqa: ARG002 - a hook
        """Return the id, and the state from which `read_live` starts when only the id is known."""
        return resource_id, {}

    # The methods that the engine, or a rehearsal, calls.

    def check(
        self,
        news: Mapping[str, object],
        olds: Mapping[str, object] | None = None,
        *,
        logical_name: str = "",
        seed: bytes = b"",
        autonaming: Autonaming | None = None,
    ) -> Checked:
        """Validate the inputs and complete them; see `sandbox.standin.checking.check`."""
        try:
            return check(self.table, news, olds, logical_name=logical_name, seed=seed, autonaming=autonaming)
        except NamingDisabledError as error:
            raise ProviderError(str(error)) from error

    def diff(self, state: Mapping[str, object], news: Mapping[str, object], ignored: Sequence[str] = ()) -> Difference:
        """Compare the prior state with the checked inputs."""
        prior, inputs = plain(state), plain(news)
        inputs = without_ignored(prior, inputs, ignored)
        return difference(self.table, prior, plan_update(self.table, prior, inputs), inputs)

    def create(
        self, connection: Connection | None, inputs: Mapping[str, object], *, preview: bool = False, urn: str = ""
    ) -> Resource:
        """Create from checked inputs; in a preview the connection is not used and the id is empty."""
        planned = plan_creation(self.table, plain(inputs))
        if preview or connection is None:
            return Resource("", self._outputs(UNKNOWN, planned), dict(inputs))
        try:
            made = self.create_live(connection, _settable(planned))
        except PartialFailureError as error:
            state = self._outputs(error.resource_id, applied(self.table, planned, error.properties))
            reason = f"creating {urn}: {error.listed}"
            raise PartialFailureError(reason, error.resource_id, state) from error
        except ProviderError as error:
            raise ProviderError(error.listed) from error
        if made is None:
            raise ProviderError(f"expected non-nil error with nil state during Create of {urn}")
        resource_id, values = made
        return Resource(resource_id, self._outputs(resource_id, applied(self.table, planned, values)), dict(inputs))

    def read(
        self,
        connection: Connection,
        resource_id: str,
        state: Mapping[str, object] | None = None,
        inputs: Mapping[str, object] | None = None,
        *,
        urn: str = "",
    ) -> Resource | None:
        """Read the live resource: a refresh with the prior state, an import without; None if it does not exist."""
        try:
            if state:
                return self._refresh(connection, resource_id, plain(state), plain(inputs or {}))
            return self._import(connection, resource_id)
        except ProviderError as error:
            raise ProviderError(f"refreshing {urn}: {error.listed}") from error

    def update(
        self,
        connection: Connection | None,
        resource_id: str,
        state: Mapping[str, object],
        news: Mapping[str, object],
        *,
        ignored: Sequence[str] = (),
        preview: bool = False,
        urn: str = "",
    ) -> Bag:
        """Update the resource to the checked inputs; return its outputs."""
        prior = plain(state)
        inputs = without_ignored(prior, plain(news), ignored)
        planned = plan_update(self.table, prior, inputs)
        if difference(self.table, prior, planned, inputs).replaces:  # the bridge's own words
            raise ProviderError(
                f"internal: expected diff to not require deletion or replacement during Update of {urn}. Found "
                "delete=false, replace=true. This indicates a bug in provider."
            )
        if preview or connection is None:
            return self._outputs(resource_id, planned)
        try:
            values = self.update_live(connection, resource_id, prior, _settable(planned))
        except ProviderError as error:
            # Terraform's SDK keeps the planned values when an update fails without the mark "partial".
            reason = f"updating {urn}: {error.listed}"
            state_now = self._outputs(resource_id, applied(self.table, planned, {}))
            raise PartialFailureError(reason, resource_id, state_now) from error
        if values is None:
            raise ProviderError(
                f"Resource provider reported that the resource did not exist while updating {urn}.\n\nThis is usually "
                "a result of the resource having been deleted outside of Pulumi, and can often be fixed by running "
                "`pulumi refresh` before updating."
            )
        return self._outputs(resource_id, applied(self.table, planned, values))

    def delete(self, connection: Connection, resource_id: str, state: Mapping[str, object], *, urn: str = "") -> None:
        """Delete the resource."""
        try:
            self.delete_live(connection, resource_id, plain(state))
        except ProviderError as error:
            raise ProviderError(f"deleting {urn}: {error.listed}") from error

    def _refresh(self, connection: Connection, resource_id: str, prior: Bag, inputs: Bag) -> Resource | None:
        values = self.read_live(connection, resource_id, prior)
        if values is None:
            return None
        outputs = self._outputs(resource_id, refreshed(self.table, prior, values))
        return Resource(resource_id, outputs, refreshed_inputs(inputs, outputs))

    def _import(self, connection: Connection, resource_id: str) -> Resource | None:
        found = self.import_live(connection, resource_id)
        if found is None:
            return None
        known_id, start = found
        values = self.read_live(connection, known_id, {**dict.fromkeys(self.table), **start})
        if values is None:
            return None
        outputs = self._outputs(known_id, refreshed(self.table, start, values))
        return Resource(known_id, outputs, imported_inputs(self.table, outputs))

    def _outputs(self, resource_id: object, state: Mapping[str, object]) -> Bag:
        return {**mark_secrets(self.table, state), "id": resource_id}


def _settable(planned: Mapping[str, object]) -> Bag:
    """Open the plan for a hook: an unknown value is absent in it."""
    return {name: None if value is UNKNOWN else value for name, value in planned.items()}
