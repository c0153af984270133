"""Profiles of the aws CLI and the AWS SDKs: the key pair in `credentials`, the rest in `config` beside it.

The rule: a profile names its endpoint itself, so a tool that knows profiles reaches the store with nothing else set.
Each identity has one profile, `objectstore-STACK-IDENTITY`; other profiles stay.

The options: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html. The aws CLI knows `endpoint_url`
in a profile since 1.29 and 2.13.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.deployment import KeyPair
from model.handover import Handover
from ops.keys.private_file import check_path, check_regular
from ops.keys.targets.edited import opened, replace, with_ca
from ops.keys.targets.ini import option_of, set_section
from ops.keys.targets.outcome import Outcome, pair_of

FILE = Path(".aws") / "credentials"
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_SETTINGS = ("region", "endpoint_url", "ignore_configured_endpoint_urls", "ca_bundle")


@dataclass
class AwsProfile:
    """The two files of profiles.

    Attributes:
        path: The file `credentials`.
    """

    path: Path
    _profiles: dict[str, str] = field(default_factory=dict, init=False)

    def check(self) -> None:
        """Check that both files may be written, and that git would not add the one with the keys."""
        check_path(self.path)
        check_regular(self._config)

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the CA, the settings, and then the keys."""
        self.check()
        self._profiles = {one.identity: one.entry for one in given}
        config, credentials = opened(self._config, private=False), opened(self.path)
        settings, keys = list[Outcome](), list[Outcome]()
        for one in given:
            settings += set_section(config, f"profile {one.entry}", self._settings(one), _SETTINGS)
            pair = dict(zip(_KEYS, one.keys().values(), strict=False))
            keys += set_section(credentials, one.entry, pair, _KEYS)
        return replace([*with_ca(self.path.parent, given[0]), (config, settings), (credentials, keys)])

    def held(self, identity: str) -> KeyPair:
        """Read the profile again."""
        file, profile = opened(self.path), self._profiles[identity]
        key_id, secret = (option_of(file, profile, option) for option in _KEYS[:2])
        return pair_of(key_id, secret, f"profile {profile} in {self.path}")

    @property
    def _config(self) -> Path:
        return self.path.parent / "config"

    def _settings(self, one: Handover) -> dict[str, str]:
        values = {"region": one.region}
        if one.endpoint is not None:
            values |= {"endpoint_url": one.endpoint, "ignore_configured_endpoint_urls": "false"}
        if one.ca_pem is not None:
            values["ca_bundle"] = str(self.path.parent.resolve() / one.ca_name)
        return values
