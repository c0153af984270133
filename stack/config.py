"""Reads a stack's config, and finds the folder of its project.

The rule: the `pulumi` on the path reads the config. Secrets stay in memory and are redacted from all output
(`model.secrecy.redaction`). `infra.settings` interprets the values.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from model.secrecy.redaction import keep_secret
from model.written_yaml import read_yaml_file
from stack.runner import read_json

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
# The variable for pulumi's option --cwd; each option has one: https://www.pulumi.com/docs/iac/cli/environment-variables/
FOLDER_VARIABLE = "PULUMI_OPTION_CWD"


def read_config(stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, tuple[str, bool]]:
    """A stack's config: for each full key, the text of the value and whether it is secret.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    config = read_json("config", "--json", "--show-secrets", stack=stack, environ=environ)
    found = {key: (str(entry.get("value", "")), bool(entry.get("secret"))) for key, entry in config.items()}
    for value, secret in found.values():
        if secret:
            keep_secret(value)
    return found


def pulumi_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder where pulumi starts to look for the project: this one, or the one that its variable names."""
    return Path.cwd() / environ.get(FOLDER_VARIABLE, "")


def project_folder(start: Path) -> Path:
    """The nearest folder upwards with a project file, as pulumi searches for it; `start` if there is none."""
    return next(
        (folder for folder in (start, *start.parents) if any((folder / name).is_file() for name in PROJECT_FILES)),
        start,
    )


def program_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the project's program, `main` in the project file; None if there is no project file.

    Raises:
        WrittenError: The project file cannot be read, or is not YAML.
    """
    folder = project_folder(pulumi_folder(environ))
    file = next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)
    if file is None:
        return None
    project = read_yaml_file(file, file.name)  # JSON is YAML, too
    main = project.get("main") if isinstance(project, dict) else None
    return (folder / (main if isinstance(main, str) else "")).resolve()
