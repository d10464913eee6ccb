"""Spans: the stretches of a store that become one feature sequence each. `span_planning` says which these are."""

from __future__ import annotations

from dataclasses import dataclass

from motionunion.mirror import is_mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCaption:
    """One sentence about a span."""

    text: str
    tokens: str | None = None
    """`word/POS word/POS ...` as shipped, or None."""
    start_s: float | None = None
    """Seconds from the span's first frame; None for both = the whole span."""
    end_s: float | None = None
    layer: str = ""
    """Who says so, as in `motionunion.clip.Caption`."""
    generator: str = "human"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stretch of one clip, encoded as one feature sequence."""

    span_id: str
    """32 hex digits: a hash of the clip, the segment's layer and name, and the interval of frames."""
    clip_id: str
    name: str
    """Name of the segment (`004822`), or the clip's key where the span is the whole clip."""
    source: str
    group: str
    split: str
    """The clip's leak-free split."""
    official_split: str | None = None
    """What the layer of the segment, or the source of the clip, says."""
    rows: int
    """Rows of features."""
    first_frame: int
    """First frame in the clip, at the clip's own rate."""
    stop_frame: int
    """Frame after the last one."""
    shipped: bool = False
    """True where the features are the source's own, bit for bit."""
    body: str = ""
    """Whose rest offsets the clip has (`own`, `model`, `template`, `target`); see `motionunion.clip.RawClip`."""
    layer: str | None = None
    """Layer of the segment; None where the span is the whole clip."""
    captions: tuple[SpanCaption, ...] = ()

    @property
    def mirrored(self) -> bool:
        """Whether it is the mirror image of the clip's motion (`motionunion.mirror`)."""
        return is_mirrored(self.layer, self.name)


@dataclass(frozen=True, slots=True)
class SkippedSpan:
    """A stretch that gives no features, and why: `empty`, `too_short`; `shipped` where published features of it are taken, `segment`
    where the AMASS file that a HumanML3D clip was cut from is; `no_rotations` where the clip is joints alone and the representation
    needs more; or the reason of a `ClipError`."""

    clip_id: str
    name: str
    reason: str
