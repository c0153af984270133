"""`object-store keys`: the life of the keys that a stack hands out.

The rule: what decides is the stack's config: rotate, retire and revoke edit it, say which lines, and run `pulumi up`;
with `config_only` they leave that to you, or to CI.

Exit status: 0 done; 1 not done, because the answer was no or something stands in the way; 2 it could not be tried.
"""

import sys
from collections.abc import Callable

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from ops.keys import rotation, status
from ops.keys.live_keys import KeysError
from ops.keys.rotation import DeclinedError, Options, RotationError
from ops.usage import NobodyToAskError, agreed
from stack.runner import EngineError

Change = Callable[[str, str, Options], None]
CHANGES: dict[str, Change] = {"rotate": rotation.rotate, "retire": rotation.retire, "revoke": rotation.revoke}


def run_change(
    name: str, stack: str, identity: str, *, config_only: bool, yes: bool, quiet: bool, unused_hours: float = 0.0
) -> ExitCode:
    """Rotate, retire or revoke an identity's key.

    Args:
        name: Which of `CHANGES`.
        stack: The stack's name.
        identity: Whose key.
        config_only: Edit the config; the update is left to somebody else.
        yes: Do not ask.
        quiet: Say nothing but errors.
        unused_hours: `retire`: for how long the old key must not have been used, where the server tells.
    """

    def say(text: str) -> None:
        if not quiet:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def asked(what: str) -> bool:
        if yes:
            say(what)
        else:
            sys.stdout.write(f"{what}\n")
            sys.stdout.flush()
        return agreed("Go on?", yes=yes)

    return _ended(lambda: CHANGES[name](stack, identity, Options(say, asked, config_only, unused_hours)))


def run_status(stack: str, max_age_days: int | None, *, as_json: bool) -> ExitCode:
    """Tell how each key stands.

    Args:
        stack: The stack's name.
        max_age_days: Above what age a current key is warned of; None for the config's.
        as_json: For programs.
    """

    def told() -> None:
        found = status.status(stack, max_age_days)
        if as_json:
            sys.stdout.write(f"{status.as_json(found)}\n")
        else:
            status.show(found, Console())

    return _ended(told)


def _ended(doing: Callable[[], None]) -> ExitCode:
    try:
        doing()
    except DeclinedError:
        sys.stdout.write("Nothing was changed.\n")
        return ExitCode.WRONG
    except RotationError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.WRONG
    except (EngineError, InvalidInputError, KeysError, NobodyToAskError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.CANNOT
    return ExitCode.DONE
