"""Data, not code: one TOML per source, and the presets of models.

`manifests/sources/<name>.toml` says of each source: who made it, licence, where it comes from, format, axes, unit,
rate, captions, traps. `manifests/skeletons/<id>.toml` maps a known skeleton to the SMPL joints (`motionunion.joint_maps`).
`manifests/presets/<kind>.toml` holds named configurations and the fixed tables by which the
bare commands choose among them.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def source_names() -> tuple[str, ...]:
    """Names of all sources with a manifest, sorted."""
    folder = files(__name__) / "sources"
    return tuple(sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml")))


@cache
def source_manifest(name: str) -> dict[str, Any]:
    """The manifest of one source; `KeyError` for an unknown name."""
    entry = files(__name__) / "sources" / f"{name}.toml"
    if not entry.is_file():
        raise KeyError(name)
    return tomllib.loads(entry.read_text(encoding="utf-8"))


@cache
def skeleton_names() -> tuple[str, ...]:
    """Ids of all known skeletons, sorted."""
    folder = files(__name__) / "skeletons"
    return tuple(sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml")))


@cache
def skeleton_manifest(skeleton_id: str) -> dict[str, Any]:
    """The map of one known skeleton, as its file stands."""
    return tomllib.loads((files(__name__) / "skeletons" / f"{skeleton_id}.toml").read_text(encoding="utf-8"))


@cache
def presets(kind: str) -> dict[str, Any]:
    """The preset file of one kind: `tokenizer`, `transformer` or `evaluator`."""
    return tomllib.loads((files(__name__) / "presets" / f"{kind}.toml").read_text(encoding="utf-8"))
