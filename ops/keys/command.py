"""`object-store keys`: shows, rotates, retires and revokes the keys of a stack.

The rule: the stack's config decides which keys exist. rotate, retire and revoke edit it, print the changed lines, and
run `pulumi up`; with `config_only`, you or CI run it.

Exit status: 0 done; 1 not done, because the answer was no or a condition is not met; 2 it could not run.
"""

import sys
from collections.abc import Callable

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.terminal_text import printable
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
        name: A key of `CHANGES`.
        stack: The stack's name.
        identity: The identity whose key it is.
        config_only: Only edit the config; run no update.
        yes: Do not ask.
        quiet: Print only errors.
        unused_hours: `retire`: how long the old key must have been unused, if the server records it.
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
        return agreed("Continue?", yes=yes)

    return _ended(lambda: CHANGES[name](stack, identity, Options(say, asked, config_only, unused_hours)))


def run_status(stack: str, max_age_days: int | None, *, as_json: bool) -> ExitCode:
    """Show the state of each key.

    Args:
        stack: The stack's name.
        max_age_days: The age above which a current key gets a warning; None for the config's.
        as_json: Print JSON.
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
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.WRONG
    except (EngineError, InvalidInputError, KeysError, NobodyToAskError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    return ExitCode.DONE
