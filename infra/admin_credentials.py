"""The provisioning admin's key pair: from the stack's config, the environment, or the configured command.

The rule: both halves come from one source, and no message holds the secret. A module of its own, since the dynamic
providers start with every preview and need nothing else of `infra.settings`.
"""

from collections.abc import Callable, Mapping

from infra.admin_command import KEY as COMMAND_KEY
from infra.admin_command import command_credentials
from infra.namespace import NAMESPACE
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import keep_secret
from model.secrecy.vendor_defaults import VENDOR_DEFAULTS

ADMIN_USER_VARIABLE = "AISTOR_ROOT_USER"
ADMIN_PASSWORD_VARIABLE = "AISTOR_ROOT_PASSWORD"  # noqa: S105 - a variable's name


def admin_credentials(get: Callable[[str], str | None], environ: Mapping[str, str], where: str) -> tuple[str, str]:
    """The provisioning admin's key pair: from config, else from the environment, else from the configured command.

    The two halves always come from one source: halves of two sources would be a pair of nobody.

    Args:
        get: Reads a config key of our namespace; None or empty means absent.
        environ: The process environment, for the command as well.
        where: How a problem names the config.

    Raises:
        InvalidInputError: There is none, only a half, the command gives none, or it is the vendor's default pair.
    """
    names = f"{where}adminUser, adminPassword"
    for user_name, password_name, user, password in (
        ("adminUser", "adminPassword", get("adminUser"), get("adminPassword")),
        (
            ADMIN_USER_VARIABLE,
            ADMIN_PASSWORD_VARIABLE,
            environ.get(ADMIN_USER_VARIABLE),
            environ.get(ADMIN_PASSWORD_VARIABLE),
        ),
    ):
        if user and password:
            return _not_by_default(user, password, names)
        if user or password:
            present, missing = (user_name, password_name) if user else (password_name, user_name)
            raise _no_credentials(names, f"no admin credentials: {missing} is missing beside {present}")
    command = get(COMMAND_KEY)
    if not command:
        raise _no_credentials(names, "no admin credentials")
    return _not_by_default(*command_credentials(command, environ, where), f"{where}{COMMAND_KEY}")


def _no_credentials(names: str, message: str) -> InvalidInputError:
    return InvalidInputError(
        [
            Problem(
                names,
                message,
                f"a key pair in config (the password as a secret), or {ADMIN_USER_VARIABLE} and "
                f"{ADMIN_PASSWORD_VARIABLE} in the environment, or a command of {NAMESPACE}:{COMMAND_KEY}; both "
                "halves from one of them",
                f"pulumi config set {NAMESPACE}:adminUser NAME && pulumi config set --secret {NAMESPACE}:adminPassword",
            )
        ]
    )


def _not_by_default(user: str, password: str, names: str) -> tuple[str, str]:
    if user in VENDOR_DEFAULTS or password in VENDOR_DEFAULTS:
        raise InvalidInputError(
            [
                Problem(
                    names,
                    "these are the vendor's default credentials, which everybody knows",
                    "a user and a password of your own, set on the server first",
                    f"pulumi config set {NAMESPACE}:adminUser NAME && "
                    f"pulumi config set --secret {NAMESPACE}:adminPassword",
                )
            ]
        )
    return user, keep_secret(password)
