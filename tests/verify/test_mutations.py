"""Mutation proof: each damage of a running store makes exactly the right checks fail, and every check has a damage."""

from collections.abc import Iterator
from itertools import cycle

import pytest
from _pytest.mark import ParameterSet

from tests.sizes import ELSEWHERE
from trials.audit_damages import AUDIT_DAMAGES
from trials.mutations import BOTH, MUTATIONS, Mutation
from trials.stores import Store  # noqa: TC001 - fixtures are annotated with it
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS, Status, judge, objects
from verify.gather import gather_facts
from verify.probe import data_path, new_keys
from verify.selection import Part, Selection


def cases() -> Iterator[ParameterSet]:
    """Every damage on every cloud that can have it; for a change, one that both can have on one of them in turn."""
    turns = cycle(BOTH)
    for mutation in MUTATIONS:
        tried = mutation.clouds if len(mutation.clouds) == 1 else (next(turns),)
        for cloud in mutation.clouds:
            marks = [] if cloud in tried else [ELSEWHERE]
            yield pytest.param(mutation, cloud, id=f"{cloud}-{mutation.name}", marks=marks)


@pytest.mark.parametrize(("mutation", "cloud"), list(cases()))
def test_damage_is_found_out(
    mutation: Mutation, cloud: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly the checks that the damage affects fail."""
    monkeypatch.setattr(new_keys, "PAUSES", {})
    monkeypatch.setattr(data_path, "PAGE_KEYS", 20)
    for module in (data_path, objects):
        monkeypatch.setattr(module, "LISTED_KEYS", 21)
    store: Store = request.getfixturevalue("store" if cloud == "aistor" else "aws_store")
    names = frozenset(store.plan.bucket(domain).name for domain in mutation.domains)
    # Large objects are slow, and links are many: both are tried only if the damage affects them.
    concerned = {check.part for name, (check, _) in BUCKET_CHECKS.items() if name in mutation.fails}
    parts = frozenset(Part) - ({Part.LINKS, Part.OBJECTS} - concerned)
    selection = Selection(parts=parts, buckets=names, deep=mutation.deep)

    with mutation.damage(store) as target:
        findings = judge(target.deployment, gather_facts(target, selection=selection), selection)

    # The next test would find what this run could not remove.
    store.remove_probes()
    failed = {finding.check: str(finding) for finding in findings if finding.status is Status.FAIL}
    wrong = {*failed} ^ mutation.fails
    assert not wrong, "\n".join(failed.get(check, f"{check} did not fail") for check in sorted(wrong))


def test_every_check_is_proven_by_a_damage() -> None:
    """Every check fails for at least one damage."""
    proven = {check for mutation in MUTATIONS for check in mutation.fails} | {one.fails for one in AUDIT_DAMAGES}
    proven.add("trusts_audited")  # tests/verify/test_audit.py: no store of the trials has roles

    assert proven == {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS}
