"""The suite's pytest hooks: the target, the facts gathered once per session, the parameters, the reports.

The rule: a test's id names the bucket and the check, CANNOT TELL is a skip with its reason, and a failure is one
sentence without a stack trace.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

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
from verify.unfinished import reason_of, unfinished_facts

TARGET = pytest.StashKey[Target]()
RECORD = pytest.StashKey[Record]()
FACTS = pytest.StashKey[Facts]()
DEPLOYMENT = pytest.StashKey[Deployment]()
SELECTION = pytest.StashKey[Selection]()
ONLY = pytest.StashKey[frozenset[str] | None]()
FINDINGS = pytest.StashKey[list[Finding]]()
JUNIT = pytest.StashKey[Path]()
ENDED = pytest.StashKey[bool]()
_OK, _FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED


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
    except Exception as error:  # noqa: BLE001 - otherwise pytest prints a traceback
        raise pytest.UsageError(f"verify could not run: {reason_of(error)}") from None
    config.stash[FINDINGS] = []
    if config.option.xmlpath is not None:
        _redirect_junit(config)


def _redirect_junit(config: pytest.Config) -> None:
    """Let pytest write its report elsewhere, because it empties the old one first; `_write_junit` replaces that whole.

    On a machine without a temporary folder pytest writes the report itself.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="object-store-verify-")
    except OSError:
        return
    config.add_cleanup(folder.cleanup)
    config.stash[JUNIT] = Path(config.option.xmlpath)
    config.option.xmlpath = str(Path(folder.name) / "junit.xml")


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
    published = target.deployment
    if via is not None and published.endpoint == published.provisioning_endpoint:
        one = published.endpoint or "the endpoint of AWS"
        sys.stderr.write(f"--via {via} changes nothing: the stack has no clientEndpoint, so all use {one}\n")
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
    with _ended_by_an_error(pytestconfig):
        stash[FACTS] = stash[RECORD].facts if RECORD in stash else _gathered(pytestconfig)
    return stash[FACTS]


@contextmanager
def _ended_by_an_error(config: pytest.Config) -> Iterator[None]:
    """Fail the first test with the reason of an error; `pytest_runtest_protocol` then skips the other tests."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, pytest.exit.Exception):
        raise
    except BaseException as error:  # noqa: BLE001 - also the panic of a library in Rust
        reason, target, known = reason_of(error), config.stash.get(TARGET, None), config.stash.get(FACTS, None)
        endpoint = (target and target.endpoint) or config.stash[DEPLOYMENT].endpoint or "AWS"
        facts = replace(known, gave_up=reason) if known else unfinished_facts(endpoint, reason)
        config.stash[FACTS] = facts
        config.stash[ENDED] = True
        pytest.fail(f"verify could not finish: {facts.unfinished}", pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run no test after an error that all tests would repeat."""
    return True if ENDED in item.config.stash else None


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
    with _ended_by_an_error(pytestconfig):
        judged = judge(stash[DEPLOYMENT], facts, stash[SELECTION], stash[ONLY])
    for finding in judged:
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
    """A run that could not finish has its own status, regardless of the selected tests and of what failed."""
    facts = session.config.stash.get(FACTS, None)
    if facts is not None and facts.unfinished and session.exitstatus in (_OK, _FAILED):
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_terminal_summary(config: pytest.Config, exitstatus: int) -> None:
    """Print the report and write the files after all tests."""
    stash = config.stash
    facts = stash.get(FACTS, None)
    junit: list[Callable[[], None]] = [partial(_write_junit, config)] if JUNIT in stash else []
    if facts is None:
        for task in junit:
            task()
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            sys.stderr.write("verify could not run: no check is selected; `-k` takes a part of a test's id\n")
        return
    findings, deployment, selection = stash[FINDINGS], stash[DEPLOYMENT], stash[SELECTION]
    sys.stdout.write("\n")
    console = Console()
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    options = {option: config.getoption(option) for option in ("--json", "--html", "--save-facts")}
    reports: dict[str, Callable[[Path], None]] = {
        "--json": lambda path: write_text(path, json_report(deployment, selection, facts, findings)),
        "--html": lambda path: write_text(path, _html(deployment, facts, findings, selection)),
        "--save-facts": lambda path: save_record(path, deployment, selection, facts),
    }
    tasks: list[Callable[[], None]] = [lambda: print_report(console, deployment, facts, findings, selection)]
    tasks += [partial(reports[option], path) for option, path in options.items() if path is not None] + junit
    # One report that fails must not cost the others.
    problems = [problem for task in tasks if (problem := _problem_of(task))]
    if facts.unfinished:
        sys.stderr.write(f"verify could not finish: {redacted(facts.unfinished)}\n")
    if problems:
        raise pytest.UsageError("\n".join(problems))


def _write_junit(config: pytest.Config) -> None:
    written = Path(config.option.xmlpath)
    if written.exists():  # pytest writes none if it was interrupted before the session
        write_text(config.stash[JUNIT], written.read_text(encoding="utf-8"))


def _problem_of(task: Callable[[], None]) -> str | None:
    try:
        task()
    except Exception as error:  # noqa: BLE001 - otherwise pytest prints a traceback
        return reason_of(error)
    return None


def _html(deployment: Deployment, facts: Facts, findings: Sequence[Finding], selection: Selection) -> str:
    # Imported here because it loads a template engine that no other report needs.
    from verify.report.html import render_html  # noqa: PLC0415

    return render_html(deployment, facts, findings, selection)
