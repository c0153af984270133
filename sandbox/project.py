"""Writes a stack's Pulumi project folder: the committed project and config, plus the facts of the sandbox server.

The rule: a value that a user adds or changes with `pulumi config set` stays, unless the server decides the value. A
file that already has the right content stays byte for byte the same. The passphrase and the credentials file are 0600.
Pulumi sets secret config values, and reads them from standard input.

Left out: the program, which the project only points at, and every deployment.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from model.written import WrittenError, read_written
from model.written_yaml import FILE_BYTES_MAXIMUM, date_of_engine, parse_yaml
from sandbox.engine.wrapper import call
from sandbox.folder import SandboxError, StackFolder, StackName, repository, write_atomically, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.server.process import AdminCredentials, RunningServer

NAMESPACE = "object-store"
ACCOUNT_ID = "123456789012"  # the one account of the aws server, moto's


@dataclass(frozen=True)
class Overrides:
    """The config of a sandbox stack beyond the committed config, by full key."""

    choices: Mapping[str, Any]  # values that a user may change
    facts: Mapping[str, Any]  # values that the server decides
    secret_facts: Mapping[str, str] = field(repr=False)
    asked: Mapping[str, Any] = field(default_factory=dict)  # values of a request, which stay like a user's own


def overrides(
    stack: StackName, server: RunningServer, admin: AdminCredentials, *, admin_api_asked: bool = False
) -> Overrides:
    """The values that replace the committed config: the sandbox is disposable, and its endpoint differs.

    Args:
        stack: The stack.
        server: Its server.
        admin: The server's administrator.
        admin_api_asked: The caller requested this admin API version now, so the config names it; else the config may
            leave it out, because the resources of v4 work on every server.
    """
    choices: dict[str, Any] = {"protect": False, "emptyOnDestroy": True}
    facts: dict[str, Any] = {}
    secret: dict[str, str] = {}
    if stack is StackName.AWS:
        facts["allowedAccountIds"] = [ACCOUNT_ID]
    else:
        facts |= {"endpoint": server.endpoint, "clientEndpoint": server.endpoint, "caBundle": server.ca_bundle}
        secret |= {"adminUser": admin.user, "adminPassword": admin.password}
    asked = {"adminApi": server.admin_api} if admin_api_asked else {}
    return Overrides(_full(choices), _full(facts), _full(secret), _full(asked))


def committed_config(stack: StackName) -> dict[str, Any]:
    """The config of the committed stack file."""
    return dict(_read_yaml(repository() / f"Pulumi.{stack}.yaml").get("config") or {})


def make_project(
    folder: StackFolder, server: RunningServer, admin: AdminCredentials, *, admin_api_asked: bool = False
) -> Overrides:
    """Write every file of the project folder that holds no Pulumi secret; arguments as for `overrides`."""
    wanted = overrides(folder.stack, server, admin, admin_api_asked=admin_api_asked)
    folder.project.mkdir(parents=True, exist_ok=True)
    folder.state.mkdir(parents=True, exist_ok=True)
    if not folder.passphrase.exists():
        write_private(folder.passphrase, secrets.token_urlsafe(32))
    _write_project_file(folder)
    if folder.stack is StackName.AWS:
        write_private(
            folder.aws_credentials,
            f"[default]\naws_access_key_id = {admin.user}\naws_secret_access_key = {admin.password}\n",
        )
    _write_stack_file(folder, wanted)
    return wanted


def select_stack(folder: StackFolder, wanted: Overrides, environ: Mapping[str, str]) -> None:
    """Create the Pulumi stack if it does not exist, and set the secrets that it does not have."""
    call(folder, ["stack", "select", "--create", folder.stack.value], environ)
    if not wanted.secret_facts:
        return
    # Only Pulumi can compare them. Setting a secret again encrypts it again, and the file changes.
    held = json.loads(call(folder, ["config", "--show-secrets", "--json"], environ))
    for key, value in wanted.secret_facts.items():
        entry = held.get(key, {})
        if entry.get("value") != value or not entry.get("secret"):
            call(folder, ["config", "set", "--secret", key], environ, standard_input=value)


def _full(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{NAMESPACE}:{key}": value for key, value in values.items()}


def _write_project_file(folder: StackFolder) -> None:
    committed = repository() / "Pulumi.yaml"
    project = _read_yaml(committed)
    program = repository() / project.get("main", ".")
    project["main"] = os.path.relpath(program, folder.project)
    options = project["runtime"].setdefault("options", {})
    if sys.prefix == sys.base_prefix:
        options.pop("virtualenv", None)
    else:
        # Absolute, because the engine resolves a relative path from the project's folder, and its dynamic provider
        # resolves it from the program's folder. No state holds this path.
        options["virtualenv"] = str(Path(sys.prefix))
    write_atomically(folder.project_file, _yaml(project, f"from {committed.name} by `object-store sandbox up`"))


def _write_stack_file(folder: StackFolder, wanted: Overrides) -> None:
    document = _read_yaml(folder.stack_file) if folder.stack_file.exists() else {}
    held: dict[str, Any] = document.get("config") or {}
    before: dict[str, Any] = json.loads(folder.written_file.read_text()) if folder.written_file.exists() else {}
    plain = {**committed_config(folder.stack), **wanted.choices, **wanted.facts}
    for key in wanted.secret_facts:
        plain.pop(key, None)
    of_a_person = {
        key: value
        for key, value in held.items()
        if key not in wanted.facts and (key not in before or not _is_same(before[key], value))
    }
    config = {**plain, **of_a_person, **wanted.asked}
    write_atomically(folder.written_file, json.dumps(plain, indent=2) + "\n")
    if not _is_same(config, held):
        write_atomically(folder.stack_file, _yaml({**document, "config": config}))


def _is_same(one: object, other: object) -> bool:
    """Whether two config values mean the same: Pulumi rewrites booleans and numbers of a stack file as text."""
    return _as_text(one) == _as_text(other)


def _as_text(value: object) -> object:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _yaml(document: Mapping[str, Any], origin: str | None = None) -> str:
    text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=4096)
    return f"# Made {origin}: change that file.\n{text}" if origin else text


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(read_written(path, str(path), FILE_BYTES_MAXIMUM), str(path), date=date_of_engine)
    except WrittenError as error:
        raise SandboxError(str(error)) from None
    if not isinstance(document, dict):
        raise SandboxError(f"{path}: a Pulumi project or stack file must hold a YAML mapping, and this file does not.")
    return document
