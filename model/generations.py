"""Generations of an identity's key: which one is current, and which older one is still valid.

The rule: only the stack's config defines them (`object-store:credentials`), so that an update from any machine gives
the same keys. At most two are valid at once, because AWS allows a user two. An identity that the config does not name
has generation 1. Pure: it does not contact a cloud. The stores create and delete the keys; `ops.keys` rotates them.

Two keys per user: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from model.problems import InvalidInputError, Problem

#: A key for each day of 27 years. A number that is mistyped further up would never be reached by a rotation again.
GENERATION_MAXIMUM = 9999
FORM = f"{{current: a whole number, 1 to {GENERATION_MAXIMUM}; previous: a lower one, optional}}"


def whole(value: object) -> object:
    """A number in the engine's form (2.0) or ours; a word or a text is none, although Python takes True for 1."""
    if isinstance(value, (bool, str)):
        raise ValueError("a whole number is needed")  # noqa: TRY004 - pydantic collects this class
    return value


Number = Annotated[int, BeforeValidator(whole), Field(ge=1)]


class Generations(BaseModel):
    """The valid keys of one identity.

    Attributes:
        current: The generation that consumers get.
        previous: The generation before it, while it is still valid; None afterwards.
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
        """All valid generations, the current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)

    @property
    def next(self) -> "Generations":
        """The next generation, with the current one kept as previous."""
        return Generations(current=self.current + 1, previous=self.current)

    @property
    def retired(self) -> "Generations":
        """The current generation only."""
        return Generations(current=self.current)

    @property
    def revoked(self) -> "Generations":
        """The next generation only."""
        return Generations(current=self.current + 1)


def parse_generations(value: Mapping[str, object], identities: Collection[str], where: str) -> dict[str, Generations]:
    """Check the key generations in a stack's config.

    Args:
        value: The generations, by identity.
        identities: The declared identities.
        where: The name of the config in problems, such as `Pulumi.local.yaml: object-store:`.

    Raises:
        InvalidInputError: An identity is unknown or its generations are invalid; the error names every problem.
    """
    problems = []
    found = {}
    for name, given in value.items():
        place = f"{where}credentials.{name}"
        if name not in identities:
            legal = ", ".join(identities)
            problems.append(Problem(place, f"identity {name!r} does not exist", legal, "(remove the line)"))
            continue
        try:
            generations = Generations.model_validate(given)
            if generations.current <= GENERATION_MAXIMUM:
                found[name] = generations
                continue
            wrong, write = "the generation is too large", f"{name}: {{current: 2, previous: 1}}"
            problems.append(Problem(f"{place}.current", wrong, FORM, write))
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
