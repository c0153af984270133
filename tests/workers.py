"""Who runs which tests: a worker of pytest-xdist takes a group of them at a time, the long ones first.

The rule: what the tests of a group share (a server, a deployed stack) is made once in its worker. A group is a file, or
those tests of a file that are of one stack, one cloud, one version of the admin API.

Left out: `--dist=loadgroup`, which does the same by marks: pytest 9.2 pays no heed to the names in which xdist 3.8
hands the marks over, so that each test is a group of its own.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# In seconds, measured on two cores: what must begin early, or a worker ends long after the others.
LONG = {
    "e2e/test_preview.py": 620,
    "e2e/test_admin_api.py": 470,
    "e2e/test_credentials.py": 420,
    "leaks/test_commands.py": 370,
    "infra/components/test_admin_policy.py": 340,
    "verify/test_mutations.py": 330,
    "install/test_bootstrap.py": 300,
    "e2e/test_stacks.py": 290,
    "contract/test_contract.py": 210,
    "e2e/test_adopt.py": 150,
    "workflows/test_deploy.py": 140,
    "workflows/test_preview.py": 140,
    "workflows/test_real.py": 130,
    "e2e/test_states_of_before.py": 120,
    "sandbox/test_cli.py": 100,
    "object_store/test_faults.py": 90,
    "e2e/test_admin_policy.py": 70,
}
# Files whose tests share nothing across the values of a parameter.
_BY_PARAMETER = {
    "infra/components/test_admin_policy.py": ("aistor", "aws"),
    "e2e/test_admin_api.py": ("v3", "v4"),
    "e2e/test_credentials.py": ("local", "aws"),
    "e2e/test_preview.py": ("local", "aws"),
}
# Files that share what one of them makes.
_TOGETHER = {"workflows/test_preview.py": "workflows/test_deploy.py"}


def file_of(nodeid: str) -> str:
    """The file of a test, as the tables above have it."""
    return nodeid.partition("::")[0].removeprefix("tests/")


def group_of(nodeid: str) -> str:
    """The group of a test."""
    file = _TOGETHER.get(file_of(nodeid), file_of(nodeid))
    words = re.split(r"[\[\]-]", nodeid.partition("[")[2])
    value = next((value for value in _BY_PARAMETER.get(file, ()) if value in words), None)
    return f"{file}[{value}]" if value else file


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out group by group."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
