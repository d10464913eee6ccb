"""Groups that turn out to be one, once all of a store is seen.

A data set made from another often knows an id of that other set and no more: MotionHub's `humanml3d/004822` is a stretch of some AMASS
file, and only who holds HumanML3D's index can say of which. Where that has been read too, it is in the store: the segment `004822` of
the layer `humanml3d` lies in `amass/...`, or the clip of that base is in that file's group. Then both names mean one group; so do
the address of a file and the group of the clip that was read from it. All that is connected so shares a side of every split.
Which source came first makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pyarrow as pa

# A mirror image is of its original's group, so a group is never called after one: M004822 is 004822 here.
_EDGES = """
    WITH known AS (
        SELECT layer || '/' || regexp_replace(name, '^M([0-9])', '\\1') AS alias, coalesce("group", uid) AS "group"
        FROM (SELECT DISTINCT layer, name, uid FROM live_segments) LEFT JOIN (SELECT uid, "group" FROM live_clips) USING (uid)
        UNION
        SELECT source || '/' || base, "group"
        FROM (SELECT source, labels['base'] AS base, "group" FROM live_clips) WHERE base IS NOT NULL
        UNION
        SELECT uid, "group" FROM live_clips WHERE uid <> "group"
    )
    SELECT alias, "group" FROM known
    WHERE alias <> "group" AND alias IN (SELECT "group" FROM live_clips) ORDER BY ALL
"""
_JOIN = """
    UPDATE live_clips SET own_group = live_clips."group", "group" = joint
    FROM joint_groups WHERE joint_groups."group" = live_clips."group"
"""


def join_groups(connection: duckdb.DuckDBPyConnection) -> None:
    """Give all clips of one connected component one group, and leave the table `joint_groups("group", joint)` behind.

    Args:
        connection: With `live_clips(uid, source, "group", own_group, labels)`, of which `own_group` is NULL, and
            `live_segments(uid, layer, name)`. Where a clip's group changes, `own_group` keeps what its source said.
    """
    edges = connection.execute(_EDGES).fetchall()
    joint = {group: name for group, name in components(edges).items() if group != name}
    names = [pa.array(list(column), pa.string()) for column in (joint.keys(), joint.values())]
    connection.register("joined_here", pa.table(names, names=["group", "joint"]))
    connection.execute("CREATE OR REPLACE TEMP TABLE joint_groups AS FROM joined_here")
    connection.unregister("joined_here")
    if joint:
        connection.execute(_JOIN)


def components(edges: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The name of everybody's connected component, which is its first member in the order of text.

    So what came later seldom renames it: `amass/` goes before the names of the layers that speak of its files.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (higher := above.setdefault(name, name)) != name:
            above[name] = above.setdefault(higher, higher)
            name = above[name]
        return name

    for one, other in edges:
        first, last = sorted((top(one), top(other)))
        above[last] = first
    return {name: top(name) for name in list(above)}
