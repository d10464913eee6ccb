"""TOML that strangers wrote. Python's parser keeps every beginning of a dotted key: fifty kilobytes of `a.a.a.a` take 500 MB."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_MOST_CHARACTERS = 1 << 20
_MOST_PARTS = 32
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'')


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a text is.

    Raises:
        ValueError: For what is no TOML, longer than a million characters, nested too deeply, or has keys of more than 32 parts.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters; {_MOST_CHARACTERS:,} are the most that are read")
    for number, row in enumerate(text.splitlines(), start=1):
        if row.count(".") > _MOST_PARTS:
            key, equals, _ = _QUOTED.sub("q", row).partition("=")
            if equals and key.count(".") > _MOST_PARTS:  # without the sign it is a line of a longer string
                raise ValueError(f"a key of more than {_MOST_PARTS} parts (at line {number})")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("brackets within brackets without end") from error
