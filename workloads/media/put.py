"""`object-store media put`: stores a file of a chat, a download of yt-dlp, or what was made of a stored file.

Exit status: 0 all is stored and was read back; 1 it is, but a local file that was to go is still there; 2 it is not:
the step that called must fail.

The rule: all is stored and read back, then the event is printed, and only then a local file goes.
"""

import json
import os
import sys
from collections.abc import Callable

from model.exit_codes import ExitCode
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from workloads.archive.commit import Counts
from workloads.archive.entry import shown
from workloads.archive.steady import UnfitError
from workloads.context import MEDIA, Context, Told, ended, opened
from workloads.media.download import DownloadError
from workloads.media.kinds import Put, put
from workloads.media.options import PutOptions
from workloads.media.stored import remove_same
from workloads.receipt import Receipt, SourceReceipt, Status, said
from workloads.running import begun_receipt, end, ended_receipt


def run(options: PutOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Store it, write the receipt, print what leads to it, and remove what is to go."""
    left: list[str] = []
    try:
        options.check()
        with opened(options, MEDIA, locked=False) as context:
            receipt, found = _receipted(context, options, stage or (lambda _: None))
            if found is not None:
                _show(options, receipt, found)
                left = _removed(options, found) if options.remove else []
    except Told as error:
        return ended(error)
    if receipt.error:
        return ended(RuntimeError(receipt.error))
    for reason in left:
        sys.stderr.write(redacted(printable(reason)) + "\n")
    return ExitCode.WRONG if left else ExitCode.DONE


def _receipted(context: Context, options: PutOptions, stage: Callable[[str], None]) -> tuple[Receipt, Put | None]:
    receipt = begun_receipt(context, MEDIA.kind)
    found: Put | None = None
    error = ""
    source = SourceReceipt(name="media", root=shown(os.fsencode(options.path)))
    try:
        found = put(context, options, stage)
        size = sum(one.ref.size for one in found.files)
        count = len(found.files)
        counts = Counts(seen=count, seen_bytes=size, whole=count, content_bytes=size, stored_bytes=size)
        source = source.model_copy(update={"counts": counts})
        stage("stored")
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", (source,), {}, ()), sent=False)
        raise
    except UnfitError as fault:
        error = f"{shown(os.fsencode(options.path))}: {fault}"
    except DownloadError as fault:
        error = str(fault)
    except Told as fault:
        error = said(fault)
    status: Status = "failed" if error else "complete"
    notes = found.notes if found is not None else ()
    return end(context, ended_receipt(receipt, status, error, (source,), {}, notes), sent=True), found


def _removed(options: PutOptions, found: Put) -> list[str]:
    """Remove the local files; why one stays."""
    left = [reason for one in found.files if (reason := remove_same(one))]
    if options.path.is_dir() and not left:
        try:
            options.path.rmdir()
        except OSError as fault:
            left.append(f"{options.path.name} stays: {fault.strerror}")
    return left


def _show(options: PutOptions, receipt: Receipt, found: Put) -> None:
    if options.as_json:
        sys.stdout.write(redacted(json.dumps(found.printed, indent=1)) + "\n")
    elif not options.quiet:
        lines = [f"{one.ref.uri}, {one.ref.size} bytes" for one in found.files]
        lines += [*found.notes, f"{receipt.status}: receipt {receipt.file_name}"]
        sys.stdout.write("".join(f"{redacted(printable(line))}\n" for line in lines))
    sys.stdout.flush()
