"""`object-store preview --stack NAME`: shows what a change would do to the data, in the project's words.

The rule: a danger that the stack's config does not acknowledge ends with exit status 1. An error, or an update that the
engine refuses, ends with 2. The command changes nothing.
"""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.remedies import Remedy, for_stack
from model.terminal_text import printable
from model.whole_file import write_whole
from ops.preview import offline
from ops.preview.change import Aspect, Change, Risk
from ops.preview.data_at_risk import AtRisk, DataNotReadError, Question, at_risk
from ops.preview.engine import engine_preview
from ops.preview.explain import explain
from ops.preview.render import COMMENT_CHARACTERS, as_json, as_markdown, as_text
from ops.preview.report import Report
from ops.preview.shape import StoreShape
from ops.preview.steps import Previewed, acknowledged_in, clients_told, read_preview
from ops.read_identity import open_client, reader_for
from ops.usage import UsageError
from stack.outputs import NothingPublishedError, read_published
from stack.runner import EngineError

MAX_KEYS = 1_000_000
LEAST_CHARACTERS = 2000
_FOLDER = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class PreviewOptions:
    """The options of a preview.

    Attributes:
        stack: The stack's name.
        form: The output format.
        out: The output file; None for standard output.
        limit: Markdown stays below this many characters.
        refresh: The engine reads the live store first, so that drift is visible.
        data_at_risk: Count the objects that would be eligible to expire.
        max_keys: Read at most this many versions of a bucket.
        offline: Compare plans: no engine, no secret, no network.
        base_revision: Offline: the git revision to compare with; None for HEAD.
        base_deployment: Offline: a published deployment instead.
        quiet: Show no progress.
    """

    stack: str
    form: Literal["text", "markdown", "json"] = "text"
    out: Path | None = None
    limit: int = COMMENT_CHARACTERS
    refresh: bool = False
    data_at_risk: bool = False
    max_keys: int = MAX_KEYS
    offline: bool = False
    base_revision: str | None = None
    base_deployment: Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse options that exclude each other."""
        if self.base_revision and self.base_deployment:
            raise UsageError("give either --base-revision or --base-deployment, not both")
        if not self.offline and (self.base_revision or self.base_deployment):
            raise UsageError("--base-revision and --base-deployment need --offline")
        if self.offline and (self.data_at_risk or self.refresh):
            raise UsageError("--offline does not read the store: omit --data-at-risk and --refresh")
        if self.base_revision and self.base_revision.startswith("-"):
            raise UsageError("--base-revision must be a git revision, such as origin/main")
        if self.limit < LEAST_CHARACTERS or self.max_keys < 1:
            raise UsageError(f"--limit must be at least {LEAST_CHARACTERS}, --max-keys at least 1")


def run(options: PreviewOptions) -> ExitCode:
    """Preview a stack and print the report."""
    progress = Console(stderr=True, quiet=options.quiet or not sys.stderr.isatty())
    try:
        report = _offline(options) if options.offline else _online(options, progress)
        _say(report, options)
    except (EngineError, InvalidInputError, DataNotReadError, OSError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    return report.exit_code


def _online(options: PreviewOptions, progress: Console) -> Report:
    with _doing(progress, f"previewing {options.stack}"):
        preview, status = engine_preview(options.stack, refresh=options.refresh)
    found = read_preview(preview)
    changes = explain(
        found.before,
        found.after,
        renamed=found.renamed,
        replaced=found.replaced,
        touched=found.touched,
        further=clients_told(preview),
    )
    read, unread = _read(options, changes, found, progress) if options.data_at_risk else ((), ())
    return Report(
        stack=options.stack,
        source="the engine's preview"
        + (", after reading the live store" if options.refresh else " on the stack's state"),
        changes=tuple(changes),
        acknowledged=acknowledged_in(preview),
        unchanged=found.unchanged,
        protected=found.protected,
        errors=_with_remedy(options, found.errors or _unexplained(options.stack, status, found)),
        at_risk=read,
        unread=unread,
    )


def _with_remedy(options: PreviewOptions, errors: tuple[str, ...]) -> tuple[str, ...]:
    """The errors; a refresh also fails for what is gone, and its own message does not say what helps."""
    if not errors or not options.refresh:
        return errors
    hint = f"if something of the state is gone on the server, no refresh can read it: {Remedy.LOST}"
    return (*errors, for_stack(hint, options.stack))


def _unexplained(stack: str, status: int, found: Previewed) -> tuple[str, ...]:
    """An error for a failed preview whose JSON holds no error."""
    if not status or found.protected:
        return ()
    return (
        f"the engine's preview failed (exit {status}) without a reason in its JSON: pulumi preview --stack {stack}",
    )


def _offline(options: PreviewOptions) -> Report:
    unseen: tuple[str, ...] = offline.UNSEEN
    if options.base_deployment:
        before = offline.of_deployment(options.base_deployment)
        after = offline.of_checkout(options.stack, _FOLDER, before.plan.names)
        source = f"plans only: this checkout compared with the deployment in {options.base_deployment.name}"
        unseen = (*unseen, "protection and other settings that a deployment does not publish")
    else:
        after = offline.of_checkout(options.stack, _FOLDER)
        revision = options.base_revision or "HEAD"
        before = offline.of_revision(options.stack, _FOLDER, revision)
        source = f"plans only: this checkout compared with {revision}"
        code = offline.changed_code(_FOLDER, revision)
        unseen = (*unseen, f"what these changed files do to resources: {', '.join(code)}") if code else unseen
    return Report(
        stack=options.stack,
        source=source,
        changes=tuple(offline.compared(before, after)),
        acknowledged=tuple(after.config.acknowledge) if after.config else (),
        unseen=unseen,
    )


def _read(
    options: PreviewOptions, changes: Sequence[Change], found: Previewed, progress: Console
) -> tuple[tuple[AtRisk, ...], tuple[str, ...]]:
    """Read every bucket whose objects would expire earlier, each with an identity that may read it."""
    questions = questions_of(changes, found.before, found.after)
    if not questions:
        return (), ()
    try:
        published = read_published(options.stack)
    except NothingPublishedError:
        return (), ("the stack was never deployed, so it has published no key pair to read with",)
    deployment, pairs = published.deployment, published.credentials
    read, unread = [], []
    for question in questions:
        reader = reader_for(deployment, question.bucket)
        if reader is None or reader.name not in pairs:
            unread.append(f"{question.domain}: no identity of the stack may read {question.bucket}")
            continue
        with (
            _doing(progress, f"reading {question.bucket}") as say,
            open_client(deployment, pairs[reader.name]) as client,
        ):
            try:
                read.append(at_risk(client, question, now=datetime.now(UTC), max_keys=options.max_keys, progress=say))
            except DataNotReadError as error:
                unread.append(f"{question.domain}: {error}")
    return tuple(read), tuple(unread)


def questions_of(changes: Sequence[Change], before: StoreShape, after: StoreShape) -> list[Question]:
    """The buckets to read: those with a dangerous lifecycle change, and those that would be removed."""
    subjects = {
        change.subject: change.aspect is Aspect.WHOLE
        for change in changes
        if change.risk is Risk.DANGER and change.aspect in (Aspect.LIFECYCLE, Aspect.WHOLE)
    }
    by_name = {bucket.name: bucket for bucket in after.buckets.values()}
    questions = []
    for domain, bucket in before.buckets.items():
        wanted = after.buckets.get(domain) or by_name.get(bucket.name)
        subject = domain if domain in subjects else (wanted.domain if wanted else domain)
        if subject in subjects:
            rules = wanted.rules if wanted else ()
            questions.append(Question(subject, bucket.name, rules, bucket.rules, removed=subjects[subject]))
    return questions


@contextmanager
def _doing(progress: Console, what: str) -> Iterator[Callable[[int], None]]:
    """Show progress on a terminal."""
    with progress.status(f"{what} …") as status:
        yield lambda count: status.update(f"{what}: {count:,} versions …")


def _say(report: Report, options: PreviewOptions) -> None:
    if options.form == "text" and options.out is None:
        as_text(report, Console(soft_wrap=True, highlight=False))
        return
    if options.form == "json":
        text = as_json(report)
    elif options.form == "markdown":
        text = as_markdown(report, options.limit)
    else:
        written = io.StringIO()
        as_text(report, Console(file=written, soft_wrap=True, highlight=False, color_system=None))
        text = written.getvalue()
    if options.out is None:
        sys.stdout.write(text)
    else:
        write_whole(options.out, text)
