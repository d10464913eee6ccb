"""Human motion data from every source in one store. `docs/architecture.md` is the map.

The public names load on first use: `import motionunion` itself loads nothing.

    open_store, Store           read a store
    encode, decode              joints, or motions with rotations, to features and back
    motion_at, decode_motion    a clip, and features, as a motion with rotations
    errors                      MotionUnionError and its kinds
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionunion.clip import Annotation, Caption, Clip, ClipRef, RawClip, Segment
    from motionunion.errors import (
        ClipError,
        ConfigError,
        MissingExtra,
        MissingInput,
        MotionUnionError,
        SourceFormatError,
        StoreError,
        UsageError,
    )
    from motionunion.motion import Motion
    from motionunion.representations import decode, decode_motion, encode
    from motionunion.resample import motion_at
    from motionunion.store.store import Store, open_store

_WHERE = {
    "motionunion.clip": ("Annotation", "Caption", "Clip", "ClipRef", "RawClip", "Segment"),
    "motionunion.errors": (
        "ClipError", "ConfigError", "MissingExtra", "MissingInput", "MotionUnionError", "SourceFormatError", "StoreError",
        "UsageError",
    ),
    "motionunion.motion": ("Motion",),
    "motionunion.representations": ("decode", "decode_motion", "encode"),
    "motionunion.resample": ("motion_at",),
    "motionunion.store.store": ("Store", "open_store"),
}  # fmt: skip
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Annotation",
    "Caption",
    "Clip",
    "ClipError",
    "ClipRef",
    "ConfigError",
    "MissingExtra",
    "MissingInput",
    "Motion",
    "MotionUnionError",
    "RawClip",
    "Segment",
    "SourceFormatError",
    "Store",
    "StoreError",
    "UsageError",
    "decode",
    "decode_motion",
    "encode",
    "motion_at",
    "open_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'motionunion' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
