"""`python -m trials.bad_days`: rehearses bad days, a line for each; `make bad-days` rehearses them all on the sandbox.

Exit status: 0 every day ended well; 1 one did not; 2 usage; 130 or 143 after a signal, with the stack removed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from pathlib import Path

from cli.main import signals_noted
from model.exit_codes import ExitCode, ended_by
from model.resources import By
from model.secrecy.output_guard import guard_output
from sandbox.folder import SandboxError
from trials.bad_days.damages import FEW_DOMAINS
from trials.bad_days.days import AISTOR, ALL, DAYS, BadDay
from trials.bad_days.places import in_sandbox, on_server
from trials.bad_days.rehearsal import Outcome, rehearse
from trials.bad_days.stack import BadDayError, Stack
from trials.checkout import Address

#: The result of a stack that could not be removed.
REMOVED = "the stack of the rehearsal is removed"
Place = Callable[[Path, By], AbstractContextManager[Stack]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse the chosen days on the chosen kinds of stack; a signal ends the day and removes its stack."""
    guard_output()
    given = _parser().parse_args(arguments)
    with signals_noted() as got:
        try:
            return _rehearse(given)
        except KeyboardInterrupt:
            sys.stderr.write("interrupted\n")
    return ended_by(got[0]) if got else ExitCode.INTERRUPTED


def _rehearse(given: argparse.Namespace) -> int:
    domains = FEW_DOMAINS if given.few else None
    place: Place = partial(in_sandbox, domains=domains)
    days = [day for day in DAYS if not given.day or day.name in given.day]
    kinds: Sequence[By] = given.by or ALL
    if given.endpoint:
        place = partial(on_server, given=Address(given.endpoint, given.region, given.ca), domains=domains)
        days = [day for day in days if not day.own_server]
        kinds = [by for by in kinds if by in AISTOR]
    count = bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for by in kinds:
            chosen = [one for one in days if by in one.kinds]
            with closing(rehearsed(by, chosen, Path(folder) / by, place)) as ended:
                for name, seconds, outcome in ended:
                    count += 1
                    bad += bool(outcome.wrong)
                    sys.stdout.write(f"{'BAD ' if outcome.wrong else 'good'} {by:<4}{seconds:5.0f} s  {name}\n")
                    sys.stdout.writelines(f"     {line}\n" for text in outcome.wrong for line in text.splitlines())
                    sys.stdout.flush()
    sys.stdout.write(f"days={count} good={count - bad} bad={bad}\n")
    return 1 if bad or not count else 0


def rehearsed(
    by: By, days: Sequence[BadDay], folder: Path, place: Place
) -> Generator[tuple[str, float, Outcome], None, None]:
    """Rehearse days on one stack, and after a bad end on a new one; yields each day's name, seconds and outcome.

    A stack that cannot be removed is a result of its own, and the next day has a new one all the same.
    """
    with ExitStack() as standing:
        stack: Stack | None = None
        for number, day in enumerate(days):
            started = time.monotonic()
            try:
                if stack is None:
                    stack = standing.enter_context(place(folder / str(number), by))
                outcome = rehearse(day, stack)
            except Exception as error:  # noqa: BLE001 - as in a runner of tests, one day does not end the others
                outcome = _failed(error)
            yield day.name, time.monotonic() - started, outcome
            if outcome.wrong:
                stack = None
                yield from _closed(standing)
        yield from _closed(standing)


def _closed(standing: ExitStack) -> Iterator[tuple[str, float, Outcome]]:
    """Remove the deployed stack; yields a result only if that fails."""
    started = time.monotonic()
    try:
        standing.close()
    except Exception as error:  # noqa: BLE001 - as above
        yield REMOVED, time.monotonic() - started, _failed(error)


def _failed(error: Exception) -> Outcome:
    kind = "" if isinstance(error, (BadDayError, SandboxError)) else f"{type(error).__name__}: "
    return Outcome((f"{kind}{error}",))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trials.bad_days", description=__doc__)
    parser.add_argument("--by", action="append", choices=ALL, help="who implements the identities; all by default")
    parser.add_argument("--day", action="append", choices=[day.name for day in DAYS], help="all by default")
    parser.add_argument("--few", action="store_true", help="a stack with one domain of each band, which is faster")
    parser.add_argument("--endpoint", help="a server of your own, with AISTOR_ROOT_USER and AISTOR_ROOT_PASSWORD set")
    parser.add_argument("--region", default="us-east-1", help="with --endpoint: its region")
    parser.add_argument("--ca", type=Path, help="with --endpoint: the file of its CA")
    return parser


if __name__ == "__main__":
    sys.exit(main())
