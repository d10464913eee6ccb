"""Which side of the fence a clip stands on: train, val or test.

Everything of one group (one recording, its mirror twin, its parts, the features that others made of it) shares a side.
The gravest official split of any clip or segment in the group decides, test over val over train, so that nobody's test
data is trained on; a group without one goes by sha256(group) mod 100: below 80 train, below 85 val, else test.

The rule stands here twice, for one group in Python and for a whole store in SQL; a test holds them together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from motionunion.clip import SPLITS

TRAIN_BELOW, VAL_BELOW = 80, 85


def hash_split(group: str) -> str:
    """The split of a group that no data set assigns: 80 % train, 5 % val, 15 % test, the same everywhere for ever."""
    share = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 100
    return "train" if share < TRAIN_BELOW else "val" if share < VAL_BELOW else "test"


def resolve_split(official: Iterable[str | None], group: str) -> str:
    """The split of a group, given the official splits of everything in it (None = has none)."""
    ranks = [SPLITS.index(split) for split in official if split is not None]
    return SPLITS[max(ranks)] if ranks else hash_split(group)


# sha256 as four 64-bit numbers, most significant first. 2^64 = 16, 2^128 = 56 and 2^192 = 96 modulo 100.
_HASH_SHARE = (
    "("
    + " + ".join(
        f"('0x' || substr(sha256(groups.\"group\"), {1 + 16 * part}, 16))::UBIGINT % 100 * {weight}"
        for part, weight in enumerate((96, 56, 16, 1))
    )
    + ") % 100"
)

SPLIT_TABLE = f"""
    CREATE OR REPLACE TEMP TABLE split_of_group AS
    WITH said AS (
        SELECT "group", official_split AS split FROM live_clips
        UNION ALL
        SELECT coalesce(live_clips."group", joint_groups.joint, live_segments.uid), live_segments.split
        FROM live_segments LEFT JOIN live_clips USING (uid) LEFT JOIN joint_groups ON joint_groups."group" = live_segments.uid
    ), official AS (
        SELECT "group", max(CASE split WHEN 'test' THEN 3 WHEN 'val' THEN 2 WHEN 'train' THEN 1 END) AS rank
        FROM said WHERE split IS NOT NULL GROUP BY "group"
    ), groups AS (
        SELECT DISTINCT "group" FROM live_clips
    )
    SELECT groups."group", CASE
        WHEN rank = 3 THEN 'test' WHEN rank = 2 THEN 'val' WHEN rank = 1 THEN 'train'
        WHEN {_HASH_SHARE} < {TRAIN_BELOW} THEN 'train'
        WHEN {_HASH_SHARE} < {VAL_BELOW} THEN 'val'
        ELSE 'test' END AS split
    FROM groups LEFT JOIN official USING ("group")
"""
"""SQL to `split_of_group("group", split)`, from `live_clips(uid, "group", official_split)` and `live_segments(uid, split)`, and
`joint_groups("group", joint)`: which groups go by the name of another (`motionunion.store.joint_groups`)."""
