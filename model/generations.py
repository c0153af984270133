"""Generations of an identity's key: which one is current, and which one still lives beside it.

The rule: the stack's config alone says it (`object-store:credentials`), so that an update anywhere gives the same keys;
never more than two live at once, because AWS lets a user have two. An identity that is not named has generation 1.
Pure; what an update does about it is the stores' matter, how a key gets its next one that of `ops.keys`.

Two keys per user: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.problems import InvalidInputError, Problem

FORM = "{current: a whole number from 1, previous: a lower one, or left out}"
Number = Annotated[int, Field(ge=1)]


class Generations(BaseModel):
    """The live keys of one identity.

    Attributes:
        current: The generation that is handed out.
        previous: The one before, while it still works; None where it does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    current: Number = 1
    previous: Number | None = None

    @model_validator(mode="after")
    def _previous_is_older(self) -> Self:
        if self.previous is not None and self.previous >= self.current:
            raise ValueError("previous must be lower than current")
        return self

    @property
    def live(self) -> tuple[int, ...]:
        """All that work, the current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)

    @property
    def next(self) -> "Generations":
        """One generation on, with this one beside it."""
        return Generations(current=self.current + 1, previous=self.current)

    @property
    def retired(self) -> "Generations":
        """The current one alone."""
        return Generations(current=self.current)

    @property
    def revoked(self) -> "Generations":
        """One generation on, alone."""
        return Generations(current=self.current + 1)


def parse_generations(value: Mapping[str, object], identities: Collection[str], where: str) -> dict[str, Generations]:
    """Check what a stack's config says of its keys.

    Args:
        value: By identity, its generations.
        identities: The declared ones.
        where: How a problem names the config, such as `Pulumi.local.yaml: object-store:`.

    Raises:
        InvalidInputError: An unknown identity, or generations that cannot be; it names every problem.
    """
    problems = []
    found = {}
    for name, given in value.items():
        place = f"{where}credentials.{name}"
        if name not in identities:
            legal = ", ".join(identities)
            problems.append(Problem(place, f"there is no identity {name!r}", legal, "(remove the line)"))
            continue
        try:
            found[name] = Generations.model_validate(given)
        except ValidationError as error:
            problems += [
                Problem(
                    ".".join([place, *map(str, detail["loc"])]),
                    detail["msg"].removeprefix("Value error, "),
                    FORM,
                    f"{name}: {{current: 2, previous: 1}}",
                )
                for detail in error.errors(include_input=False, include_url=False)
            ]
    if problems:
        raise InvalidInputError(problems)
    return found
