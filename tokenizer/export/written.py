"""What is said of a file that an export wrote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """One file of an export."""

    file: str
    """Below the export's folder, with forward slashes."""
    bytes: int
    sha256: str
    split: str | None = None
    windows: int = 0
    """Windows that begin in it."""
