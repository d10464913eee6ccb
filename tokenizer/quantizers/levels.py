"""Level lists of the nominal codebook sizes. "65536" is 64,000 in truth, and so on: the product of the levels counts."""

from __future__ import annotations

import math

from motionunion.errors import ConfigError
from tokenizer.quantizers.protocol import check_size

# 8192 and 32768 are in the paper's range but in no public code; these two are our choice, and every manifest records
# the levels themselves. 4096 has more codes than its name says.
LEVELS: dict[int, tuple[int, ...]] = {
    256: (8, 6, 5),
    512: (8, 8, 8),
    1024: (8, 5, 5, 5),
    2048: (8, 8, 6, 5),
    4096: (7, 5, 5, 5, 5),
    8192: (8, 8, 5, 5, 5),
    16384: (8, 8, 8, 6, 5),
    32768: (8, 8, 8, 8, 8),
    65536: (8, 8, 8, 5, 5, 5),
}
MOST_LEVELS = 1000
"""FSQ lets tanh run a thousandth beyond the outermost points; with more levels that would be another point."""


def levels_of(nominal: int) -> tuple[int, ...]:
    """Levels of a nominal codebook size.

    Raises:
        ConfigError: If the size has no level set; the message lists the sizes that have one.
    """
    if nominal not in LEVELS:
        raise ConfigError(
            f"codebook size {nominal} has no level set; choose one of {', '.join(map(str, LEVELS))} "
            "(nominal sizes; the true size is the product of the levels)"
        )
    return LEVELS[nominal]


def check_levels(kind: str, levels: tuple[int, ...]) -> None:
    """Refuse levels that make no grid.

    Raises:
        ConfigError: If there is none, one is below 2 or above `MOST_LEVELS`, or they make more codes than can be counted.
    """
    if not levels or min(levels) < 2 or max(levels) > MOST_LEVELS:
        raise ConfigError(
            f"{kind}.levels: every entry must be at least 2 and at most {MOST_LEVELS}, got {tuple(levels)}"
        )
    check_size(f"{kind}, levels {tuple(levels)}", math.prod(levels))
