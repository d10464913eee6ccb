"""Readers of data sets, one file each; `SOURCES` lists them by manifest name."""

from __future__ import annotations

from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip, Source

__all__ = ["SOURCES", "Claim", "Folder", "ReadOptions", "Reading", "Skip", "Source"]

SOURCES: dict[str, Source] = {}
"""Every reader, in the order in which they are asked."""
