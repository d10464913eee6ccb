"""What a task says it did: which files it read, what became of each, and which shards hold the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from motionunion.store.shards import Shard

UNDROPPED = "undropped"
"""Reason of a file that was dropped and is wanted again."""
_SAID = ("outcome", "reason", "clip_id", "content", "captions_digest", "segments_digest")

_HELD = (
    "outcome", "clip_id", "content", "captions", "captions_digest", "segments", "segments_digest",
    "clips_shard", "captions_shard", "segments_shard",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One (source, key) as a task left it; a row of a receipts shard."""

    source: str
    key: str
    size: int
    mtime_ns: int
    stamp: str
    """Digest over names, sizes and times of every file that the reading depends on."""
    config: str
    """Versions of reader and normaliser, and options that change values."""
    outcome: str
    """`clip`, `annotation`, `reject`, or `dropped`: read, and taken out by `motionunion drop`."""
    reason: str | None = None
    """Reasons of the rejects that were recorded, joined by commas. A kept clip may have one (a bad sidecar)."""
    clip_id: str | None = None
    content: str | None = None
    captions: int = 0
    captions_digest: str | None = None
    segments: int = 0
    segments_digest: str | None = None
    clips_shard: str | None = None
    captions_shard: str | None = None
    segments_shard: str | None = None
    rejects_shard: str | None = None

    def says(self) -> tuple[Any, ...]:
        """What it amounts to, wherever it is kept: two that say the same need no second copy."""
        return tuple(getattr(self, name) for name in _SAID)

    def kept_as(self, other: Covered) -> Covered:
        """This coverage, with the rows where `other`, which says the same, has them."""
        names = ("clips_shard", "captions_shard", "segments_shard", "rejects_shard")
        return replace(self, **{name: getattr(other, name) for name in names})

    @property
    def address(self) -> tuple[str, str]:
        """Source and key."""
        return self.source, self.key

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the shards that hold its rows."""
        named = (self.clips_shard, self.captions_shard, self.segments_shard, self.rejects_shard)
        return tuple(name for name in named if name is not None)

    def place(self, kind: str) -> str | None:
        """Name of the shard that holds its rows of a kind."""
        name: str | None = getattr(self, f"{kind}_shard")
        return name

    def placed(self, kind: str, shard: str | None) -> Covered:
        """The same, with its rows of a kind in another shard."""
        return replace(self, **{f"{kind}_shard": shard})  # type: ignore[arg-type]

    @property
    def is_undropped(self) -> bool:
        """Whether it was dropped and no longer is: its file is to be read again."""
        return self.outcome == "dropped" and self.content is None

    def holding_like(self, other: Covered) -> Covered:
        """This coverage with the clip, captions and segments of another one of the same file: one that is no reject."""
        said = {name: getattr(other, name) for name in _HELD}
        return replace(self, **said)

    def dropped(self) -> Covered:
        """This coverage with clip, captions and segments on record only; what was refused of the file stays."""
        return replace(self, outcome="dropped", clips_shard=None, captions_shard=None, segments_shard=None)

    def undropped(self) -> Covered:
        """Coverage that no later reading is held against, and that makes the next ingest read the file again.

        It holds like any other (no content, no rows): a reject in between must not bring the dropped one back.
        """
        reasons = ",".join(filter(None, (self.reason, UNDROPPED)))
        return replace(
            self.dropped(),
            content=None,
            reason=reasons,
            captions=0,
            captions_digest=None,
            segments=0,
            segments_digest=None,
        )

    def to_row(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a store goes by for one (source, key)."""

    newest: Covered
    """Says which rejects are live."""
    holding: Covered | None
    """The newest that is no reject (often the same): says which clip, captions and segments are."""

    @property
    def rows(self) -> tuple[Covered, ...]:
        """Both, each once."""
        return (self.newest,) if self.holding in (None, self.newest) else (self.holding, self.newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a task returns. Its shards are written; a commit makes them part of the store."""

    covered: tuple[Covered, ...]
    """Sorted by (source, key)."""
    shards: tuple[Shard, ...]
    rejects: tuple[dict[str, Any], ...] = ()
    """Rows of its rejects shard, to show."""
    frames: int = 0
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """Whose it is, for names of files."""
        return self.covered[0].source if self.covered else "empty"

    def count(self, outcome: str) -> int:
        """How many of its keys ended so."""
        return sum(one.outcome == outcome for one in self.covered)


def sort_covered(covered: Sequence[Covered]) -> tuple[Covered, ...]:
    """The order of receipts shards. A key may be there twice: what it holds, and the reject that is newer."""
    return tuple(sorted(covered, key=lambda one: (one.source, one.key, one.outcome == "reject")))
