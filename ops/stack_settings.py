"""A stack's settings, read outside the program.

The rule: the `pulumi` on PATH reads the config (`stack.config`) and `infra.settings` checks it, so that every caller
works with exactly the plan that `pulumi up` would realise.
"""

import os
from collections.abc import Mapping

from infra.namespace import NAMESPACE
from infra.settings import Settings, settings_from
from stack.config import project_folder, pulumi_folder, read_config


def read_stack(stack: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a stack's config, without any connection.

    Args:
        stack: The stack's name.
        environ: The process environment, for admin credentials that are not in config.

    Raises:
        EngineError: pulumi or the stack does not exist.
        InvalidInputError: The config is invalid; `pulumi up` would report the same error.
    """
    prefix = f"{NAMESPACE}:"
    values = {
        key.removeprefix(prefix): value
        for key, (value, _) in read_config(stack, environ).items()
        if key.startswith(prefix)
    }
    return settings_from(values, stack, project_folder(pulumi_folder(environ)), environ)
