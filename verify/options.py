"""The suite's options, and the selection that they make.

The rule: a name that is not in the plan is refused before anything is sent, and the error lists the names that are.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from model.plan import StorePlan
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS, parts_of
from verify.gather import JOBS
from verify.selection import Part, Selection
from verify.target import CannotRunError

if TYPE_CHECKING:
    import pytest

# Without these two no other finding is reliable.
ALWAYS = frozenset({"endpoint_reached", "certificate_valid"})


def add_options(parser: "pytest.Parser") -> None:
    """Declare the options; `python -m verify --help` explains them."""
    group = parser.getgroup("verify")
    group.addoption("--stack", help="the Pulumi stack to verify")
    group.addoption("--deployment", type=Path, help="a published deployment to verify, for machines without Pulumi")
    group.addoption("--credentials", type=Path, help="with --deployment: key pairs, a file of mode 0600")
    group.addoption("--ca-bundle", type=Path, help="with --deployment: CA certificates instead of the deployment's")
    group.addoption("--via", choices=["client", "provisioning"], help="which of the deployment's endpoints to use")
    group.addoption("--from-facts", type=Path, help="check saved facts; does not contact a store")
    group.addoption("--save-facts", type=Path, help="write the facts to this file")
    group.addoption("--json", type=Path, help="write a JSON report for programs")
    group.addoption("--html", type=Path, help="write an HTML report in one file")
    group.addoption("--jobs", type=int, default=JOBS, help="number of concurrent tasks")
    group.addoption("--only", action="append", default=[], help="only these checks, by id")
    group.addoption("--bucket", action="append", default=[], help="only these buckets, by domain or name")
    group.addoption("--identity", action="append", default=[], help="only these identities in the grants matrix")
    group.addoption("--deep", action="store_true", help="large objects in every bucket, and long listings")
    group.addoption("--full-matrix", action="store_true", help="try every identity in every bucket")
    group.addoption(
        "--leave-locked-probe", action="store_true", help="workloads write probes in COMPLIANCE buckets; they stay"
    )


# The options that have no effect with a source.
_IGNORED = {
    "--stack": ("--credentials", "--ca-bundle"),
    "--from-facts": (
        "--credentials",
        "--ca-bundle",
        "--via",
        "--bucket",
        "--identity",
        "--deep",
        "--full-matrix",
        "--leave-locked-probe",
    ),
}


def refuse_ignored(config: "pytest.Config") -> None:
    """Refuse an option that has no effect with the given source.

    Raises:
        CannotRunError: Such an option is given.
    """
    for source, options in _IGNORED.items():
        ignored = [option for option in options if config.getoption(option)]
        if config.getoption(source) is not None and ignored:
            raise CannotRunError(f"{', '.join(ignored)}: no effect with {source}; remove it")


def checks_from(names: Iterable[str]) -> frozenset[str] | None:
    """The checks to run; None for all.

    Raises:
        CannotRunError: A check of that name does not exist.
    """
    wanted = frozenset(names)
    known = [*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS]
    _refuse_unknown("--only", wanted, known)
    return wanted | ALWAYS if wanted else None


def selection_from(config: "pytest.Config", plan: StorePlan) -> Selection:
    """The selection that the options make.

    Raises:
        CannotRunError: The plan has no such bucket or identity, or `--jobs` is less than 1.
    """
    if config.getoption("--jobs") < 1:
        raise CannotRunError("--jobs: must be at least 1")
    only = checks_from(config.getoption("--only"))
    domains = {bucket.domain: bucket.name for bucket in plan.buckets}
    buckets = frozenset(domains.get(name, name) for name in config.getoption("--bucket"))
    identities = frozenset(config.getoption("--identity"))
    _refuse_unknown("--bucket", buckets, domains.values())
    _refuse_unknown("--identity", identities, [identity.name for identity in plan.identities])
    return Selection(
        parts=frozenset(Part) if only is None else parts_of(only),
        buckets=buckets or None,
        identities=identities or None,
        deep=config.getoption("--deep"),
        full_matrix=config.getoption("--full-matrix"),
        leave_locked_probe=config.getoption("--leave-locked-probe"),
    )


def _refuse_unknown(option: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise CannotRunError(f"{option}: unknown name {', '.join(unknown)}; known names: {', '.join(names)}")
