"""The generated part of `docs/events.md`: which field takes whose place, from the models of the events."""

from object_store.payload import IDENTITY_EXPRESSION
from workloads.events.event import file_name
from workloads.events.models import MODELS


def events_table() -> str:
    """A line for each reference of each event."""
    lines = ["## Which field takes whose place", ""]
    lines += [
        "| event | new field | takes the place of | the old field may go when; or what is new |",
        "|---|---|---|---|",
    ]
    for model in MODELS:
        also = "".join(f"<br>also `{name}`" for name in model.ALIASES)
        first = f"[`{model.NAME}`](../schemas/events/{file_name(model)}){also}"
        for place in model.PLACES:
            shims = ", ".join(f"`{name}`" for name in place.shims) or ""
            lines.append(f"| {first} | `{place.ref}` | {shims} | {place.until} |")
    lines += ["", "## The identity", "", "The idempotency of `docs-ingest`, in one line:", ""]
    lines += ["```", IDENTITY_EXPRESSION, "```"]
    return "\n".join(lines) + "\n"
