"""The report of a comparison: JSON for programs, lines for people.

The rule: it is `ok` only if nothing at all was left open. `parity` makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, computed_field
from pydantic.alias_generators import to_camel
from rich.filesize import decimal

from object_store.plain import escaped, plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from object_store.journal import Checkpoint


class Undecided(BaseModel):
    """A key that could not be compared, and why."""

    model_config = ConfigDict(frozen=True)

    key: str
    reason: str


class ParityReport(BaseModel):
    """The result of a comparison.

    Attributes:
        nas_dir: the folder.
        bucket: the bucket.
        prefix: the beginning of each key, including its last slash.
        same: files that are the same on both sides.
        same_bytes: their total length.
        missing: keys that only the NAS has.
        extra: keys that only the store has.
        different: keys whose bytes differ.
        undecided: keys that could not be compared; a key that ends in a slash is a folder that cannot be read.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)

    nas_dir: str
    bucket: str
    prefix: str
    same: int
    same_bytes: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    different: tuple[str, ...]
    undecided: tuple[Undecided, ...]

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties: python/mypy#1362
    @property
    def ok(self) -> bool:
        """Whether every file is proven to be the same on both sides."""
        return not (self.missing or self.extra or self.different or self.undecided)

    def as_json(self) -> str:
        """Return it for programs, in ASCII: it must be JSON on any terminal and in any pipe."""
        return self.model_dump_json(ensure_ascii=True)

    def as_text(self) -> str:
        """Return it for people: one line per finding, and a line with the totals."""
        lines = [
            f"{kind:<11}{plain(key)}"
            for kind, keys in (("missing", self.missing), ("extra", self.extra), ("different", self.different))
            for key in keys
        ]
        lines += [f"undecided  {plain(each.key)}: {escaped(each.reason)}" for each in self.undecided]
        lines.append(
            f"{self.same} the same ({decimal(self.same_bytes)}), {len(self.missing)} missing in the store, "
            f"{len(self.extra)} extra in the store, {len(self.different)} different, {len(self.undecided)} undecided"
        )
        return "\n".join(lines) + "\n"

    @classmethod
    def of(cls, done: Checkpoint, nas_dir: Path, bucket: str, prefix: str) -> Self:
        """Return the report of a finished comparison."""

        def keys(kind: str) -> Iterable[str]:
            return (found.key for found in done.findings if found.kind == kind)

        return cls(
            nas_dir=str(nas_dir),
            bucket=bucket,
            prefix=prefix,
            same=done.same,
            same_bytes=done.same_bytes,
            missing=tuple(keys("missing")),
            extra=tuple(keys("extra")),
            different=tuple(keys("different")),
            undecided=tuple(
                Undecided(key=found.key, reason=found.reason) for found in done.findings if found.kind == "undecided"
            ),
        )
