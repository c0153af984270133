"""The common part of the four providers: the admin's keys, the server, and error messages.

The rule: the keys are never an input; the provider reads them from the stack's config or the environment when it
starts. A resource is gone only if the server says that it does not exist; every other failure raises an error.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi import dynamic

from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.admin_credentials import admin_credentials
from infra.engine_watch import end_with_engine
from infra.namespace import NAMESPACE
from model.policy_meaning import same_meaning
from model.remedies import Remedy, for_stack

if TYPE_CHECKING:
    from infra.settings import AistorSettings

#: The server's address; an input of every resource, because a state must name the server that it describes.
CONNECTION = ("endpoint", "region", "caPem")


class IdentityError(Exception):
    """A resource cannot be created, read, changed or deleted; the message names it and says what to do."""


class IdentityProvider(dynamic.ResourceProvider):
    """Opens the admin API for its subclasses; it has no fields until it is configured.

    Attributes:
        compared: The inputs whose change is an update, besides the connection's.
        replaced: The inputs whose change is a replacement.
    """

    serialize_as_secret_always = False  # a reference to a class is not secret
    compared: ClassVar[tuple[str, ...]] = ()
    replaced: ClassVar[tuple[str, ...]] = ()

    _user: str
    _password: str

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Read the admin's keys from the stack's config or the environment."""
        end_with_engine()
        self._user, self._password = admin_credentials(req.config.get, os.environ, f"{NAMESPACE}:")

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the resource for another name or owner; update it in place for other changes."""
        replaces = [key for key in self.replaced if _olds.get(key) != _news.get(key)]
        changed = [
            key for key in (*self.compared, *CONNECTION) if not _same(key, _olds.get(key, ""), _news.get(key, ""))
        ]
        return dynamic.DiffResult(changes=bool(changed or replaces), replaces=replaces)

    @contextmanager
    def api(self, props: Mapping[str, Any], doing: str) -> Iterator[AdminApi]:
        """The admin API of a resource's server.

        Raises:
            IdentityError: The API failed; the message starts with `doing`.
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


@contextmanager
def for_user(api: AdminApi, user: str, doing: str) -> Iterator[None]:
    """Give the true reason if the user exists but is switched off.

    MinIO then answers to attachments and new service accounts that the user does not exist (cmd/iam.go, CheckKey).

    Raises:
        IdentityError: The user is switched off.
    """
    try:
        yield
    except NotFoundError:
        if _is_off(api, user):
            raise IdentityError(
                f"{doing}: the user is switched off, and the server gives it neither policies nor keys. Switch "
                f"it on: {for_stack(Remedy.LOST, 'NAME')}"
            ) from None
        raise


def gone(props: Mapping[str, Any]) -> dynamic.ReadResult:
    """The result of reading a resource that does not exist; the engine removes it from the state."""
    return dynamic.ReadResult(id_="", outs=dict(props))


def connection_inputs(settings: "AistorSettings", region: str) -> dict[str, str]:
    """The inputs with the server's address; none of them is secret."""
    return {"endpoint": settings.endpoint.url, "region": region, "caPem": settings.ca_pem or ""}


def _is_off(api: AdminApi, user: str) -> bool:
    try:
        return api.user(user).get("status") == "disabled"
    except NotFoundError:
        return False


def _same(key: str, one: object, other: object) -> bool:
    """Whether two values of an input are equivalent; policies are compared by meaning."""
    return same_meaning(str(one), str(other)) if key == "policy" else one == other
