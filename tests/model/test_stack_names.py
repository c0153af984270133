"""A stack's name, and the name of its config file."""

import pytest

from model.stack_names import short_name, stack_file


@pytest.mark.parametrize("stack", ["local", "object-store/local", "organization/object-store/local"])
def test_organization_and_project_are_not_in_a_file(stack: str) -> None:
    """Pulumi takes all three forms for one stack."""
    assert (short_name(stack), stack_file(stack)) == ("local", "Pulumi.local.yaml")
