"""The generated part of `docs/operations.md`: every bad day and what leads back, and other advice."""

from trials.bad_days.advice import TRIED, TriedBy, Untried
from trials.bad_days.days import DAYS, BadDay

_STACKS = {"v3": "AIStor, `adminApi: v3`", "v4": "AIStor, `adminApi: v4`", "aws": "AWS"}
_KEYS = {"none": "none", "one": "that of the identity", "all": "all"}


def bad_days() -> str:
    """The table of the rehearsed days."""
    lines = ["## What is rehearsed", ""]
    lines += [
        "`make bad-days` does each of these to a stack in the sandbox, runs the lines of the section as they are",
        "written there, and then looks: `pulumi preview --refresh` is empty, `verify` proves everything, and each",
        "access key that the last column does not name is the same as before and works. With `--endpoint URL`,",
        "`python -m trials.bad_days` does the same on a MinIO or AIStor server of your own, with your installed",
        "Pulumi and plugin. `--few` takes a stack with one domain of each band. On AWS it is not proven: here a",
        "stand-in takes its place.",
        "",
    ]
    lines += ["| what happens | stacks | what leads back | new access keys |", "|---|---|---|---|"]
    lines += [_row(day) for day in DAYS]
    lines += [
        "",
        "Messages also advise these commands, which no bad day needs:",
        "",
        "| command | what tries it |",
        "|---|---|",
    ]
    lines += [f"| `{command}` | {_tried(how)} |" for command, how in TRIED.items()]
    return "\n".join(lines) + "\n"


def _row(day: BadDay) -> str:
    stacks = "all" if len(day.kinds) == len(_STACKS) else ", ".join(_STACKS[by] for by in day.kinds)
    anchor = day.section.anchor.removeprefix("operations.md")
    return f"| {day.name} | {stacks} | [{day.section.heading}]({anchor}) | {_KEYS[day.keys]} |"


def _tried(how: TriedBy | Untried) -> str:
    return f"`{how.test}`" if isinstance(how, TriedBy) else f"no test: needs {how.why}"
