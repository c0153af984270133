"""A stack's settings, read outside the program.

The rule: the config is read by the `pulumi` on the path (`stack.config`) and checked by `infra.settings`, so that
whoever asks speaks of the very plan that `pulumi up` would realise.
"""

import os
from collections.abc import Mapping

from infra.namespace import NAMESPACE
from infra.settings import Settings, settings_from
from stack.config import project_folder, pulumi_folder, read_config


def read_stack(stack: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a stack's config; connects to nothing.

    Args:
        stack: The stack's name.
        environ: The process environment, for admin credentials that are not in config.

    Raises:
        EngineError: There is no pulumi, or no such stack.
        InvalidInputError: The config is bad; `pulumi up` would say the same.
    """
    prefix = f"{NAMESPACE}:"
    values = {
        key.removeprefix(prefix): value
        for key, (value, _) in read_config(stack, environ).items()
        if key.startswith(prefix)
    }
    return settings_from(values, stack, project_folder(pulumi_folder(environ)), environ)
