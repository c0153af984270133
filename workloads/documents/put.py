"""`object-store documents put`: stores one document, what was made of it, and prints the event that leads to both.

Exit status: 0 all is stored and was read back; 2 it is not: the step that called must fail.

The rule: the original first, then what was made of it, and its commit last. What is printed depends on the document
alone, and on no run, so a second call prints the same.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from object_store import ObjectRef
from workloads.archive.commit import Counts
from workloads.archive.entry import shown
from workloads.archive.steady import UnfitError
from workloads.context import DOCUMENTS, Context, Options, Told, ended, opened
from workloads.documents.derived import found_in, store_derived
from workloads.documents.leftovers import reason_of
from workloads.documents.original import Original, store_original
from workloads.events.event import Event
from workloads.receipt import Receipt, SourceReceipt, said
from workloads.running import begun_receipt, end, ended_receipt

EVENT = "docs/ingest.requested"


@dataclass(frozen=True)
class PutOptions(Options):
    """The options of `put`.

    Attributes:
        file: The document.
        name: Its original name, if the file has another one; empty for the file's.
        nas_path: Where the NAS has it, for consumers that do not know references; empty if it does not.
        derived: The folder with what was made of it.
    """

    file: Path = Path()
    name: str = ""
    nas_path: str = ""
    derived: Path | None = None

    def original_name(self) -> bytes:
        """The last segment of the key. Raise InvalidInputError."""
        name = os.fsencode(self.name or self.file.name)
        wrong = "has a slash" if b"/" in name else reason_of(name) and f"is of what is left out: {reason_of(name)}"
        if wrong or name in (b"", b".", b".."):
            legal = "the document's own name, of which its identity is made"
            raise InvalidInputError(
                [Problem("--name", f"{shown(name)!r} {wrong or 'is not a name'}", legal, "--name 'A Book.pdf'")]
            )
        return name

    def check_nas_path(self) -> None:
        """Raise InvalidInputError if the event cannot carry it: nothing is stored for an event that is not printed."""
        try:
            Event.needs(EVENT, {"nasPath": self.nas_path_text()})
        except UnicodeDecodeError:
            given = shown(os.fsencode(self.nas_path))
            wrong = Problem(
                "--nas-path",
                f"{given!r} is not UTF-8",
                "a path that an event can carry",
                "--nas-path '/books/A Book.pdf'",
            )
            raise InvalidInputError([wrong]) from None

    def nas_path_text(self) -> str:
        """The same in each locale. Raise UnicodeDecodeError."""
        return os.fsencode(self.nas_path).decode()


def run(options: PutOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Store it, write the receipt, and print what leads to it."""
    try:
        name = options.original_name()
        options.check_nas_path()
        with opened(options, DOCUMENTS, locked=False) as context:
            receipt, found = _receipted(context, options, name, stage or (lambda _: None))
            if found is not None:
                _show(options, receipt, *found)
    except Told as error:
        return ended(error)
    return ended(RuntimeError(receipt.error)) if receipt.error else ExitCode.DONE


def _receipted(
    context: Context, options: PutOptions, name: bytes, stage: Callable[[str], None]
) -> tuple[Receipt, tuple[Original, dict[str, ObjectRef]] | None]:
    receipt = begun_receipt(context, DOCUMENTS.kind)
    source = SourceReceipt(name="documents", root=shown(os.fsencode(options.file)))
    found: tuple[Original, dict[str, ObjectRef]] | None = None
    error = ""
    try:
        original = store_original(context.store, context.bucket, os.fsencode(options.file), name, follow=True)
        stage("original")
        refs: dict[str, ObjectRef] = {}
        if options.derived is not None:
            files = found_in(options.derived, original.after)
            refs = store_derived(context.store, context.buckets("docs-derived"), original, files)
        found = original, refs
        size = sum(ref.size for ref in (original.ref, *refs.values()))
        counts = Counts(seen=1, seen_bytes=original.ref.size, whole=1, content_bytes=size, stored_bytes=size)
        source = source.model_copy(update={"counts": counts})
        stage("stored")
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", (source,), {}, ()), sent=False)
        raise
    except UnfitError as fault:
        error = f"{shown(os.fsencode(options.file))}: {fault}"
    except Told as fault:
        error = said(fault)
    finished = ended_receipt(receipt, "failed" if error else "complete", error, (source,), {}, ())
    return end(context, finished, sent=True), found


def told(options: PutOptions, original: Original, refs: dict[str, ObjectRef]) -> dict[str, Any]:
    """What the step that called goes on with."""
    data: dict[str, Any] = {"objectRef": original.ref.model_dump(mode="json")}
    if options.nas_path:
        data["nasPath"] = options.nas_path_text()
    return {
        "docId": original.after,
        "sha256": original.sha256,
        "objectRef": data["objectRef"],
        **({"derived": {name: ref.model_dump(mode="json") for name, ref in refs.items()}} if refs else {}),
        "event": Event.of(EVENT, data).to_dict(),
    }


def _show(options: PutOptions, receipt: Receipt, original: Original, refs: dict[str, ObjectRef]) -> None:
    if options.as_json:
        sys.stdout.write(redacted(json.dumps(told(options, original, refs), indent=1)) + "\n")
        return
    if options.quiet:
        return
    lines = [f"docId {original.after}", f"original: {original.ref.uri}, {original.ref.size} bytes"]
    lines += [f"{name}: {ref.uri}, {ref.size} bytes" for name, ref in refs.items()]
    lines.append(f"{receipt.status}: receipt {receipt.file_name}")
    sys.stdout.write("".join(f"{redacted(printable(line))}\n" for line in lines))
