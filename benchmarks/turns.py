"""Ways to do one thing that take turns, what they gave, and what the machine could do beside them.

A neighbour on the machine slows the ways of one turn alike, so that ratios are taken turn by turn and the middle one counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

Way = Callable[[], Any]
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}
"""The second counts what this process was given, all its threads together: with one thread, a neighbour hardly shows."""

SIZE = 2048
"""Rows and columns of the matrices by which a machine is measured: long enough a product, and too large for the cache of a core."""
LIMITS = ("float32", "bfloat16")
"""Products of two matrices of each type say how many operations per second the machine has."""


class Turns:
    """Every way once in each turn, after one turn that is not counted.

    Args:
        ways: By name.
        turns: That are counted.
        clock: Of `CLOCKS`.
        limits: Whether each turn begins with the machine's limits.
    """

    def __init__(self, ways: Mapping[str, Way], turns: int, clock: str, *, limits: bool = True) -> None:
        now = CLOCKS[clock]
        wanted = LIMITS if limits else ()
        self.seconds: dict[str, list[float]] = {name: [] for name in (*ways, *wanted)}
        self.given: dict[str, list[Any]] = {name: [] for name in ways}
        matrices = {name: torch.randn(SIZE, SIZE).to(getattr(torch, name)) for name in wanted}
        products: dict[str, Way] = {name: lambda one=one: torch.mm(one, one) for name, one in matrices.items()}  # type: ignore[misc]
        for turn in range(turns + 1):
            for name, way in {**products, **ways}.items():
                began = now()
                given = way()
                ended = now()
                if turn:
                    self.seconds[name].append(ended - began)
                if name in ways:
                    self.given[name].append(given)

    def ratio(self, name: str, reference: str) -> float:
        """How much longer the reference takes, in the middle of all turns."""
        pairs = zip(self.seconds[reference], self.seconds[name], strict=True)
        return statistics.median(theirs / own for theirs, own in pairs)

    def operations_per_s(self, limit: str) -> float:
        """Of a product of two large matrices of a type of `LIMITS`."""
        return 2 * SIZE**3 / statistics.median(self.seconds[limit])

    def figures(self, name: str, reference: str, amount: int) -> dict[str, Any]:
        """Seconds of one way, how many rows or tokens (`amount` in one turn) it does in a second, and how it compares."""
        per_s = amount / statistics.median(self.seconds[name])
        return {"seconds": self.seconds[name], "per_s": per_s, "times_the_reference": self.ratio(name, reference)}

    def arithmetic(self, name: str, operations: float, limit: str) -> dict[str, float]:
        """Additions and multiplications of one turn, and the rate of these beside that of a product of two large matrices."""
        rate = operations / statistics.median(self.seconds[name])
        return {
            "gflop": operations / 1e9,
            "gflop_per_s": rate / 1e9,
            "share_of_matrix_product": rate / self.operations_per_s(limit),
        }


def operations_of(way: Way) -> int:
    """Additions and multiplications of all products and convolutions in what a way does, gradients included."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: _product_added}) as counter:
        way()
    return int(counter.get_total_flops())


def _product_added(to: tuple[int, ...], one: tuple[int, int], other: tuple[int, int], **_: Any) -> int:
    """Of shapes; PyTorch counts this product only where it is not added in place."""
    return 2 * one[0] * one[1] * other[1]
