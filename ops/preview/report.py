"""The whole of what a preview says: changes, acknowledgements, totals, and what could not be seen.

The rule: a danger stands until the stack's config holds its very sentence, and a sentence that no danger of this
preview has is stale and reported. Values only; how they look is `ops.preview.render`'s.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from model.exit_codes import ExitCode
from ops.preview.change import Change, Risk
from ops.preview.data_at_risk import AtRisk

VERSION = 1


@dataclass(frozen=True)
class Report:
    """What a preview says.

    Attributes:
        stack: The stack's name.
        source: What was compared, in words.
        changes: The dangerous first.
        acknowledged: The sentences in the stack's config.
        unchanged: Resources that stay as they are; None without an engine.
        protected: Domains whose bucket the engine refuses to delete or replace.
        errors: What the engine says is wrong.
        at_risk: What was read of the buckets whose expiry gets shorter.
        unread: Buckets that could not be read, and why.
        unseen: What this kind of preview cannot see.
    """

    stack: str
    source: str
    changes: tuple[Change, ...]
    acknowledged: tuple[str, ...] = ()
    unchanged: int | None = None
    protected: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    at_risk: tuple[AtRisk, ...] = ()
    unread: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def of(self, risk: Risk) -> tuple[Change, ...]:
        """The changes of one risk."""
        return tuple(change for change in self.changes if change.risk is risk)

    @property
    def open_dangers(self) -> tuple[Change, ...]:
        """Dangers that nobody acknowledged."""
        return tuple(change for change in self.of(Risk.DANGER) if change.sentence not in self.acknowledged)

    @property
    def stale(self) -> tuple[str, ...]:
        """Acknowledgements that no danger of this preview needs; none where it failed, as it then saw not all."""
        if self.errors:
            return ()
        needed = {change.sentence for change in self.of(Risk.DANGER)}
        return tuple(sentence for sentence in self.acknowledged if sentence not in needed)

    @property
    def refused(self) -> tuple[str, ...]:
        """What the engine would refuse although it is acknowledged: protection is taken off in an update of its own."""
        if self.open_dangers:
            return ()
        return tuple(f"{domain}: the bucket is protected, and the update would stop there" for domain in self.protected)

    @property
    def exit_code(self) -> ExitCode:
        """0 nothing, safe or noticed; 3 a danger that nobody acknowledged; 1 the engine would fail."""
        if self.errors or self.refused:
            return ExitCode.CANNOT
        return ExitCode.WRONG if self.open_dangers else ExitCode.DONE

    @property
    def totals(self) -> str:
        """One line of counts."""
        if not self.changes:
            counts = "no change"
        else:
            dangers, held = len(self.of(Risk.DANGER)), len(self.of(Risk.DANGER)) - len(self.open_dangers)
            said = f"{dangers} dangerous" + (f" ({held} acknowledged)" if held else "")
            counts = ", ".join((said, f"{len(self.of(Risk.NOTICE))} to notice", f"{len(self.of(Risk.SAFE))} safe"))
        return counts if self.unchanged is None else f"{counts}; {self.unchanged} resources unchanged"

    def as_json(self) -> dict[str, Any]:
        """The report as plain data, of `version` 1."""
        return {
            "version": VERSION,
            "stack": self.stack,
            "source": self.source,
            "exit_code": self.exit_code,
            "totals": {
                **{risk.value: len(self.of(risk)) for risk in Risk},
                "acknowledged": len(self.of(Risk.DANGER)) - len(self.open_dangers),
                "unchanged": self.unchanged,
            },
            "changes": [
                {
                    "subject": change.subject,
                    "sentence": change.sentence,
                    "risk": change.risk.value,
                    "aspect": change.aspect.value,
                    "advice": change.advice,
                    "acknowledged": change.sentence in self.acknowledged and change.risk is Risk.DANGER,
                }
                for change in self.changes
            ],
            "stale_acknowledgements": list(self.stale),
            "protected": list(self.protected),
            "errors": list(self.errors),
            "data_at_risk": [{**asdict(found), "sentences": list(found.sentences())} for found in self.at_risk],
            "unread": list(self.unread),
            "unseen": list(self.unseen),
        }


def lines_to_paste(changes: Iterable[Change], stack: str) -> list[str]:
    """What acknowledges some dangers, for the stack's file."""
    # JSON's text is YAML's, whatever is in it.
    found = [f"    - {json.dumps(change.sentence, ensure_ascii=False)}" for change in changes]
    return [f"# Pulumi.{stack}.yaml", "config:", "  object-store:acknowledge:", *found] if found else []
