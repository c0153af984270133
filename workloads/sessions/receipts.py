"""`object-store receipts`: what the runs did, the newest first, failures marked.

Exit status: 0 the last run of each machine is complete and in time; 1 one is not; 2 it cannot tell.
"""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.receipt import Receipt, late, newest_first, of_folder, of_store
from workloads.sessions.archive import KIND, megabytes
from workloads.sessions.context import Options, Told, ended, every, opened
from workloads.table import print_table


def run(options: Options, days: int) -> ExitCode:
    """List the receipts of the store and of the local folder."""
    try:
        with opened(options, locked=False) as context:
            now = clock.now_utc()
            since = now - timedelta(days=days)
            local = of_folder(context.receipts)
            sent = of_store(context.store, context.bucket, since, [one.run for one in local if one.ended_at])
            found = [one for one in newest_first([*local, *sent]) if one.started_at >= since]
            overdue = late(newest_first([*local, *sent]), KIND, every(context.settings), now)
    except Told as error:
        return ended(error)
    if options.as_json:
        sys.stdout.write(json.dumps([one.model_dump(mode="json") for one in found], indent=1) + "\n")
    else:
        _show(found)
        for machine, when in overdue.items():
            last = f"{when:%Y-%m-%d %H:%M} UTC" if when.year > 1 else "never"
            sys.stdout.write(f"LATE {printable(machine)}: the last complete run was {last}\n")
    last_of: dict[tuple[str, str], Receipt] = {}
    for one in found:
        last_of.setdefault((one.machine, one.kind), one)
    bad = overdue or any(one.failed for one in last_of.values())
    return ExitCode.WRONG if bad else ExitCode.DONE


_TEXTS: Final = ("", "started (UTC)", "machine", "run", "status")
_NUMBERS: Final = ("files", "read", "stored")


def _show(found: Sequence[Receipt]) -> None:
    rows = []
    for one in found:
        counts = [source.counts for source in one.sources]
        problems = [f"{source.name}: {source.problems[0]}" for source in one.sources if source.problems]
        what = one.error or "; ".join(problems) or (f"{len(one.pruned)} files removed" if one.pruned else "")
        status = "open" if one.ended_at is None else one.status
        rows.append(
            (
                "!" if one.failed else "",
                f"{one.started_at:%Y-%m-%d %H:%M}",
                one.machine,
                one.kind,
                status,
                str(sum(each.seen for each in counts)),
                megabytes(sum(each.content_bytes for each in counts)),
                megabytes(sum(each.stored_bytes for each in counts)),
                what,
            )
        )
    print_table((*_TEXTS, *_NUMBERS, "what"), rows, right=_NUMBERS)
    if not found:
        sys.stdout.write("no receipt\n")
