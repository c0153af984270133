"""The distribution of tests: a worker of pytest-xdist runs one group of tests at a time, the long groups first.

The rule: a worker creates the shared parts of a group (a server, a deployed stack) only once. A group is a file, or the
tests of a file for one stack, one cloud, or one version of the admin API.

Left out: `--dist=loadgroup`, which does the same with marks. pytest 9.2 ignores the names in which xdist 3.8 passes the
marks, so each test would be its own group.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Seconds of the longest group of a file, measured on two cores. They must start early, or one worker ends long after
# the others; and of the first five only one needs the shared snapshot.
LONG = {
    "verify/test_checks.py": 420,
    "e2e/test_documented_commands.py": 370,
    "leaks/test_commands.py": 340,
    "contract/test_contract.py": 310,
    "e2e/test_admin_api.py": 270,
    "workflows/test_preview.py": 240,
    "workflows/test_deploy.py": 240,
    "e2e/test_preview.py": 240,
    "infra/components/test_admin_policy.py": 220,
    "install/test_bootstrap.py": 220,
    "verify/test_mutations.py": 200,
    "workflows/test_real.py": 190,
    "e2e/test_credentials.py": 180,
    "e2e/test_stacks.py": 160,
    "e2e/test_adopt.py": 160,
    "infra/components/test_standing.py": 140,
    "object_store/test_faults.py": 140,
    "install/test_locks.py": 120,
    "e2e/test_other_server.py": 120,
    "sandbox/test_cli.py": 100,
    "e2e/test_recover_drift.py": 100,
    "e2e/test_many_domains.py": 100,
    "trials/test_faulty_answers.py": 100,
    "verify/test_faults.py": 90,
    "verify/test_audit_damages.py": 80,
    "e2e/test_policy_pack.py": 80,
    "workloads/test_faults.py": 80,
    "install/test_adapter.py": 70,
    "verify/test_interrupt.py": 70,
    "verify/test_repeated.py": 70,
    "e2e/test_bad_days.py": 60,
    "workloads/test_killed.py": 60,
    "model/test_policies.py": 60,
    "ops/preflight/test_preflight.py": 60,
    "ops/preview/test_offline.py": 50,
    "clients/test_clients.py": 50,
    "e2e/test_states_of_before.py": 40,
    "e2e/test_admin_policy.py": 40,
    "e2e/test_role.py": 40,
    "cli/test_exit_codes.py": 30,
}
# Files whose tests share nothing between the values of a parameter.
_BY_PARAMETER = {
    "infra/components/test_admin_policy.py": ("aistor", "aws"),
    "verify/test_audit_damages.py": ("aistor", "aws"),
    "verify/test_mutations.py": ("aistor", "aws"),
    "e2e/test_admin_api.py": ("v3", "v4"),
    "e2e/test_bad_days.py": ("v3", "v4", "aws"),
    "e2e/test_credentials.py": ("local", "aws"),
    "e2e/test_many_domains.py": ("local", "aws"),
    "e2e/test_recover_drift.py": ("v3", "v4", "aws"),
    "e2e/test_preview.py": ("local", "aws"),
    "e2e/test_stacks.py": ("local", "aws"),
}
# Files that share stores and facts, or a large package that a run of the program loads.
_TOGETHER = {
    "workflows/test_preview.py": "workflows/test_deploy.py",
    **{
        f"infra/components/test_{name}.py": "infra/components/test_standing.py"
        for name in ("adoptable", "aistor", "aws", "identity")
    },
    **{
        f"verify/test_{name}.py": "verify/test_checks.py"
        for name in (
            *("admin", "audit", "clock", "evidence", "faulty_answers", "html", "main", "new_keys", "sdk"),
            *("secrets", "summary", "unfinished"),
        )
    },
    **{f"ops/keys/test_{name}.py": "ops/keys/test_probe.py" for name in ("agent_secrets", "deliver")},
    **{f"ops/preview/test_{name}.py": "ops/preview/test_data_at_risk.py" for name in ("command", "read_identity")},
}


def file_of(nodeid: str) -> str:
    """The file of a test, as the tables above name it."""
    return nodeid.partition("::")[0].removeprefix("tests/")


def group_of(nodeid: str) -> str:
    """The group of a test."""
    file = _TOGETHER.get(file_of(nodeid), file_of(nodeid))
    words = re.split(r"[\[\]-]", nodeid.partition("[")[2])
    value = next((value for value in _BY_PARAMETER.get(file, ()) if value in words), None)
    return f"{file}[{value}]" if value else file


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Distributes group by group."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
