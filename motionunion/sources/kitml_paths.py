"""Which AMASS file each KIT-ML id is: the map that ships with AMASS-Annotation-Unifier.

`amass-path2kitml.json` says `{"02489": "CMU/139/139_13_poses.npz"}`. TEMOS's `kitml_amass_path.json` does not tell KIT from EKUT
(43 ids of 2,200 differ), so it is not used. No map is part of this package.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from motionunion.errors import SourceFormatError
from motionunion.sources.amass_names import uid_of

NAME = "amass-path2kitml.json"
_BESIDE = (".", "amass_annotation_unifier", "kitml_process")
_MAX_BYTES = 16 << 20


def path_map_file(root: Path) -> Path | None:
    """The map that lies in a folder, in a folder of the Unifier's below it, or one folder up; None without one."""
    for folder in (*(root / name for name in _BESIDE), root.parent):
        path = folder / NAME
        if path.is_file():
            return path
    return None


def amass_uids(path: Path | None) -> dict[str, str]:
    """AMASS uid by KIT-ML id; empty without a map. Raises `SourceFormatError`, `bad_index`."""
    return {} if path is None else _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int) -> dict[str, str]:
    if path.stat().st_size > _MAX_BYTES:
        raise SourceFormatError(path, f"has more than {_MAX_BYTES:,} bytes", reason="too_large")
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(path, f"is no JSON ({error})", reason="bad_index") from error
    if not isinstance(said, dict):
        raise SourceFormatError(path, "is no map of ids", reason="bad_index")
    return {key: uid_of(place) for key, place in said.items() if isinstance(place, str) and place.count("/") >= 2}
