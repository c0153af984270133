"""Bad days of the way to a server: the admin's access key or permissions, the endpoint, the certificate, the clock.

The rule: before the documented lines, the old config must be refused; a config that is not tried would pass here.
"""

import json
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import trustme

from infra.admin_api import NotFoundError
from sandbox.server.clock import FILE as CLOCK
from trials.bad_days.damages import LATE, forget_late_domain
from trials.bad_days.stack import BadDayError, Stack

_ALL: dict[str, Any] = {
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
    stack.must_be_refused()


def change_admin_in_the_config(stack: Stack) -> None:
    """The admin's secret key changes in the config, and then on the server."""
    _with_own_admin(stack)
    _set_password(stack, _NEW)
    stack.must_be_refused()
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
    stack.must_be_refused()


def new_endpoint(stack: Stack) -> dict[str, str]:
    """The new address in the documented line."""
    return {"https://localhost:31000": stack.checkout.address(stack.name).endpoint}


def name_another_ca(stack: Stack) -> None:
    """`caBundle` names the file of another CA."""
    folder = stack.config_file.parent
    trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
    stack.set_config(caBundle="other-ca.pem")
    stack.must_be_refused()


def renew_ca(stack: Stack) -> None:
    """The server has a certificate of a new CA; the config still names a copy of the old one."""
    folder, directory = stack.checkout.folder(stack.name).server, stack.config_file.parent
    shutil.copy2(folder / "ca.pem", directory / "old-ca.pem")
    stack.restart_server("ca.pem", "ca-key.pem")
    stack.set_config(caBundle="old-ca.pem")
    stack.must_be_refused()


def right_ca(stack: Stack) -> dict[str, str]:
    """The file of the right CA in the documented line."""
    return {"aistor-ca.pem": str(stack.checkout.address(stack.name).ca_file)}


def renew_certificate(stack: Stack) -> None:
    """The server has a new certificate of the same CA."""
    file = stack.checkout.folder(stack.name).server / "server.pem"
    before = file.read_bytes()
    stack.restart_server("server.pem", "server-key.pem")
    if file.read_bytes() == before:
        raise BadDayError("the server has the same certificate")


def set_clock_wrong(stack: Stack) -> None:
    """The server's clock is an hour ahead of this machine's."""
    _clock(stack).write_text("3600", encoding="ascii")
    stack.must_be_refused()


def right_clock(stack: Stack) -> dict[str, str]:
    """What corrects the sandbox's clock, in place of the line that corrects a machine's."""
    return {"sudo timedatectl set-ntp true": f"rm {_clock(stack)}"}


def fail_update(stack: Stack) -> None:
    """An update that adds a domain failed half way: the admin lacked a permission, which it has now."""
    _with_own_admin(stack)
    admin = admin_of(stack)
    lacking = {"Effect": "Deny", "Action": ["s3:PutLifecycleConfiguration"], "Resource": ["arn:aws:s3:::*"]}
    with stack.api() as api:
        api.put_policy(admin, json.dumps({**_ALL, "Statement": [*_ALL["Statement"], lacking]}))
    stack.set_config(domains=LATE)
    stack.must_be_refused()
    if not stack.exists("late"):
        raise BadDayError("the update failed before it made anything")
    with stack.api() as api:
        api.put_policy(admin, json.dumps(_ALL))


def forget_failed_update(stack: Stack) -> None:
    """Take back what `fail_update` set up."""
    forget_late_domain(stack)
    forget_admin(stack)


def _clock(stack: Stack) -> Path:
    return stack.checkout.folder(stack.name).server / CLOCK


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


def _kept(stack: Stack) -> Path:
    return stack.config_file.with_suffix(".before")
