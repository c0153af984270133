"""Whether a server is the one that a stack was deployed to: it knows the access keys that were made there.

The rule: an access key is random, so one that is known suffices, and only a server that knows none of them is another.
"""

from collections.abc import Sequence

from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.settings import Settings
from model.problems import InvalidInputError, Problem


def knows_a_key(access_keys: Sequence[str], settings: Settings) -> bool:
    """Whether the server of the config has one of these service accounts.

    Raises:
        InvalidInputError: The server does not say.
    """
    own = settings.aistor
    if own is None:
        raise ValueError("only AIStor has service accounts")
    with AdminApi.of(own, settings.region) as api:
        try:
            return any(_knows(api, access_key) for access_key in access_keys)
        except AdminApiError as error:
            where, legal = f"{settings.where}adminUser, adminPassword", "an admin that may list service accounts"
            wrong = f"cannot tell whether {own.endpoint.url} has the stack's access keys: {error}"
            write = f"object-store preflight --stack {settings.stack}"
            raise InvalidInputError([Problem(where, wrong, legal, write)]) from None


def _knows(api: AdminApi, access_key: str) -> bool:
    try:
        api.service_account(access_key)
    except NotFoundError:
        return False
    return True
