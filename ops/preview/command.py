"""`python -m ops.preview --stack NAME`: what a change would do to the data, in the project's words.

The rule: exit 0 nothing, or only what is safe or to notice; 3 a danger that the stack's config does not acknowledge;
1 an error, the engine's refusals included. It changes nothing, anywhere.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from model.problems import InvalidInputError
from ops.preview import offline
from ops.preview.data_at_risk import AtRisk, DataNotReadError, Question, at_risk
from ops.preview.engine import engine_preview
from ops.preview.explain import Aspect, Change, Risk, explain
from ops.preview.render import COMMENT_CHARACTERS, as_json, as_markdown, as_text
from ops.preview.report import EXIT_ERROR, Report
from ops.preview.shape import StoreShape
from ops.preview.steps import Previewed, acknowledged_in, clients_told, read_preview
from ops.read_identity import open_client, reader_for
from stack.outputs import NothingPublishedError, read_published
from stack.runner import EngineError

MAX_KEYS = 1_000_000
LEAST_CHARACTERS = 2000
_FOLDER = Path(__file__).resolve().parents[2]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors exit 1, as every error of the command does."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how it is used."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_ERROR, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str]) -> int:
    """Preview a stack and say it; the exit code is the report's."""
    options = _options(arguments)
    progress = Console(stderr=True, quiet=options.quiet or not sys.stderr.isatty())
    try:
        report = _offline(options) if options.offline else _online(options, progress)
        _say(report, options)
    except (EngineError, InvalidInputError, DataNotReadError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_ERROR
    return report.exit_code


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m ops.preview", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--stack", required=True, help="the stack's name: local, aws")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of standard output")
    parser.add_argument(
        "--limit", type=int, default=COMMENT_CHARACTERS, help="markdown stays under this many characters"
    )
    parser.add_argument("--refresh", action="store_true", help="read the live store first, so that drift is seen")
    parser.add_argument("--data-at-risk", action="store_true", help="count what would be eligible to expire")
    parser.add_argument("--max-keys", type=int, default=MAX_KEYS, help="read at most this many versions of a bucket")
    parser.add_argument("--offline", action="store_true", help="compare plans: no engine, no secret, no network")
    base = parser.add_mutually_exclusive_group()
    base.add_argument("--base-revision", metavar="REV", help="offline: the git revision to compare with (HEAD)")
    base.add_argument("--base-deployment", type=Path, metavar="FILE", help="offline: the published deployment instead")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    options = parser.parse_args(arguments)
    if not options.offline and (options.base_revision or options.base_deployment):
        parser.error("--base-revision and --base-deployment go with --offline")
    if options.offline and (options.data_at_risk or options.refresh):
        parser.error("--offline reads no store: leave out --data-at-risk and --refresh")
    if options.base_revision and options.base_revision.startswith("-"):
        parser.error("--base-revision takes a git revision, such as origin/main")
    if options.limit < LEAST_CHARACTERS or options.max_keys < 1:
        parser.error(f"--limit is at least {LEAST_CHARACTERS}, --max-keys at least 1")
    return options


def _online(options: argparse.Namespace, progress: Console) -> Report:
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
        errors=found.errors or _unexplained(options.stack, status, found),
        at_risk=read,
        unread=unread,
    )


def _unexplained(stack: str, status: int, found: Previewed) -> tuple[str, ...]:
    """A failure that the engine's JSON does not explain is one all the same."""
    if not status or found.protected:
        return ()
    return (
        f"the engine's preview failed (exit {status}) and its JSON does not say why: pulumi preview --stack {stack}",
    )


def _offline(options: argparse.Namespace) -> Report:
    after = offline.of_checkout(options.stack, _FOLDER)
    unseen: tuple[str, ...] = offline.UNSEEN
    if options.base_deployment:
        before = offline.of_deployment(options.base_deployment)
        source = f"plans only: this checkout beside the deployment in {options.base_deployment.name}"
        unseen = (*unseen, "protection and other settings that a deployment does not publish")
    else:
        revision = options.base_revision or "HEAD"
        before = offline.of_revision(options.stack, _FOLDER, revision)
        source = f"plans only: this checkout beside {revision}"
        code = offline.changed_code(_FOLDER, revision)
        unseen = (*unseen, f"what these files, which differ, do to resources: {', '.join(code)}") if code else unseen
    return Report(
        stack=options.stack,
        source=source,
        changes=tuple(offline.compared(before, after)),
        acknowledged=tuple(after.config.acknowledge) if after.config else (),
        unseen=unseen,
    )


def _read(
    options: argparse.Namespace, changes: Sequence[Change], found: Previewed, progress: Console
) -> tuple[tuple[AtRisk, ...], tuple[str, ...]]:
    """Read every bucket whose objects a change lets go earlier, each with an identity that may read it."""
    questions = questions_of(changes, found.before, found.after)
    if not questions:
        return (), ()
    try:
        published = read_published(options.stack)
    except NothingPublishedError:
        return (), ("the stack was never deployed, so it handed out no key to read with",)
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
    """The buckets to read: those with a dangerous change of lifecycle, and those that would go."""
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
    """Show that something is under way, where somebody looks on."""
    with progress.status(f"{what} …") as status:
        yield lambda count: status.update(f"{what}: {count:,} versions …")


def _say(report: Report, options: argparse.Namespace) -> None:
    if options.format == "text" and options.out is None:
        as_text(report, Console(soft_wrap=True, highlight=False))
        return
    if options.format == "json":
        text = as_json(report)
    elif options.format == "markdown":
        text = as_markdown(report, options.limit)
    else:
        written = io.StringIO()
        as_text(report, Console(file=written, soft_wrap=True, highlight=False, color_system=None))
        text = written.getvalue()
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
