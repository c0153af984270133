"""The result of a preview: changes, acknowledgements, totals, and what the preview cannot see.

The rule: a danger is open until the stack's config holds exactly its sentence. An acknowledged sentence that no danger
of this preview has is stale and is reported. Values only; `ops.preview.render` formats them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from model.exit_codes import ExitCode
from model.stack_names import stack_file
from ops.preview.change import Change, Risk
from ops.preview.data_at_risk import AtRisk

VERSION = 1


@dataclass(frozen=True)
class Report:
    """The result of a preview.

    Attributes:
        stack: The stack's name.
        source: What was compared, in words.
        changes: All changes, the dangers first.
        acknowledged: The sentences in the stack's config.
        unchanged: Number of resources that do not change; None without an engine.
        protected: Domains whose bucket the engine refuses to delete or replace.
        errors: The engine's error messages.
        at_risk: The data at risk in buckets whose expiry gets shorter.
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
        """Dangers that the stack's config does not acknowledge."""
        return tuple(change for change in self.of(Risk.DANGER) if change.sentence not in self.acknowledged)

    @property
    def stale(self) -> tuple[str, ...]:
        """Acknowledgements that no danger of this preview needs; empty after an error, because the list is partial."""
        if self.errors:
            return ()
        needed = {change.sentence for change in self.of(Risk.DANGER)}
        return tuple(sentence for sentence in self.acknowledged if sentence not in needed)

    @property
    def refused(self) -> tuple[str, ...]:
        """Acknowledged changes that the engine would still refuse: protection must be removed in a separate update."""
        if self.open_dangers:
            return ()
        return tuple(f"{domain}: the bucket is protected, so the update would stop there" for domain in self.protected)

    @property
    def exit_code(self) -> ExitCode:
        """0 no change, or only safe changes and notices; 1 an open danger; 2 the engine would fail."""
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
    """The lines for the stack's file that acknowledge some dangers."""
    # Every JSON string is also a YAML string.
    found = [f"    - {json.dumps(change.sentence, ensure_ascii=False)}" for change in changes]
    return [f"# {stack_file(stack)}", "config:", "  object-store:acknowledge:", *found] if found else []
