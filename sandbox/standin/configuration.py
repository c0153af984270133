"""The provider's own inputs: checks, compares and decodes them.

The one rule: the SDKs send every provider input that is not a string as JSON text ("true"), and the bridge answers in
the same form. So text is decoded only where a value is used. Left out: environment variables as defaults, which the
program of this project does not use.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from sandbox.standin.checking import Checked
from sandbox.standin.values import UNKNOWN, Bag, Secret, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sandbox.standin.differing import ChangeKind
    from sandbox.standin.properties import Table

_OF_THE_ENGINE = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "__internal"})
_NEAR = 0.8  # about two letters in a name of twelve, the distance that the bridge uses


def checked_config(table: Table, news: Mapping[str, object], package: str, logical_name: str) -> Checked:
    """Validate the provider's inputs and return them in their stored form."""
    given = {name: value for name, value in plain(news).items() if value is not None}
    explicit = not logical_name.startswith("default")
    failures = [
        _missing(name, prop.description, package, explicit=explicit)
        for name, prop in table.items()
        if prop.required and name not in given
    ]
    failures += [
        _unknown(name, package, logical_name, explicit=explicit, known=table)
        for name in given
        if name not in table and name not in _OF_THE_ENGINE
    ]
    inputs = {name: _encoded(value) for name, value in given.items()}
    return Checked(
        {name: Secret(value) if name in table and table[name].secret else value for name, value in inputs.items()},
        failures,
    )


def config_changes(
    olds: Mapping[str, object], news: Mapping[str, object], ignored: Sequence[str]
) -> dict[str, ChangeKind]:
    """Return which provider inputs differ, and how."""
    old, new = plain(olds), plain(news)
    found: dict[str, ChangeKind] = {}
    for name in sorted((old.keys() | new.keys()) - set(ignored)):
        before, after = old.get(name), new.get(name)
        if before != after and after is not UNKNOWN:  # for the bridge, an unknown value is not a change
            found[name] = "ADD" if before is None else "DELETE" if after is None else "UPDATE"
    return found


def decoded_config(table: Table, config: Mapping[str, object]) -> Bag:
    """Return the provider's inputs as values of their kind, with Terraform's defaults for missing ones."""
    decoded: Bag = {name: prop.default for name, prop in table.items()}
    for name, value in plain(config).items():
        text = name in table and table[name].kind != "string" and isinstance(value, str)
        decoded[name] = json.loads(value) if text else value
    return {name: None if value is UNKNOWN else value for name, value in decoded.items()}


def _encoded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) or value is UNKNOWN else json.dumps(value)


def _missing(name: str, description: str, package: str, *, explicit: bool) -> str:
    reason = (
        f"Missing required property '{name}'"
        if explicit
        else f"Provider is missing a required configuration key, try `pulumi config set {package}:{name}`"
    )
    return f"{reason}: {description}" if description else reason


def _unknown(name: str, package: str, logical_name: str, *, explicit: bool, known: Iterable[str]) -> str:
    if explicit:
        return (
            "could not validate provider configuration: Invalid or unknown key. "
            f"Examine values at '{logical_name}.{name}'."
        )
    meant = " or ".join(f"`{package}:{near}`" for near in difflib.get_close_matches(name, known, cutoff=_NEAR))
    suggestion = f" Did you mean {meant}?" if meant else ""
    return (
        f"`{package}:{name}` is not a valid configuration key for the {package} provider.{suggestion} If the "
        f"referenced key is not intended for the provider, please choose a different namespace from `{package}:`."
    )
