"""The environment in which a user, or the sandbox itself, runs Pulumi against a stack of the sandbox.

The rule: it holds no secret (secrets are in 0600 files that it points at). It unsets every variable that could lead a
sandbox stack to a real account or server. Left out: the search path of the language host (sandbox.engine.wrapper).
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.folder import StackFolder, StackName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.server.process import RunningServer

# Variables that a shell may still have from other work, or from the other stack's `env`.
FOREIGN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AISTOR_ROOT_PASSWORD",
    "AISTOR_ROOT_USER",
    "PULUMI_CONFIG_PASSPHRASE",  # it would win over PULUMI_CONFIG_PASSPHRASE_FILE
    "PULUMI_STACK",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Environment:
    """Variables to set, and variables to remove."""

    set: Mapping[str, str]
    unset: tuple[str, ...]

    def applied_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """An environment with these changes made."""
        return {**{key: value for key, value in environ.items() if key not in self.unset}, **self.set}

    def as_shell(self) -> str:
        """The changes as lines for a POSIX shell."""
        lines = [f"unset {' '.join(self.unset)}", *(f"export {k}={shlex.quote(v)}" for k, v in self.set.items())]
        return "\n".join(lines) + "\n"


def stack_environment(folder: StackFolder, server: RunningServer, environ: Mapping[str, str]) -> Environment:
    """The environment of a stack whose server is running, for a shell that has `environ` now."""
    variables = {
        "PATH": _path(folder, environ),
        "PULUMI_HOME": str(folder.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{folder.state}",
        "PULUMI_OPTION_CWD": str(folder.project),  # as the wrapper sets it, for code that looks for the stack's file
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder.passphrase),
        "PULUMI_DEBUG_PROVIDERS": f"{server.plugin}:{server.plugin_port}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "AWS_CONFIG_FILE": os.devnull,  # a profile of the user may name an endpoint, a CA or a role
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if folder.stack is StackName.AWS:
        variables |= {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_CA_BUNDLE": server.ca_bundle,
            "AWS_SHARED_CREDENTIALS_FILE": str(folder.aws_credentials),
            "AWS_REGION": server.region,
        }
    else:
        variables["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    if any(environ.get(name) for name in _PROXIES):
        # Every address of the sandbox is on this machine, and a proxy cannot reach it.
        kept = [host for host in environ.get("NO_PROXY", "").split(",") if host not in ("", "127.0.0.1")]
        variables["NO_PROXY"] = variables["no_proxy"] = ",".join(["127.0.0.1", *kept])
    return Environment(variables, tuple(name for name in FOREIGN if name not in variables))


def _path(folder: StackFolder, environ: Mapping[str, str]) -> str:
    """PATH with the stack's wrapper and this Python first, and without the wrapper of the other stack."""
    wrappers = {str(StackFolder(stack, folder.home).bin) for stack in StackName}
    kept = [entry for entry in environ.get("PATH", os.defpath).split(os.pathsep) if entry not in wrappers]
    python = str(Path(sys.executable).parent)
    return os.pathsep.join([str(folder.bin), python, *(entry for entry in kept if entry != python)])
