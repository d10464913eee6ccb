"""A joint map as the TOML text that `motionunion.joint_map_form` reads."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from motionunion.joint_map import JointMap, Place
from motionunion.skeleton import SMPL22_NAMES

_WIDTH = 110


def joint_map_toml(joint_map: JointMap, comments: Iterable[str] = ()) -> str:
    """The text of a map; reading it gives the same map.

    Args:
        joint_map: The map.
        comments: Lines that stand above it, for whoever opens the file.
    """
    lines = [f"# {line}".rstrip() for comment in comments for line in textwrap.wrap(comment, 118) or [""]]
    lines.append(f"title = {_text(joint_map.title)}")
    if joint_map.up is not None:
        lines.append(f"up = {_text(joint_map.up)}")
    if joint_map.unit_m is not None:
        lines.append(f"unit_m = {joint_map.unit_m!r}")
    if joint_map.licence is not None:
        lines.append(f"licence = {_text(joint_map.licence)}")
    if joint_map.added_frames:
        lines.append(f"added_frames = {joint_map.added_frames}")
    lines += ["", "[joints]", "names = ["]
    for names in joint_map.names:
        lines += _names(names)
    lines += ["]", "", "[map]"]
    lines += [f"{name} = {_place(place)}" for name, place in zip(SMPL22_NAMES, joint_map.places, strict=True)]
    if joint_map.axes is not None:
        lines += _rest(joint_map)
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _names(names: Sequence[str]) -> list[str]:
    """One spelling: plain words in one text, over several lines; a list where a name is no plain word."""
    if any(name.split() != [name] or "\\" in name or '"' in name or not name.isprintable() for name in names):
        return ["    [", *(f"        {row}" for row in _listed(names)), "    ],"]
    rows = textwrap.wrap(" ".join(names), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return ['    """', *(f"    {row} \\" for row in rows[:-1]), f'    {rows[-1]}""",']


def _listed(names: Sequence[str]) -> list[str]:
    """Names in quotes and commas, over several lines."""
    rows = [""]
    for name in names:
        if len(rows[-1]) + len(name) > _WIDTH - 4 and rows[-1]:
            rows.append("")
        rows[-1] += f"{_text(name)}, "
    return [row.rstrip() for row in rows]


def _place(place: Place) -> str:
    if place.beyond:
        return "{ missing = true }"
    if place == Place(place.rotation, place.rotation, place.rotation):
        return _text(place.rotation)
    entries = [f"rotation = {_text(place.rotation)}"]
    if place.start != place.rotation:
        entries.append(f"start = {_text(place.start)}")
    if place.end != place.start:
        entries.append(f"end = {_text(place.end)}")
    if place.fraction:
        entries.append(f"fraction = {place.fraction!r}")
    entries += [f"{flag} = true" for flag in ("masked", "aimed") if getattr(place, flag)]
    return f"{{ {', '.join(entries)} }}"


def _rest(joint_map: JointMap) -> list[str]:
    by_words: dict[str, list[str]] = {}
    for joint, words in (joint_map.axes or {}).items():
        by_words.setdefault(words, []).append(joint)
    lines = ["", "[rest.axes]"]
    for words, joints in by_words.items():
        plain = all(joint.split() == [joint] for joint in joints)
        if plain:
            lines.append(f"{_text(words)} = {_text(' '.join(joints))}")
        else:
            lines += [f"{_text(words)} = [", *(f"    {row}" for row in _listed(joints)), "]"]
    lines += _table("dip_deg", {joint: repr(float(dip)) for joint, dip in joint_map.dips.items()})
    turns = {joint: f"[{', '.join(repr(float(x)) for x in turn)}]" for joint, turn in joint_map.turns.items()}
    return lines + _table("turn_deg", turns)


def _table(key: str, values: Mapping[str, str]) -> list[str]:
    return ["", f"[rest.{key}]", *(f"{_key(joint)} = {value}" for joint, value in values.items())] if values else []
