"""The suite's options: what they are, and the selection that they make.

The rule: a name that the plan does not hold is refused with the names that it does, before anything is sent.
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

# Without these no other finding can be believed.
ALWAYS = frozenset({"endpoint_reached", "certificate_valid"})


def add_options(parser: "pytest.Parser") -> None:
    """Declare them; `python -m verify --help` shows them with their meaning."""
    group = parser.getgroup("verify")
    group.addoption("--stack", help="the Pulumi stack to verify")
    group.addoption("--deployment", type=Path, help="a published deployment, where there is no Pulumi")
    group.addoption("--credentials", type=Path, help="with --deployment: key pairs, a file of mode 0600")
    group.addoption("--ca-bundle", type=Path, help="with --deployment: CA certificates in place of the deployment's")
    group.addoption("--via", choices=["client", "provisioning"], help="which of the deployment's endpoints to use")
    group.addoption("--from-facts", type=Path, help="judge facts that were saved, without a store")
    group.addoption("--save-facts", type=Path, help="keep the facts in a file")
    group.addoption("--json", type=Path, help="a report for programs")
    group.addoption("--html", type=Path, help="a report for a browser, one file")
    group.addoption("--jobs", type=int, default=JOBS, help="tasks at a time")
    group.addoption("--only", action="append", default=[], help="only these checks, by id")
    group.addoption("--bucket", action="append", default=[], help="only these buckets, by domain or name")
    group.addoption("--identity", action="append", default=[], help="only these identities in the grants matrix")
    group.addoption("--deep", action="store_true", help="large bodies in every bucket, and long listings")
    group.addoption("--full-matrix", action="store_true", help="every identity in every bucket, however many")
    group.addoption(
        "--leave-locked-probe", action="store_true", help="let workloads write in COMPLIANCE buckets; it stays"
    )


# What each of the three sources takes no part in.
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
    """Refuse an option that would do nothing beside another.

    Raises:
        CannotRunError: There is one.
    """
    for source, options in _IGNORED.items():
        ignored = [option for option in options if config.getoption(option)]
        if config.getoption(source) is not None and ignored:
            raise CannotRunError(f"{', '.join(ignored)}: has no meaning with {source}; leave it out")


def checks_from(names: Iterable[str]) -> frozenset[str] | None:
    """The checks to run; None for all.

    Raises:
        CannotRunError: There is no such check.
    """
    wanted = frozenset(names)
    known = [*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS]
    _refuse_unknown("--only", wanted, known)
    return wanted | ALWAYS if wanted else None


def selection_from(config: "pytest.Config", plan: StorePlan) -> Selection:
    """What is to be gathered.

    Raises:
        CannotRunError: The plan has no such bucket or identity, or `--jobs` is none.
    """
    if config.getoption("--jobs") < 1:
        raise CannotRunError("--jobs: at least 1")
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
        raise CannotRunError(f"{option}: no {', '.join(unknown)}; there is {', '.join(names)}")
