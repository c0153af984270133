"""Where `python -m infra.credentials` starts."""

import argparse
import sys
from collections.abc import Sequence

from infra.credentials import deliver


def main(arguments: Sequence[str]) -> int:
    """Dispatch a command."""
    parser = argparse.ArgumentParser(prog="python -m infra.credentials", description=deliver.__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("deliver", help="hand key pairs over")
    command.add_argument("--stack", required=True, metavar="NAME")
    deliver.add_arguments(command)
    command.set_defaults(run=deliver.run)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
