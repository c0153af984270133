"""pytest's side of the suite: the target, the facts gathered once per session, the parameters, the report.

The rule: a test's id names the bucket and the check, CANNOT TELL is a skip with its reason, and a failure is told in
one sentence without a stack trace.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from verify.checks import CHECKS, Finding
from verify.facts import Facts
from verify.gather import JOBS, gather_facts
from verify.report import TABLE_WIDTH, print_report
from verify.target import CannotRunError, Target, target_from_file, target_from_stack

TARGET = pytest.StashKey[Target]()
FINDINGS = pytest.StashKey[list[Finding]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the suite's options; `python -m verify --help` shows them with their meaning."""
    group = parser.getgroup("verify")
    group.addoption("--stack", help="the Pulumi stack to verify")
    group.addoption("--deployment", type=Path, help="a published deployment, where there is no Pulumi")
    group.addoption("--credentials", type=Path, help="with --deployment: key pairs, a file of mode 0600")
    group.addoption("--via", choices=["client", "provisioning"], help="which of the deployment's endpoints to use")
    group.addoption("--jobs", type=int, default=JOBS, help="buckets at a time")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the target before anything is collected."""
    stack, deployment = config.getoption("--stack"), config.getoption("--deployment")
    if (stack is None) == (deployment is None):
        raise pytest.UsageError("give either --stack NAME or --deployment FILE")
    try:
        if stack is not None:
            target = target_from_stack(stack, config.getoption("--via"))
        else:
            target = target_from_file(deployment, config.getoption("--credentials"), via=config.getoption("--via"))
    except CannotRunError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[TARGET] = target
    config.stash[FINDINGS] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per bucket and check."""
    if "check" in metafunc.fixturenames:
        buckets = metafunc.config.stash[TARGET].deployment.plan.buckets
        metafunc.parametrize(
            ("bucket", "check"),
            [pytest.param(b.name, check, id=f"{b.name}-{check}") for b in buckets for check in CHECKS],
        )


@pytest.fixture(scope="session", name="target")
def _target(pytestconfig: pytest.Config) -> Target:
    return pytestconfig.stash[TARGET]


@pytest.fixture(scope="session", name="findings")
def _findings(pytestconfig: pytest.Config) -> list[Finding]:
    return pytestconfig.stash[FINDINGS]


@pytest.fixture(scope="session", name="facts")
def _facts(pytestconfig: pytest.Config, target: Target) -> Iterator[Facts]:
    console = Console(stderr=True)
    buckets = target.deployment.plan.buckets
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # `--quiet` is counted negatively by pytest; the suite's own -q makes -1.
    quiet = not console.is_terminal or pytestconfig.getoption("verbose") < -1
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("reading and trying", total=len(buckets))
        yield gather_facts(target, lambda _bucket: progress.advance(task), pytestconfig.getoption("--jobs"))


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """No letters: the table says it all."""
    if report.when == "call" or report.skipped or report.failed:
        return report.outcome, "", ""
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the report once all is judged."""
    findings = config.stash[FINDINGS]
    if findings:
        terminalreporter.ensure_newline()
        console = Console()
        if not console.is_terminal:
            console.width = TABLE_WIDTH
        print_report(console, config.stash[TARGET].deployment, findings)
