"""`python -m ops.keys`: the life of the keys that a stack hands out.

status, rotate, retire, revoke, deliver; `--help` of each says more. What decides is the stack's config: rotate, retire
and revoke edit it, say which lines, and run `pulumi up`; with --config-only they leave that to you, or to CI.

Exit status: 0 done; 1 not done, because the answer was no or something stands in the way; 2 it could not be tried.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from model.problems import InvalidInputError
from model.secrecy.output_guard import guard_output
from ops.keys import deliver, rotation, status
from ops.keys.live_keys import KeysError
from ops.keys.rotation import DeclinedError, RotationError, Way
from stack.runner import EngineError

DONE, NOT_DONE, CANNOT = 0, 1, 2
_CHANGES: dict[str, tuple[Callable[[str, str, Way], None], str]] = {
    "rotate": (rotation.rotate, "make the next key beside the one that lives"),
    "retire": (rotation.retire, "remove the previous key, once the current one is proven to work"),
    "revoke": (rotation.revoke, "replace every key at once, after a compromise"),
}


def main(arguments: Sequence[str]) -> int:
    """Dispatch a command."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DeclinedError:
        sys.stdout.write("Nothing was changed.\n")
        return NOT_DONE
    except RotationError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_DONE
    except (EngineError, InvalidInputError, KeysError) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.keys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shown = _command(commands, "status", "how old each key is, when it was used, what is to be done")
    shown.add_argument("--max-age-days", type=int, help="warn of older keys (default: object-store:maxKeyAgeDays)")
    shown.add_argument("--json", action="store_true")
    shown.set_defaults(run=_status)
    for name, (change, text) in _CHANGES.items():
        command = _command(commands, name, text)
        command.add_argument("identity", metavar="IDENTITY")
        command.add_argument("--config-only", action="store_true", help="edit the config; the update is left to you")
        command.add_argument("--yes", action="store_true", help="do not ask")
        command.add_argument("--quiet", action="store_true", help="say nothing but errors")
        command.set_defaults(run=_change, change=change, unused_for=0.0)
        if name == "retire":
            command.add_argument(
                "--unused-for",
                type=float,
                default=1.0,
                metavar="HOURS",
                help="the old key must not have been used for as long, where the server tells (default: 1)",
            )
    handed = _command(commands, "deliver", "hand key pairs over")
    deliver.add_arguments(handed)
    handed.set_defaults(run=deliver.run)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--stack", required=True, metavar="NAME")
    return command


def _status(options: argparse.Namespace) -> int:
    found = status.status(options.stack, options.max_age_days)
    if options.json:
        sys.stdout.write(f"{status.as_json(found)}\n")
    else:
        status.show(found, Console())
    return DONE


def _change(options: argparse.Namespace) -> int:
    def say(text: str) -> None:
        if not options.quiet:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def agreed(what: str) -> bool:
        if options.yes:
            say(what)
            return True
        if not sys.stdin.isatty():
            raise RotationError(f"{what}.\nThere is nobody to ask here; to do it, add --yes")
        sys.stdout.write(f"{what}\n")
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")

    options.change(options.stack, options.identity, Way(say, agreed, options.config_only, options.unused_for))
    return DONE


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
