"""The provisioning admin's key pair, from the stack's config, the environment, or the configured command.

The rule: both halves come from one source, and no message contains the secret. This module is separate because the
dynamic providers start with every preview and need nothing else from `infra.settings`.
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

    Both halves always come from the same source: halves from two sources would not be a valid pair.

    Args:
        get: Reads a config key of the namespace `object-store`; None or empty means absent.
        environ: The process environment, also for the command.
        where: The name of the config in problems.

    Raises:
        InvalidInputError: No pair or only half a pair is set, the command prints none, or the pair is the vendor's
            default.
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
            raise _no_credentials(names, f"no admin credentials: {present} is set, but {missing} is missing")
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
                f"{ADMIN_PASSWORD_VARIABLE} in the environment, or a command in {NAMESPACE}:{COMMAND_KEY}; both "
                "halves from the same source",
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
                    "these are the vendor's default credentials, which are publicly known",
                    "a user and a password of your own, set on the server first",
                    f"pulumi config set {NAMESPACE}:adminUser NAME && "
                    f"pulumi config set --secret {NAMESPACE}:adminPassword",
                )
            ]
        )
    return user, keep_secret(password)
