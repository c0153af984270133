"""The suite's pytest hooks: the target, the facts gathered once per session, the parameters, the reports.

The rule: a test's id names the bucket and the check, CANNOT TELL is a skip with its reason, and a failure is one
sentence without a stack trace.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from model.deployment import Deployment
from model.secrecy.redaction import redacted
from verify import gather
from verify.checks import BUCKET_CHECKS, STORE_CHECKS, Check, Finding, judge
from verify.facts import Facts
from verify.options import add_options, checks_from, refuse_ignored, selection_from
from verify.record import Record, json_report, load_record, save_record, write_text
from verify.report.terminal import TABLE_WIDTH, print_report
from verify.selection import Part, Selection
from verify.target import CannotRunError, Target, target_from_file, target_from_stack

if TYPE_CHECKING:
    from pathlib import Path

TARGET = pytest.StashKey[Target]()
RECORD = pytest.StashKey[Record]()
FACTS = pytest.StashKey[Facts]()
DEPLOYMENT = pytest.StashKey[Deployment]()
SELECTION = pytest.StashKey[Selection]()
ONLY = pytest.StashKey[frozenset[str] | None]()
FINDINGS = pytest.StashKey[list[Finding]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the suite's options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the target before anything is collected."""
    try:
        _load(config)
    except CannotRunError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[FINDINGS] = []


def _load(config: pytest.Config) -> None:
    stack, deployment, saved = (config.getoption(o) for o in ("--stack", "--deployment", "--from-facts"))
    if [stack, deployment, saved].count(None) != 2:  # noqa: PLR2004 - one of the three is given
        raise CannotRunError("give one of --stack NAME, --deployment FILE, --from-facts FILE")
    refuse_ignored(config)
    config.stash[ONLY] = checks_from(config.getoption("--only"))
    if saved is not None:
        record = load_record(saved)
        config.stash[RECORD], config.stash[DEPLOYMENT], config.stash[SELECTION] = (
            record,
            record.deployment,
            record.selection,
        )
        return
    via = config.getoption("--via")
    if stack is not None:
        target = target_from_stack(stack, via)
    else:
        credentials, ca_bundle = config.getoption("--credentials"), config.getoption("--ca-bundle")
        target = target_from_file(deployment, credentials, via=via, ca_bundle=ca_bundle)
    config.stash[TARGET], config.stash[DEPLOYMENT] = target, target.deployment
    config.stash[SELECTION] = selection_from(config, target.deployment.plan)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check of the store, each check of a bucket, and each cell of the matrix."""
    stash = metafunc.config.stash
    plan, selection, only = stash[DEPLOYMENT].plan, stash[SELECTION], stash[ONLY]
    buckets = selection.chosen(plan)
    parameters: dict[str, list[tuple[str, ...]]] = {
        "store_findings": [(check,) for check in _asked(STORE_CHECKS, selection, only)],
        "bucket_findings": [(b.name, check) for b in buckets for check in _asked(BUCKET_CHECKS, selection, only)],
        "cell_findings": [(i.name, b.name) for i, b in selection.cells(plan)] if Part.GRANTS in selection.parts else [],
    }
    for name, values in parameters.items():
        if name in metafunc.fixturenames:
            prefix = {"store_findings": "store-"}.get(name, "")
            suffix = {"cell_findings": "-grants"}.get(name, "")
            ids = [f"{prefix}{'-'.join(value)}{suffix}" for value in values]
            metafunc.parametrize(name, values, ids=ids, indirect=True)


def _asked(checks: Mapping[str, tuple[Check, object]], selection: Selection, only: frozenset[str] | None) -> list[str]:
    return [
        name
        for name, (check, _) in checks.items()
        if (only is None or name in only) and (check.part is None or check.part in selection.parts)
    ]


@pytest.fixture(scope="session", name="facts")
def _facts(pytestconfig: pytest.Config) -> Facts:
    stash = pytestconfig.stash
    facts = stash[RECORD].facts if RECORD in stash else _gathered(pytestconfig)
    stash[FACTS] = facts
    return facts


def _gathered(config: pytest.Config) -> Facts:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # pytest counts `--quiet` as negative verbosity; the suite's own -q makes -1.
    quiet = not console.is_terminal or config.getoption("verbose") < -1
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("reading and testing the store", total=None)
        told = gather.TaskCount(lambda total: progress.update(task, total=total), lambda: progress.advance(task))
        return gather.gather_facts(config.stash[TARGET], told, config.getoption("--jobs"), config.stash[SELECTION])


@pytest.fixture(scope="session", name="judged")
def _judged(pytestconfig: pytest.Config, facts: Facts) -> dict[tuple[str, ...], list[Finding]]:
    stash = pytestconfig.stash
    by_place: dict[tuple[str, ...], list[Finding]] = {}
    for finding in judge(stash[DEPLOYMENT], facts, stash[SELECTION], stash[ONLY]):
        if finding.identity is not None and finding.bucket is not None:
            place: tuple[str, ...] = (finding.identity, finding.bucket)
        elif finding.bucket is not None:
            place = (finding.bucket, finding.check)
        else:
            place = (finding.check,)
        by_place.setdefault(place, []).append(finding)
    return by_place


def _findings(request: pytest.FixtureRequest, judged: dict[tuple[str, ...], list[Finding]]) -> Sequence[Finding]:
    found = judged.get(request.param, [])
    request.config.stash[FINDINGS].extend(found)
    return found


store_findings = pytest.fixture(_findings, name="store_findings")
bucket_findings = pytest.fixture(_findings, name="bucket_findings")
cell_findings = pytest.fixture(_findings, name="cell_findings")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Print no letters: the table shows the results."""
    if report.when == "call" or report.skipped or report.failed:
        return report.outcome, "", ""
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Redact a test's message, because pytest also writes it to the JUnit file."""
    told = report.longrepr
    if isinstance(told, tuple):
        path, line, reason = told
        report.longrepr = (path, line, redacted(reason))
    elif told is not None:
        report.longrepr = redacted(str(told))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that could not send its requests fails, regardless of the selected tests."""
    facts = session.config.stash.get(FACTS, None)
    if facts is not None and session.exitstatus == pytest.ExitCode.OK and (facts.gave_up or not facts.door.open):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print the report and write the files after all tests."""
    stash = config.stash
    facts = stash.get(FACTS, None)
    if facts is None:
        return
    findings, deployment, selection = stash[FINDINGS], stash[DEPLOYMENT], stash[SELECTION]
    sys.stdout.write("\n")
    console = Console()
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    print_report(console, deployment, facts, findings, selection)
    files: dict[str, Callable[[], str]] = {
        "--json": lambda: json_report(deployment, selection, facts, findings),
        "--html": lambda: _html(deployment, facts, findings, selection),
    }
    try:
        for option, made in files.items():
            path: Path | None = config.getoption(option)
            if path is not None:
                write_text(path, made())
        if config.getoption("--save-facts") is not None:
            save_record(config.getoption("--save-facts"), deployment, selection, facts)
    except CannotRunError as error:
        raise pytest.UsageError(str(error)) from None


def _html(deployment: Deployment, facts: Facts, findings: Sequence[Finding], selection: Selection) -> str:
    # Imported here because it loads a template engine that no other report needs.
    from verify.report.html import render_html  # noqa: PLC0415

    return render_html(deployment, facts, findings, selection)
