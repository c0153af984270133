"""A stack's config as it is, and where its project is.

The rule: it is read by the `pulumi` on the path. Secrets stay in memory, and out of all that is shown
(`model.secrecy.redaction`). What the values mean is `infra.settings`'s.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from model.secrecy.redaction import keep_secret
from stack.runner import read_json

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
# What `pulumi` takes for its --cwd, as it takes each option: https://www.pulumi.com/docs/iac/cli/environment-variables/
FOLDER_VARIABLE = "PULUMI_OPTION_CWD"


def read_config(stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, tuple[str, bool]]:
    """A stack's config as it is: by full key, the text of the value and whether it is secret.

    Raises:
        EngineError: There is no pulumi, or no such stack.
    """
    config = read_json("config", "--json", "--show-secrets", stack=stack, environ=environ)
    found = {key: (str(entry.get("value", "")), bool(entry.get("secret"))) for key, entry in config.items()}
    for value, secret in found.values():
        if secret:
            keep_secret(value)
    return found


def pulumi_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where pulumi begins to look for the project: here, or where its variable leads it."""
    return Path.cwd() / environ.get(FOLDER_VARIABLE, "")


def project_folder(start: Path) -> Path:
    """The nearest folder upwards with a project file, as pulumi looks for it; `start` where there is none."""
    return next(
        (folder for folder in (start, *start.parents) if any((folder / name).is_file() for name in PROJECT_FILES)),
        start,
    )
