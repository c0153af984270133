"""Whatever a server or the way to it answers, the TypeScript package gives no wrong byte and claims no false success.

The rule: the faults, the judge and the outcomes are those of the Python adapter. `OTHERWISE` has what differs, and why.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest
from _pytest.mark import ParameterSet

from sandbox.engine.gateway import NoGatewayError
from tests.sizes import ELSEWHERE
from tests.trials.test_faulty_answers import STALL_SECONDS, Behind
from tests.typescript.adapter import TypeScriptStore
from tests.typescript.driver import TypeScriptDriver
from trials.faulty_answers import LIST, READ_RANGES, STORE, TABLE, FaultyAnswer
from trials.faulty_proxy import FaultyProxy
from trials.servers import OWN, made_bucket, remove_objects
from trials.typescript_package import Package

if TYPE_CHECKING:
    from object_store import ObjectStore

#: By fault and operation (empty for each): other outcomes than the Python adapter's.
OTHERWISE: Final = {
    ("an error's XML with 200", STORE): "Unavailable",  # the SDK takes the body's word
    ("a control character", ""): "UnexpectedAnswer",  # node's parser refuses it in a header
    ("XML with entities", LIST): "right",  # the SDK leaves them as they are
}


@pytest.fixture(scope="module")
def behind(request: pytest.FixtureRequest, typescript: Package) -> Iterator[Behind]:
    """Each server, with the proxy in front of it."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(OWN[request.param]())
        except NoGatewayError as reason:
            pytest.skip(str(reason))
        witness = server.client()
        stack.callback(witness.close)
        place = stack.enter_context(made_bucket(server, witness))
        ca_file = str(server.config.ca_bundle) if server.config.ca_bundle else None
        proxy = stack.enter_context(FaultyProxy(str(server.config.endpoint), ca_file))
        through = replace(
            server, config=replace(server.config, endpoint=proxy.endpoint, ca_bundle=Path(proxy.ca_bundle))
        )
        stall = 1000 * STALL_SECONDS
        whole = TypeScriptDriver(typescript, through, stallMilliseconds=stall, attempts=2)
        stack.callback(whole.close)
        parts = TypeScriptDriver(typescript, through, stallMilliseconds=stall, attempts=2, multipartThreshold=1000)
        stack.callback(parts.close)
        # It has the operations that the judge calls.
        yield Behind(proxy, cast("ObjectStore", TypeScriptStore(whole, parts)), witness, place)
        remove_objects(witness, place)


def rows() -> Iterator[ParameterSet]:
    """Each row on each server; for a change, on versitygw and on one of the sandbox's two in turn."""
    for number, row in enumerate(TABLE):
        if set(row.happens) == {READ_RANGES}:  # the package reads by one connection
            continue
        for server in OWN:
            is_left = server != "versitygw" and server != ("local", "aws")[number % 2]
            marks = [*([ELSEWHERE] if is_left else []), *([pytest.mark.versitygw] if server == "versitygw" else [])]
            yield pytest.param(server, row, id=f"{server}-{row.kind}: {row.name}", marks=marks)


@pytest.mark.parametrize(("behind", "row"), list(rows()), indirect=["behind"], scope="module")
def test_each_fault_has_the_outcome_of_the_table(behind: Behind, tmp_path: Path, row: FaultyAnswer) -> None:
    """For each operation that the fault fits and the package has."""
    operations = [each for each in row.happens if each != READ_RANGES]
    came = {operation: behind.tried(operation, (row.make(operation),), tmp_path) for operation in operations}
    left = behind.left_uploads()

    legal = {
        each: OTHERWISE.get((row.name, each), OTHERWISE.get((row.name, ""), row.happens[each])) for each in operations
    }
    others = {each: outcome for each, outcome in came.items() if outcome not in legal[each].split(" or ")}
    assert not others, f"{row.name}: {others}"
    assert left == row.leaves_upload


def test_what_differs_is_a_fault_of_the_table() -> None:
    """No exception stands for a fault that is not there."""
    assert {name for name, _ in OTHERWISE} <= {row.name for row in TABLE}
