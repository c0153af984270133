"""Aliases of mc, MinIO's client (https://github.com/minio/mc): one for each identity, `objectstore-STACK-IDENTITY`.

The rule: only our aliases change; the rest of the file is kept, in the form in which mc writes it. mc trusts each
certificate in `certs/CAs` beside its `config.json`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.deployment import KeyPair
from model.handover import Handover
from model.written import WrittenError
from model.written_json import parse_json
from ops.keys.private_file import check_path
from ops.keys.targets.edited import Edited, opened, replace, with_ca
from ops.keys.targets.outcome import CannotDeliverError, Outcome, change_of, pair_of

FILE = Path(".mc") / "config.json"
#: The form that mc writes since 2020; it changes older ones itself when it starts.
VERSION = "10"


@dataclass
class MinioClient:
    """The configuration of mc.

    Attributes:
        path: The file `config.json`.
    """

    path: Path
    _aliases: dict[str, str] = field(default_factory=dict, init=False)

    def check(self) -> None:
        """Check that the file may be written, that git would not add it, and that it has the form of mc."""
        check_path(self.path)
        self._content(opened(self.path))

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the CA, then the aliases."""
        self.check()
        self._aliases = {one.identity: one.entry for one in given}
        file, outcomes = opened(self.path), list[Outcome]()
        content = self._content(file)
        for one in given:
            old, new = content["aliases"].get(one.entry), _alias(one)
            outcomes.append(Outcome(one.entry, change_of(None if old is None else json.dumps(old), json.dumps(new))))
            content["aliases"][one.entry] = new
        if any(one.change != "unchanged" for one in outcomes):
            file.after = json.dumps(content, indent="\t", ensure_ascii=False) + "\n"
        trusted = self.path.parent / "certs" / "CAs"
        if given[0].ca_pem is not None:
            try:
                trusted.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise CannotDeliverError(f"{trusted} cannot be made: {error.strerror}") from None
        return replace([*with_ca(trusted, given[0]), (file, outcomes)])

    def held(self, identity: str) -> KeyPair:
        """Read the alias again."""
        alias = self._aliases[identity]
        one = self._content(opened(self.path))["aliases"].get(alias, {})
        return pair_of(one.get("accessKey"), one.get("secretKey"), f"alias {alias} in {self.path}")

    def _content(self, file: Edited) -> dict[str, Any]:
        if not file.after.strip():
            return {"version": VERSION, "aliases": {}}
        try:
            content = parse_json(file.after, str(self.path))
        except WrittenError as error:
            raise CannotDeliverError(f"{error}, or name another file") from None
        aliases = content.get("aliases") if isinstance(content, dict) else None
        if not isinstance(aliases, dict) or not all(isinstance(one, dict) for one in aliases.values()):
            raise CannotDeliverError(f"{self.path} has not the form of mc: run `mc alias list` once, which renews it")
        found: dict[str, Any] = content
        return found


def _alias(one: Handover) -> dict[str, str]:
    suffix = ".cn" if one.region.startswith("cn-") else ""
    return {
        "url": one.endpoint or f"https://s3.{one.region}.amazonaws.com{suffix}",
        "accessKey": one.pair.access_key_id,
        "secretKey": one.pair.secret_access_key.get_secret_value(),
        "api": "S3v4",
        "path": "auto",
    }
