"""The table of contract cases under Bun, as the owner's worker has it, on the sandbox's server with its private CA."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.case_table import Case, cases_of, check
from tests.typescript.driver import TypeScriptDriver
from tests.typescript.fixtures import ENVIRON
from trials.servers import OWN, made_bucket
from trials.typescript_package import NoPackageError, Package, find_bun

CASES = [
    pytest.param(case, id=f"{name}-{number}")
    for name in ("bodies", "conditions", "keys", "metadata", "references", "settings")
    for number, case in enumerate(cases_of(name))
]


@pytest.fixture(scope="module", name="place")
def _place(typescript: Package) -> Iterator[tuple[TypeScriptDriver, str]]:
    """A driver under Bun, and a bucket."""
    try:
        bun = find_bun(typescript.node, typescript.npm, ENVIRON)
    except NoPackageError as reason:
        pytest.skip(f"no Bun here: {reason}")
    with ExitStack() as stack:
        server = stack.enter_context(OWN["local"]())
        client = server.client()
        stack.callback(client.close)
        bucket = stack.enter_context(made_bucket(server, client))
        driver = TypeScriptDriver(replace(typescript, node=bun), server)
        stack.callback(driver.close)
        yield driver, bucket


@pytest.mark.parametrize("case", CASES)
def test_case(place: tuple[TypeScriptDriver, str], request: pytest.FixtureRequest, tmp_path: Path, case: Case) -> None:
    """The case's fact holds."""
    driver, bucket = place
    needs_none = request.node.callspec.id.startswith(("references", "settings"))
    check(case, driver, bucket, "" if needs_none else f"{request.node.callspec.id}/", tmp_path)
