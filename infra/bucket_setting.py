"""The common part of the providers of AIStor's bucket settings that pulumi-minio 0.17.1 does not manage.

The rule: a provider has no fields until it is configured, so that the state holds only a pickled reference to its
class. The admin's keys are never an input: the provider reads them from the stack's config or the environment when it
starts.
"""

import os
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi import dynamic

from infra.admin_credentials import admin_credentials
from infra.engine_watch import end_with_engine
from infra.namespace import NAMESPACE
from infra.s3_client import open_client

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

_CONNECTION = ("endpoint", "region", "ca_pem")


class BucketSettingProvider(dynamic.ResourceProvider):
    """Compares the inputs of its subclasses and opens S3 for them; the id is the bucket's name.

    Attributes:
        compared: The inputs whose change is an update, besides the connection's.
    """

    compared: ClassVar[tuple[str, ...]] = ()

    _user: str
    _password: str

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Read the admin's keys from the stack's config or the environment."""
        end_with_engine()
        self._user, self._password = admin_credentials(req.config.get, os.environ, f"{NAMESPACE}:")

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the resource for another bucket; update it in place for other changes."""
        compared = (*self.compared, *_CONNECTION)
        changed = [key for key in compared if _same_number(_olds.get(key)) != _same_number(_news.get(key))]
        replaces = ["bucket"] if _olds["bucket"] != _news["bucket"] else []
        return dynamic.DiffResult(changes=bool(changed or replaces), replaces=replaces)

    def outputs(self, props: dict[str, Any]) -> dict[str, Any]:
        """The inputs without what Pulumi adds."""
        return {key: props[key] for key in ("bucket", *self.compared, *_CONNECTION)}

    def client(self, props: dict[str, Any]) -> "AbstractContextManager[S3Client]":
        """S3 of the resource's server, with the admin's keys."""
        return open_client(
            endpoint=props["endpoint"],
            region=props["region"],
            ca_pem=props["ca_pem"] or None,
            access_key_id=self._user,
            secret_access_key=self._password,
        )


def _same_number(value: object) -> object:
    """Numbers as floats, because Pulumi sends them so."""
    return float(value) if isinstance(value, int | float) else value
