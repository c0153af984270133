"""Bad days of the way to an AIStor server: the admin's access key, the endpoint and the CA change.

The rule: before the documented lines, the old config must be refused; a config that is not tried would pass here.
"""

import json
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import trustme

from infra.admin_api import NotFoundError
from trials.bad_days.stack import BadDayError, Stack

_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
        {"Effect": "Allow", "Action": ["admin:*"]},
    ],
}
_NEW = secrets.token_urlsafe(20)


def change_admin_on_the_server(stack: Stack) -> None:
    """The admin's secret key changes on the server, and then in the config."""
    _with_own_admin(stack)
    with stack.api() as api:
        api.add_user(admin_of(stack), _NEW)
    _must_be_refused(stack)


def change_admin_in_the_config(stack: Stack) -> None:
    """The admin's secret key changes in the config, and then on the server."""
    _with_own_admin(stack)
    _set_password(stack, _NEW)
    _must_be_refused(stack)
    with stack.api() as api:
        api.add_user(admin_of(stack), _NEW)


def new_password(_: Stack) -> dict[str, str]:
    """Answers the question of the documented line."""
    line = "pulumi config set --secret object-store:adminPassword"
    return {line: f"printf %s {_NEW} | {line}"}


def forget_admin(stack: Stack) -> None:
    """Give the stack its own admin again, and remove the other one."""
    shutil.copy2(_kept(stack), stack.config_file)
    stack.must("up", "--yes", "--skip-preview")
    remove_admin(stack)


def remove_admin(stack: Stack) -> None:
    """Remove the admin of a rehearsal from the server, if it is there."""
    with stack.api() as api:
        with suppress(NotFoundError):
            api.remove_user(admin_of(stack))
        api.remove_policy(admin_of(stack))


def admin_of(stack: Stack) -> str:
    """The admin of a rehearsal; the environment code is in it, so that it is of no other rehearsal."""
    return f"rehearsed-{stack.config()['env']}"


def move_endpoint(stack: Stack) -> None:
    """The server answers at another port."""
    before = stack.checkout.address(stack.name).endpoint
    stack.restart_server("ports.json")
    if stack.checkout.address(stack.name).endpoint == before:
        raise BadDayError("the server came back at the same port")
    stack.set_config(clientEndpoint=None)
    _must_be_refused(stack)


def new_endpoint(stack: Stack) -> dict[str, str]:
    """The new address in the documented line."""
    return {"https://localhost:31000": stack.checkout.address(stack.name).endpoint}


def name_another_ca(stack: Stack) -> None:
    """`caBundle` names the file of another CA."""
    folder = stack.config_file.parent
    trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
    stack.set_config(caBundle="other-ca.pem")
    _must_be_refused(stack)


def renew_ca(stack: Stack) -> None:
    """The server has a certificate of a new CA; the config still names a copy of the old one."""
    folder, directory = stack.checkout.folder(stack.name).server, stack.config_file.parent
    shutil.copy2(folder / "ca.pem", directory / "old-ca.pem")
    stack.restart_server("ca.pem", "ca-key.pem")
    stack.set_config(caBundle="old-ca.pem")
    _must_be_refused(stack)


def right_ca(stack: Stack) -> dict[str, str]:
    """The file of the right CA in the documented line."""
    return {"aistor-ca.pem": str(stack.checkout.address(stack.name).ca_file)}


def _with_own_admin(stack: Stack) -> None:
    shutil.copy2(stack.config_file, _kept(stack))
    password, admin = secrets.token_urlsafe(20), admin_of(stack)
    with stack.api() as api:
        api.add_user(admin, password)
        api.put_policy(admin, json.dumps(_ALL))
        api.attach(admin, admin)
    stack.set_config(adminUser=admin)
    _set_password(stack, password)
    stack.must("up", "--yes", "--skip-preview")


def _set_password(stack: Stack, password: str) -> None:
    done = stack.checkout.pulumi(
        stack.name, "config", "set", "--secret", "object-store:adminPassword", "--stack", stack.name, text=password
    )
    if done.status:
        raise BadDayError(done.output[-1500:])


def _must_be_refused(stack: Stack) -> None:
    done = stack.pulumi("up", "--yes", "--skip-preview")
    if done.status == 0:
        raise BadDayError("an update with a config that does not reach the server was not refused")


def _kept(stack: Stack) -> Path:
    return stack.config_file.with_suffix(".before")
