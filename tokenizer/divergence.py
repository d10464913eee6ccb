"""The guard against a loss that runs away: not yet infinite, but past coming back."""

from __future__ import annotations

import math
from dataclasses import dataclass

SMOOTHING = 0.9
"""Of the average over looks at the loss, one every ten steps: it forgets in a hundred."""
LOOKS = 5
"""Looks before the average is believed: a first one may be a lucky batch."""


@dataclass(slots=True)
class LossWatch:
    """A moving average of the reconstruction loss and the lowest that it has been."""

    average: float = 0.0
    lowest: float = math.inf
    looks: int = 0

    def reason(self, loss: float, times: float) -> str | None:
        """Why the run counts as diverged after one more look at the loss, in words; None where it does not.

        Args:
            loss: The reconstruction loss of the present step.
            times: How many times its lowest the average may be; 0 for any.
        """
        self.looks += 1
        # Divided by what the weights add up to so far, so that the first looks do not count as zeros (Adam's correction).
        self.average = SMOOTHING * self.average + (1 - SMOOTHING) * loss
        smooth = self.average / (1 - SMOOTHING**self.looks)
        if self.looks < LOOKS:
            return None
        self.lowest = min(self.lowest, smooth)
        if not times or smooth <= times * self.lowest:
            return None
        return f"the loss diverged: {smooth:.3g} on average, {smooth / self.lowest:.1f} times its lowest of {self.lowest:.3g}"
