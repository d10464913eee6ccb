"""Readers of data sets, one file each; `SOURCES` lists them by manifest name."""

from __future__ import annotations

from motionunion.sources.amass import Amass
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip, Source
from motionunion.sources.humanml3d import HumanML3D

__all__ = ["SOURCES", "Claim", "Folder", "ReadOptions", "Reading", "Skip", "Source"]

_READERS: tuple[Source, ...] = (HumanML3D(), Amass("smplh"), Amass("smplx"))

SOURCES: dict[str, Source] = {reader.name: reader for reader in _READERS}
"""Every reader by name, in the order in which they are asked: whole folders before single files."""
