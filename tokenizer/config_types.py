"""Whether values that people and files give are of the types that a configuration has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from motionunion.errors import ConfigError

WORDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "text in quotes",
    NoneType: "nothing",
}


def check_types(kind: type, values: Mapping[str, Any], where: str) -> None:
    """Refuse values that are not of the type of the dataclass field of their name; whole numbers are numbers too.

    Raises:
        ConfigError: For the first that is not, named with `where`.
    """
    hints = get_type_hints(kind)
    for name, value in values.items():
        if not _fits(hints[name], value):
            raise ConfigError(f"{where}: {name} must be {_in_words(hints[name])}, got {value!r}")


def _fits(hint: Any, value: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(one, value) for one in get_args(hint))
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(_fits(inner[0], one) for one in value)
        return len(value) == len(inner) and all(_fits(*pair) for pair in zip(inner, value, strict=True))
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, hint)


def _in_words(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_in_words(one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        return f"a list of {'any length' if inner[-1] is Ellipsis else len(inner)}, each {_in_words(inner[0])}"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))
