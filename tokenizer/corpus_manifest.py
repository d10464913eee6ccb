"""What the manifest of a corpus has to say, and whether it can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def refuse_what_cannot_be(manifest: Mapping[str, Any]) -> None:
    """Check that a manifest says all that readers ask of it.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: In words, or naming the key that is missing.
    """
    size, per_step = manifest["codebook_size"], manifest.get("codes_per_step", 1)
    for name, value in (("codebook", manifest["codebook"]), ("codebook_size", size), ("codes_per_step", per_step)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}")
    if (manifest["end_id"], manifest["pad_id"]) != (size, size + 1):
        raise ValueError(f"END and PAD are {manifest['end_id']!r} and {manifest['pad_id']!r} beside {size} codes")
    _word(manifest["representation"], "id")
    _word(manifest["tokenizer"], "hash")
    if ".." in PurePath(_word(manifest["tokenizer"], "name")).parts:
        raise ValueError("its tokenizer lies elsewhere")
    for name, split in manifest["splits"].items():
        windows = sum(part.get("windows", 0) for part in split["parts"])
        if all("windows" in part for part in split["parts"]) and windows != split["windows"]:
            raise ValueError(f"{split['windows']} windows of {name} are {windows} in its parts")
        for entry in (*split["parts"], *([split["unigram"]] if split.get("unigram") else [])):
            if PurePath(_word(entry, "file")).name != entry["file"]:
                raise ValueError(f"its file {entry['file']!r} lies elsewhere")
            _word(entry, "sha256")


def _word(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {value!r}")
    return value
