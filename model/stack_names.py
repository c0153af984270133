"""A stack's name, and the name of its config file. Pure.

The rule: pulumi takes `name`, `project/name` and `organization/project/name`; files and tags hold only the name.

Source: https://www.pulumi.com/docs/iac/concepts/stacks/#create-stack
"""


def short_name(stack: str) -> str:
    """A stack's name without organization and project."""
    return stack.rpartition("/")[2]


def stack_file(stack: str) -> str:
    """The name of a stack's config file."""
    return f"Pulumi.{short_name(stack)}.yaml"
