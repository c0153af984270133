"""The base classes of all AWS resource types: inputs that the provider adds, documents, the plugin framework's form.

The one rule: this module holds the common part of all AWS resources, in the provider's own order: first the hook that
adds `tagsAll` and `region`, then Check. Most types are bridged from Terraform's older SDK (`AwsResource`). Those of its
plugin framework (`FrameworkResource`) answer in another form: no `__defaults`, no nulls, no stables, defaults only
in the plan, and failures outside a list of errors. Left out: moving a resource between regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from sandbox.standin.aws import policies, tags
from sandbox.standin.aws.account import Account, Scope
from sandbox.standin.checking import DEFAULTS, Autonaming, Checked
from sandbox.standin.differing import Difference, difference, without_ignored
from sandbox.standin.extracting import imported_inputs, refreshed_inputs
from sandbox.standin.planning import plan_creation
from sandbox.standin.resource import Resource, ResourceType
from sandbox.standin.values import UNKNOWN, Bag, plain

_META: Final = "__meta"


class AwsResource(ResourceType[Account]):
    """A resource type bridged from Terraform's SDK.

    Attributes:
        documents: inputs that hold a policy document, which the state keeps in its normal form.
        regional: the type has a region among its inputs and outputs.
        tagged: the type has tags among its inputs and outputs.
    """

    documents: ClassVar[tuple[str, ...]] = ()
    regional: ClassVar[bool] = True
    tagged: ClassVar[bool] = False

    def __init__(self, scope: Scope) -> None:
        """Keep the facts of the provider that Check needs."""
        self._scope = scope

    def import_live(self, connection: Account, resource_id: str) -> tuple[str, Bag] | None:
        """Start from only the id; `name@region` names another region than the provider's."""
        if not self.regional:
            return resource_id, {}
        name, _, region = resource_id.partition("@")
        return name, {"region": region or connection.region}

    def check(
        self,
        news: Mapping[str, object],
        olds: Mapping[str, object] | None = None,
        *,
        logical_name: str = "",
        seed: bytes = b"",
        autonaming: Autonaming | None = None,
    ) -> Checked:
        """Add the provider's inputs, then check like every bridged plugin."""
        return super().check(
            self._with_additions(plain(news)), olds, logical_name=logical_name, seed=seed, autonaming=autonaming
        )

    def diff(self, state: Mapping[str, object], news: Mapping[str, object], ignored: Sequence[str] = ()) -> Difference:
        """Compare with documents in their normal form; another region means another resource."""
        found = super().diff(state, self._stored(news), ignored)
        if "region" not in found.detailed or found.replaces:
            return found
        # Not the schema but the plan says that a region forces a replacement. The bridge then reports `__meta`.
        return replace(found, detailed={**found.detailed, _META: "UPDATE_REPLACE"}, replaces=[_META])

    def create(
        self, connection: Account | None, inputs: Mapping[str, object], *, preview: bool = False, urn: str = ""
    ) -> Resource:
        """Create; the outputs hold documents in their normal form."""
        made = super().create(connection, self._stored(inputs), preview=preview, urn=urn)
        return replace(made, inputs=dict(inputs))

    def update(
        self,
        connection: Account | None,
        resource_id: str,
        state: Mapping[str, object],
        news: Mapping[str, object],
        *,
        ignored: Sequence[str] = (),
        preview: bool = False,
        urn: str = "",
    ) -> Bag:
        """Update; the outputs hold documents in their normal form."""
        return super().update(
            connection, resource_id, state, self._stored(news), ignored=ignored, preview=preview, urn=urn
        )

    def read(
        self,
        connection: Account,
        resource_id: str,
        state: Mapping[str, object] | None = None,
        inputs: Mapping[str, object] | None = None,
        *,
        urn: str = "",
    ) -> Resource | None:
        """Read; a document in the inputs stays as the program wrote it, like every input with a normal form."""
        found = super().read(connection, resource_id, state, inputs, urn=urn)
        if found is None or not state or not inputs:
            return found
        kept = {name: inputs[name] for name in self.documents if name in inputs and name in found.inputs}
        return replace(found, inputs={**found.inputs, **kept})

    def _with_additions(self, news: Bag) -> Bag:
        inputs = news
        account = self._scope.account
        if self.tagged:
            own = inputs.get("tags")
            if isinstance(own, Mapping):
                # An import returns maps with the marker that only blocks should have.
                inputs = {**inputs, "tags": {key: value for key, value in own.items() if key != DEFAULTS}}
            inputs = tags.with_all_tags(inputs, account.default_tags if account else {})
        if self.regional and inputs.get("region") is None and account is not None:
            inputs = {**inputs, "region": account.region}
        return inputs

    def _stored(self, inputs: Mapping[str, object]) -> Bag:
        opened = plain(inputs)
        return {
            name: policies.normalised(value) if name in self.documents and isinstance(value, str) else value
            for name, value in opened.items()
        }


class FrameworkResource(AwsResource):
    """A resource type bridged from Terraform's plugin framework."""

    def check(
        self,
        news: Mapping[str, object],
        olds: Mapping[str, object] | None = None,
        *,
        logical_name: str = "",
        seed: bytes = b"",
        autonaming: Autonaming | None = None,
    ) -> Checked:
        """Check; the inputs stay unchanged, because defaults belong to the plan."""
        checked = super().check(news, olds, logical_name=logical_name, seed=seed, autonaming=autonaming)
        given = self._with_additions(plain(news))
        return replace(checked, inputs=_without_nulls(_unmarked(given)))

    def diff(self, state: Mapping[str, object], news: Mapping[str, object], ignored: Sequence[str] = ()) -> Difference:
        """Compare; the answer lists no stables."""
        prior = plain(state)
        inputs = without_ignored(prior, plain(news), ignored)
        found = difference(self.table, prior, self._planned(prior, inputs), inputs)
        return replace(found, stables=[], delete_before_replace=False)

    def create(
        self, connection: Account | None, inputs: Mapping[str, object], *, preview: bool = False, urn: str = ""
    ) -> Resource:
        """Create from checked inputs."""
        planned = self.planned_defaults(plan_creation(self.table, plain(inputs)))
        if preview or connection is None:
            return Resource("", _without_nulls({**planned, "id": UNKNOWN}), dict(inputs))
        made = self.create_live(connection, known(planned))
        if made is None:
            raise AssertionError(f"{type(self).__name__}.create_live either creates or raises ({urn})")
        resource_id, values = made
        return Resource(resource_id, self._told(resource_id, {**known(planned), **values}), dict(inputs))

    def read(
        self,
        connection: Account,
        resource_id: str,
        state: Mapping[str, object] | None = None,
        inputs: Mapping[str, object] | None = None,
        *,
        urn: str = "",  # noqa: ARG002 - the framework's failures do not name it
    ) -> Resource | None:
        """Read the live resource."""
        start = plain(state) if state else None
        if start is None:
            resource_id, imported = self.import_live(connection, resource_id) or (resource_id, {})
            start = imported
        values = self.read_live(connection, resource_id, {**dict.fromkeys(self.table), **start})
        if values is None:
            return None
        told = self._told(resource_id, {**{name: start.get(name) for name in self.table}, **values})
        given = refreshed_inputs(plain(inputs or {}), told) if state else imported_inputs(self.table, told)
        return Resource(resource_id, told, _unmarked(given))

    def update(
        self,
        connection: Account | None,
        resource_id: str,
        state: Mapping[str, object],
        news: Mapping[str, object],
        *,
        ignored: Sequence[str] = (),
        preview: bool = False,
        urn: str = "",
    ) -> Bag:
        """Update the resource to the checked inputs; a failure leaves the prior state."""
        prior = plain(state)
        planned = self._planned(prior, without_ignored(prior, plain(news), ignored))
        if preview or connection is None:
            return self._told(resource_id, planned)
        values = self.update_live(connection, resource_id, prior, known(planned))
        if values is None:
            raise AssertionError(f"{type(self).__name__}.update_live either updates or raises ({urn})")
        return self._told(resource_id, {**known(planned), **values})

    def delete(self, connection: Account, resource_id: str, state: Mapping[str, object], *, urn: str = "") -> None:  # noqa: ARG002 - the framework's failures do not name it
        """Delete the resource."""
        self.delete_live(connection, resource_id, plain(state))

    def planned_defaults(self, planned: Bag) -> Bag:
        """Return the plan with the values of the type's plan modifiers; unchanged by default."""
        return planned

    def _planned(self, prior: Bag, inputs: Bag) -> Bag:
        """Plan an update: the framework keeps computed values, and a zero never means "absent"."""
        planned = self.planned_defaults(plan_creation(self.table, inputs))
        return {
            name: prior.get(name) if value is UNKNOWN and inputs.get(name) is not UNKNOWN else value
            for name, value in planned.items()
        }

    def _told(self, resource_id: str, state: Mapping[str, object]) -> Bag:
        told: Bag = _without_nulls({**{name: state.get(name) for name in self.table}, "id": resource_id})
        return told


def known(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a plan for a hook: an unknown value is absent, at any depth."""
    if isinstance(value, Mapping):
        return {name: known(item) for name, item in value.items()}
    if isinstance(value, list):
        return [known(item) for item in value]
    return None if value is UNKNOWN else value


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _unmarked(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {key: _unmarked(item) for key, item in value.items() if key != DEFAULTS}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
