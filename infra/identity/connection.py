"""What the four providers have in common: the admin's keys, the server, and how a failure is said.

The rule: the keys are never an input; they are read from the stack's config, or the environment, when the provider
starts. Only the server's own "there is no such thing" means that a resource is gone; every other failure is raised.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi import dynamic

from infra.admin_api import AdminApi, AdminApiError
from infra.admin_credentials import admin_credentials
from infra.namespace import NAMESPACE
from model.policy_meaning import same_meaning

if TYPE_CHECKING:
    from infra.settings import AistorSettings

#: Where the server is; an input of every resource, since a state must say of which server it speaks.
CONNECTION = ("endpoint", "region", "caPem")


class IdentityError(Exception):
    """A resource could not be made, read, changed or deleted; the message names it and says what to do."""


class IdentityProvider(dynamic.ResourceProvider):
    """Opens the admin API for its subclasses; has no fields before it is configured.

    Attributes:
        compared: The inputs whose change is an update, beside the connection's.
        replaced: The inputs whose change makes another thing.
    """

    serialize_as_secret_always = False  # a reference to a class is none
    compared: ClassVar[tuple[str, ...]] = ()
    replaced: ClassVar[tuple[str, ...]] = ()

    _user: str
    _password: str

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Take the admin's keys from the stack's config or the environment."""
        self._user, self._password = admin_credentials(req.config.get, os.environ, f"{NAMESPACE}:")

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Another name or owner is a replacement; anything else is set in place."""
        replaces = [key for key in self.replaced if _olds.get(key) != _news.get(key)]
        changed = [
            key for key in (*self.compared, *CONNECTION) if not _same(key, _olds.get(key, ""), _news.get(key, ""))
        ]
        return dynamic.DiffResult(changes=bool(changed or replaces), replaces=replaces)

    @contextmanager
    def api(self, props: Mapping[str, Any], doing: str) -> Iterator[AdminApi]:
        """The admin API of the server that a resource is on.

        Raises:
            IdentityError: Whatever the API said, as what was being done.
        """
        with AdminApi(
            endpoint=props["endpoint"],
            region=props["region"],
            ca_pem=props["caPem"] or None,
            access_key_id=self._user,
            secret_access_key=self._password,
        ) as api:
            try:
                yield api
            except AdminApiError as error:
                raise IdentityError(f"{doing}: {error}") from None


def gone(props: Mapping[str, Any]) -> dynamic.ReadResult:
    """What a read says of a thing that is not there; the engine takes it out of the state."""
    return dynamic.ReadResult(id_="", outs=dict(props))


def connection_inputs(settings: "AistorSettings", region: str) -> dict[str, str]:
    """The inputs that say where the server is, none of them secret."""
    return {"endpoint": settings.endpoint.url, "region": region, "caPem": settings.ca_pem or ""}


def _same(key: str, one: object, other: object) -> bool:
    """Whether two values of an input come to the same; a policy by its meaning."""
    return same_meaning(str(one), str(other)) if key == "policy" else one == other
