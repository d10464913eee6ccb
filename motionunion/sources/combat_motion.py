"""CombatMotion (AnimationGPT, Liao et al. 2024): fights of game characters, in HumanML3D's layout."""

from __future__ import annotations

import re

from motionunion.clip import ClipRef
from motionunion.sources.unrated_features import About, UnratedFeatures


class CombatMotion(UnratedFeatures):
    """CMP (8,700 clips, three captions each) and CMR (14,883 clips, one chain of keywords each; CMP is a part of it).

    Assets of commercial games, retargeted from FBX to SMPL and kept as joints and 263 features; no rotations. Ids are
    `CMP008388`, or those of the game files (`DS3_029_032030`, `SKR_250_600361`), whose first part is the game and whose second the
    kind of character. The frame rate is documented nowhere.
    """

    name = "combat_motion"
    version = 2
    pattern = re.compile(r"M?(?:CM[PR]_?\d{4,6}|(?!M\d)[A-Z][A-Z0-9]{1,3}_?\d{3}_\d{6})")

    def is_mirrored(self, ref: ClipRef) -> bool:
        """Whether it is the image of another id: games' own names begin with M too (`MH_001_000123`)."""
        return ref.key.startswith("MCM") or (
            ref.key.startswith("M") and ref.path.with_name(ref.path.name[1:]).is_file()
        )

    def about(self, ref: ClipRef) -> About:
        """Mirror twins share a side, and so do all animations of one kind of character of one game."""
        base = ref.key.removeprefix("M") if self.is_mirrored(ref) else ref.key
        game = re.fullmatch(r"([A-Z][A-Z0-9]{1,4}?)_?(\d{3})_\d{6}", base)
        if game is None:
            return About(group=f"{self.name}/{base.lower()}", labels={"base": base})
        # Where the other twin is not here, nothing tells an image of DS from a game MDS: they share a group in any case.
        return About(
            group=f"{self.name}/{game[1].lower().removeprefix('m')}_{game[2]}",
            labels={"base": base, "game": game[1], "character": game[2]},
        )
