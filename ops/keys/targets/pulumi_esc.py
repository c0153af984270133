"""An environment of Pulumi ESC for one identity, as the definition that `esc env edit --file` loads.

The rule: it goes to a file of mode 0600 or to a pipe, never to a terminal. Keys are under `fn::secret`, which ESC
encrypts when it loads the definition. It does not contact Pulumi Cloud, because this machine may have no access to it.

`environmentVariables`, `files` and `fn::secret`: https://www.pulumi.com/docs/esc/environments/syntax/
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, CA_BUNDLES, SECRET_ACCESS_KEY, Handover
from model.written import WrittenError
from model.written_yaml import parse_yaml
from ops.keys.private_file import check_path, is_private, read_own, write
from ops.keys.targets.as_json import Pipe
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, change_of, pair_of

HEAD = """\
# Made by `object-store keys deliver`; it holds a secret until ESC has taken it in.
#   esc env init ORG/PROJECT/NAME --file FILE    (the first time; later: esc env edit ORG/PROJECT/NAME --file FILE)
"""


@dataclass
class PulumiEsc:
    """An environment's definition.

    Attributes:
        path: The file; None for standard output.
    """

    path: Path | None
    pipe: Pipe = field(default_factory=Pipe)
    _written: str = field(default="", init=False, repr=False)

    def check(self) -> None:
        """Check that the path is legal and that git would not add it, or that standard output is a pipe."""
        if self.path is None:
            self.pipe.check()
        else:
            check_path(self.path)

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the definition."""
        if len(given) != 1:
            names = ", ".join(one.identity for one in given)
            raise CannotDeliverError(f"an environment holds one identity; choose one with --identity: {names}")
        self.check()
        after = definition(given[0])
        text = HEAD + yaml.safe_dump(after, sort_keys=False, width=120)
        if self.path is None:
            self.pipe.write(text)
            self._written = text
            return [Outcome(name, "added") for name in _flat(after)]
        there = read_own(self.path, HEAD.splitlines()[0])
        before = {} if there is None else _flat(_parsed(there))
        outcomes = [Outcome(name, change_of(before.get(name), value)) for name, value in _flat(after).items()]
        outcomes += [Outcome(f"{name} (removed)", "changed") for name in before if name not in _flat(after)]
        if self.path.exists() and not is_private(self.path):
            outcomes.append(Outcome(f"{self.path} (to mode 0600)", "changed"))
        if any(one.change != "unchanged" for one in outcomes):
            try:
                write(self.path, text)
            except OSError as error:
                raise UnfinishedDeliveryError(
                    f"cannot write {self.path}: {error.strerror}", [], [str(self.path)]
                ) from None
        return outcomes

    def held(self, identity: str) -> KeyPair:
        """Read the definition again."""
        text = self._written if self.path is None else read_own(self.path, HEAD.splitlines()[0]) or ""
        found = _flat(_parsed(text))
        return pair_of(found.get(ACCESS_KEY_ID), found.get(SECRET_ACCESS_KEY), f"the definition, for {identity},")


def definition(handover: Handover) -> dict[str, Any]:
    """The environment's definition for ESC; the CA is a file whose path `esc run` puts into the variables.

    Raises:
        CannotDeliverError: ESC would interpret a value as an interpolation.
    """
    settings = handover.settings(None)
    if any("${" in value or "$$" in value for value in (*handover.keys().values(), *settings.values())):
        raise CannotDeliverError("a value contains `${` or `$$`, which ESC interprets as an interpolation")
    secrets = {name: {"fn::secret": value} for name, value in handover.keys().items()}
    values: dict[str, Any] = {"environmentVariables": {**secrets, **settings}}
    if handover.ca_pem is not None:
        values["files"] = dict.fromkeys(CA_BUNDLES, handover.ca_pem)
    return {"values": values}


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever YAML a file holds
    try:
        return parse_yaml(text, "the file")
    except WrittenError:
        raise CannotDeliverError("the file exists but is not YAML; name another file") from None


def _flat(content: Any) -> dict[str, str]:  # noqa: ANN401 - whatever YAML a file holds
    """The values in clear text, by variable; empty if the content is not such a definition."""
    values = content.get("values") if isinstance(content, dict) else None
    found: dict[str, str] = {}
    for place in ("environmentVariables", "files"):
        part = values.get(place) if isinstance(values, dict) else None
        for name, value in (part or {}).items():
            found[name] = str(value.get("fn::secret", "")) if isinstance(value, dict) else str(value)
    return found
