"""The output of a lease, in both forms, and outputs that are not a value."""

import json

import pytest

from infra.lease import LeaseError, leased_value

SECRET = "planted-LEASE-0123456789"  # noqa: S105 - planted


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(json.dumps({"success": True, "message": "ok", "data": {"value": SECRET}}), id="v0.4.1"),
        pytest.param(f"{SECRET}\n", id="v0.5.0"),
    ],
)
def test_both_forms_give_the_value(printed: str) -> None:
    """The value is read from the envelope and from the bare form."""
    assert leased_value(printed) == SECRET


def test_bare_value_may_be_an_object_of_its_own() -> None:
    """A secret that is itself JSON is not an envelope."""
    assert leased_value('{"user": "u", "password": "p"}') == '{"user": "u", "password": "p"}'


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "\n",
        "Error: secret not found",
        json.dumps({"success": False, "message": "secret not found"}),
        json.dumps({"success": False, "error": "daemon is not running", "data": {"value": SECRET}}),
        json.dumps({"success": True, "data": {}}),
        json.dumps({"success": True, "data": [SECRET]}),
        '{"success": false, "data": {"value": "x"}, "success": true}',
        '{"success": true, "data": ' + "[" * 3000,
        json.dumps({"success": True, "data": {"value": ""}}),
        json.dumps({"success": "true", "data": {"value": SECRET}}),
    ],
)
def test_failure_is_no_value(printed: str) -> None:
    """Output without a reported success is an error, and its text is not repeated."""
    with pytest.raises(LeaseError) as raised:
        leased_value(printed)
    assert SECRET not in str(raised.value)
