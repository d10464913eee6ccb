"""What is evaluated: items, and the random caption, coin and crop of each, as Guo's test loader draws them.

Two sets of items. With the published evaluator: HumanML3D's official test set, by its own rules. With the stand-in: every
captioned window of the store's test split. All randomness of an item comes from (seed, replication, item id), so two
machines draw alike and no item depends on its neighbours.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from scamo.evaluation.metrics import POOL
from scamo.evaluation.networks import UNIT_FRAMES

if TYPE_CHECKING:
    from motionunion.features import FeatureSet
    from motionunion.spans import Span
    from motionunion.windows import Window

LAYER = "humanml3d"
TEMPLATE_BODY = "template"
"""Body of motion that was posed on our template skeleton: nothing computed from it is comparable with a paper."""
MIN_ROWS, STOP_ROWS = 40, 200
"""HumanML3D's test loader keeps 40 <= rows < 200."""
FULL_PASS = 4640
"""Items of a full pass over the official test set: 145 pools of 32."""


class CaptionLike(Protocol):
    """What an item needs of a caption."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One motion with its captions: rows `start` to `start + rows` of the feature set's values."""

    item_id: str
    name: str
    group: str
    """What shares a side of every split with it."""
    start: int
    rows: int
    body: str
    shipped: bool
    captions: tuple[CaptionLike, ...]


@dataclass(frozen=True, slots=True)
class ItemSet:
    """Items, in the order of the feature set, and what was left out and why."""

    items: list[Item]
    dropped: dict[str, int]
    """Reason to count: of spans, captions or windows, as the reason says."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one pass takes of one item."""

    item: Item
    caption: CaptionLike
    start: int
    """First row within the feature set's values."""
    rows: int
    """A multiple of 4."""

    def motion(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The drawn rows (rows, D)."""
        return np.asarray(values[self.start : self.start + self.rows])


def official_items(features: FeatureSet) -> ItemSet:
    """HumanML3D's official test items of a store, by the rules of Guo's loader.

    Spans whose layer or source is HumanML3D and whose official split is `test`, 40 <= rows < 200. Captions without
    times make one item of the whole span; each caption with times makes an item of its own, rows int(20 f) to
    int(20 t), under the same limits.
    """
    items: list[Item] = []
    dropped: Counter[str] = Counter()
    for index, span in enumerate(features.spans):
        if not is_official_test(span):
            continue
        start = int(features.offsets[index])
        if not MIN_ROWS <= span.rows < STOP_ROWS:
            dropped["spans outside 40 to 199 rows"] += 1
            continue
        if not np.isfinite(features.values[start : start + span.rows]).all():
            dropped["spans with values that are not finite"] += 1
            continue
        if not span.captions:
            dropped["spans without a caption"] += 1
            continue
        whole = tuple(c for c in span.captions if c.start_s is None or c.end_s is None)
        pieces = [(span.span_id, 0, span.rows, whole)] if whole else []
        for number, caption in enumerate(span.captions):
            if caption.start_s is None or caption.end_s is None:
                continue
            first, stop = int(caption.start_s * 20), min(int(caption.end_s * 20), span.rows)
            if MIN_ROWS <= stop - first < STOP_ROWS:
                pieces.append((f"{span.span_id}/{number}", first, stop - first, (caption,)))
            else:
                dropped["timed captions outside 40 to 199 rows"] += 1
        items += [
            Item(
                item_id=item_id, name=span.name, group=span.group, start=start + first, rows=rows, body=span.body, shipped=span.shipped,
                captions=captions,
            )
            for item_id, first, rows, captions in pieces
        ]  # fmt: skip
    return ItemSet(items, dict(dropped))


def is_official_test(span: Span) -> bool:
    """Whether a span is a motion of HumanML3D's own test list."""
    return span.official_split == "test" and (span.layer or span.source) == LAYER


def window_items(features: FeatureSet, windows: Sequence[Window], *, split: str = "test") -> ItemSet:
    """Every captioned window of one split."""
    items: list[Item] = []
    dropped: Counter[str] = Counter()
    for window in windows:
        if window.split != split:
            continue
        if not window.captions:
            dropped["windows without a caption"] += 1
        elif not np.isfinite(features.values[window.start : window.start + window.rows]).all():
            dropped["windows with values that are not finite"] += 1
        else:
            items.append(
                Item(
                    item_id=window.window_id, name=window.name, start=window.start, rows=window.rows, body=window.body,
                    group=window.group, shipped=window.shipped, captions=window.captions,
                )
            )  # fmt: skip
    return ItemSet(items, dict(dropped))


def draw_item(item: Item, seed: int, replication: int) -> Draw:
    """A random caption, the coin over {single, single, double} for the length, and a random crop."""
    return draw_with(item, _generator(item.item_id, seed, replication))


def draw_with(item: Item, generator: np.random.Generator) -> Draw:
    """As `draw_item`, from a given generator."""
    caption = item.captions[int(generator.integers(len(item.captions)))]
    rows = item.rows // UNIT_FRAMES * UNIT_FRAMES
    if int(generator.integers(3)) == 2 and rows > UNIT_FRAMES:
        rows -= UNIT_FRAMES
    first = int(generator.integers(item.rows - rows + 1))
    return Draw(item, caption, item.start + first, rows)


def draw_pass(items: Sequence[Item], seed: int, replication: int) -> list[Draw]:
    """One pass over all items in the random order that forms its pools.

    Full pools of 32 only, as the reference's loader drops its last batch; with fewer than 32 items all of them.
    """
    order = np.random.default_rng([seed, replication]).permutation(len(items))
    if len(items) >= POOL:
        order = order[: len(items) // POOL * POOL]
    return [draw_item(items[index], seed, replication) for index in order]


def item_seed(item_id: str, seed: int) -> int:
    """The seed of everything that is sampled for one item, whatever shares its batch."""
    return int(_generator(item_id, seed, -1).integers(2**63))


def _generator(item_id: str, seed: int, replication: int) -> np.random.Generator:
    own = int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, replication + 1, own])
