"""Remotes of rclone (https://rclone.org/s3/): one for each identity, `objectstore-STACK-IDENTITY`.

The rule: the remote holds all that rclone needs, so no variable of a shell steers it. rclone takes the CA from the
remote since 1.64; an older one takes it from `--ca-cert`, and fails where `AWS_CA_BUNDLE` is exported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.deployment import KeyPair
from model.handover import Handover
from ops.keys.private_file import check_path
from ops.keys.targets.edited import Edited, opened, replace, with_ca
from ops.keys.targets.ini import option_of, set_section
from ops.keys.targets.outcome import CannotDeliverError, Outcome, pair_of

FILE = Path(".config") / "rclone" / "rclone.conf"
_ENCRYPTED = "RCLONE_ENCRYPT_"
_CA = "override.ca_cert"
_KEY, _SECRET = "access_key_id", "secret_access_key"
_OURS = ("type", "provider", "env_auth", _KEY, _SECRET, "session_token", "region", "endpoint", "no_check_bucket", _CA)


@dataclass
class Rclone:
    """The configuration of rclone.

    Attributes:
        path: The file.
    """

    path: Path
    _remotes: dict[str, str] = field(default_factory=dict, init=False)

    def check(self) -> None:
        """Check that the file may be written, that git would not add it, and that it is not encrypted."""
        check_path(self.path)
        self._opened()

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the CA, then the remotes."""
        self.check()
        self._remotes = {one.identity: one.entry for one in given}
        file, outcomes = self._opened(), list[Outcome]()
        for one in given:
            outcomes += set_section(file, one.entry, self._remote(one), _OURS)
        return replace([*with_ca(self.path.parent, given[0]), (file, outcomes)])

    def held(self, identity: str) -> KeyPair:
        """Read the remote again."""
        file, remote = self._opened(), self._remotes[identity]
        return pair_of(
            option_of(file, remote, _KEY), option_of(file, remote, _SECRET), f"remote {remote} in {self.path}"
        )

    def _opened(self) -> Edited:
        file = opened(self.path)
        if _ENCRYPTED in file.after:
            raise CannotDeliverError(
                f"{self.path} is encrypted; first run: rclone config encryption remove --config {self.path}, or name "
                "another file: --file PATH"
            )
        return file

    def _remote(self, one: Handover) -> dict[str, str]:
        values = {
            "type": "s3",
            "provider": "AWS" if one.endpoint is None else "Minio",
            "env_auth": "false",
            _KEY: one.pair.access_key_id,
            _SECRET: one.pair.secret_access_key.get_secret_value(),
            "region": one.region,
        }
        if one.endpoint is not None:
            values["endpoint"] = one.endpoint
        # No identity may make a bucket, and rclone tries to before it writes.
        values["no_check_bucket"] = "true"
        if one.ca_pem is not None:
            values[_CA] = str(self.path.parent.resolve() / one.ca_name)
        return values
